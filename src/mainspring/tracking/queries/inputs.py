"""SQL of what runs read and made."""

from collections import defaultdict
from collections.abc import Sequence

from sqlalchemy import (
    select,
)

from mainspring.domain.run import (
    DatasetInput,
    Direction,
    ModelLink,
)
from mainspring.store.tables.tracking import (
    run_inputs,
    run_models,
    runs,
)
from mainspring.store.tx import Tx
from mainspring.tracking.queries.pairs import IDS_AT_ONCE, chunks, insert_into

_CONTEXT_TAG = "mlflow.data.context"
_MAX_DATASETS = 1000


def add_inputs(tx: Tx, run_id: str, inputs: Sequence[DatasetInput]) -> None:
    for item in sorted(inputs, key=lambda one: (one.name, one.digest)):
        tx.execute(
            insert_into(tx, run_inputs)
            .values(
                run=run_id,
                name=item.name,
                digest=item.digest,
                source_type=item.source_type,
                source=item.source,
                schema=item.schema,
                profile=item.profile,
                context=dict(item.tags).get(_CONTEXT_TAG, "")[:250],
                tags=item.tags,
            )
            .on_conflict_do_nothing()
        )


def add_model_links(tx: Tx, run_id: str, links: Sequence[ModelLink]) -> None:
    for link in sorted(links, key=lambda one: (one.model, one.direction)):
        tx.execute(
            insert_into(tx, run_models)
            .values(run=run_id, model=link.model, direction=link.direction.value, step=link.step)
            .on_conflict_do_nothing()
        )


def inputs_of(tx: Tx, ids: Sequence[str]) -> dict[str, list[DatasetInput]]:
    found: dict[str, list[DatasetInput]] = defaultdict(list)
    for some in chunks(ids, IDS_AT_ONCE):
        query = select(run_inputs).where(run_inputs.c.run.in_(some))
        for row in tx.execute(query.order_by(run_inputs.c.name, run_inputs.c.digest)):
            found[row.run].append(
                DatasetInput(
                    name=row.name,
                    digest=row.digest,
                    source_type=row.source_type,
                    source=row.source,
                    schema=row.schema,
                    profile=row.profile,
                    tags=row.tags,
                )
            )
    return found


def datasets_of(tx: Tx, experiments: Sequence[str]) -> list[tuple[str, str, str, str]]:
    """Experiment, name, digest and context of what runs read."""
    c = run_inputs.c
    columns = (runs.c.experiment, c.name, c.digest, c.context)
    query = (
        select(*columns).join(runs, runs.c.id == c.run).where(runs.c.experiment.in_(experiments))
    )
    rows = tx.execute(query.distinct().order_by(*columns).limit(_MAX_DATASETS))
    return [(row.experiment, row.name, row.digest, row.context) for row in rows]


def models_of(tx: Tx, ids: Sequence[str]) -> dict[str, list[ModelLink]]:
    found: dict[str, list[ModelLink]] = defaultdict(list)
    for some in chunks(ids, IDS_AT_ONCE):
        query = select(run_models).where(run_models.c.run.in_(some))
        for row in tx.execute(query.order_by(run_models.c.step, run_models.c.model)):
            found[row.run].append(
                ModelLink(model=row.model, direction=Direction(row.direction), step=row.step)
            )
    return found
