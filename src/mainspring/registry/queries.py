"""The registry room's SQL: models, versions, tags, aliases."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Row,
    Table,
    delete,
    exists,
    func,
    insert,
    select,
    type_coerce,
    update,
)
from sqlalchemy.exc import IntegrityError

from mainspring.domain.attestation import Attestation
from mainspring.domain.dataset import Manifest
from mainspring.domain.gate import GateResult
from mainspring.domain.model import PROMPT_TAG, ModelVersion, ModelVersionId, RegisteredModel
from mainspring.domain.run import RunId
from mainspring.domain.search import Clause, Order
from mainspring.governance.keys import trusted_keys
from mainspring.kernel.codec import decode
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Conflict
from mainspring.registry.signing import signing_of
from mainspring.store.search import IS_NOT, Owned, Searchable, search
from mainspring.store.tables.registry import (
    aliases,
    model_signatures,
    model_tags,
    model_version_tags,
    model_versions,
    registered_models,
)
from mainspring.store.tx import Tx

_IDS_AT_ONCE = 10_000
_NO_PROMPT = Clause(entity="tag", key=PROMPT_TAG, operator=IS_NOT, value="true")


# --- models


def add_model(tx: Tx, name: str, description: str) -> None:
    tx.execute(
        insert(registered_models).values(
            name=name,
            description=description,
            last_number=0,
            created_at=tx.now,
            updated_at=tx.now,
        )
    )


def has_model(tx: Tx, name: str) -> bool:
    query = select(registered_models.c.name).where(registered_models.c.name == name)
    return tx.execute(query).first() is not None


def model(tx: Tx, name: str) -> RegisteredModel | None:
    query = select(registered_models).where(registered_models.c.name == name)
    rows = tx.execute(query).all()
    return _models(tx, rows)[0] if rows else None


def all_models(tx: Tx) -> list[RegisteredModel]:
    """Every model, by name; prompts are none."""
    prompt = exists().where(
        model_tags.c.model == registered_models.c.name,
        model_tags.c.key == PROMPT_TAG,
        model_tags.c.value == "true",
    )
    query = select(registered_models).where(~prompt).order_by(registered_models.c.name)
    return _models(tx, tx.execute(query).all())


def change_model(tx: Tx, name: str, values: Mapping[str, object]) -> None:
    tx.execute(
        update(registered_models)
        .where(registered_models.c.name == name)
        .values(updated_at=tx.now, **values)
    )


def delete_model(tx: Tx, name: str) -> None:
    """Delete a model and all below it; raises `Conflict` if a deployment names a version of it."""
    tx.execute(delete(aliases).where(aliases.c.model == name))
    _delete_unless_named(tx, delete(model_versions).where(model_versions.c.model == name))
    tx.execute(delete(registered_models).where(registered_models.c.name == name))


def next_number(tx: Tx, name: str) -> int:
    """Take the model's next version number."""
    number: int = tx.execute(
        update(registered_models)
        .where(registered_models.c.name == name)
        .values(last_number=registered_models.c.last_number + 1, updated_at=tx.now)
        .returning(registered_models.c.last_number)
    ).scalar_one()
    return number


def _models(tx: Tx, rows: Sequence[Row[Any]]) -> list[RegisteredModel]:
    names = [row.name for row in rows]
    tags = _tags(tx, model_tags, "model", names)
    pointing = _aliases_of_models(tx, names)
    counts = _version_counts(tx, names)
    return [
        RegisteredModel(
            name=row.name,
            description=row.description,
            tags=tags[row.name],
            aliases=pointing[row.name],
            version_count=counts.get(row.name, 0),
            created_at=row.created_at,
            updated_at=row.updated_at,
        )
        for row in rows
    ]


def _aliases_of_models(tx: Tx, names: Sequence[str]) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = defaultdict(dict)
    rows = tx.execute(
        select(aliases.c.model, aliases.c.alias, model_versions.c.number)
        .join(model_versions, model_versions.c.id == aliases.c.version)
        .where(aliases.c.model.in_(names))
        .order_by(aliases.c.alias)
    )
    for row in rows:
        found[row.model][row.alias] = row.number
    return found


def _version_counts(tx: Tx, names: Sequence[str]) -> dict[str, int]:
    rows = tx.execute(
        select(model_versions.c.model, func.count().label("versions"))
        .where(model_versions.c.model.in_(names))
        .group_by(model_versions.c.model)
    )
    return {row.model: row.versions for row in rows}


# --- tags


def set_model_tag(tx: Tx, name: str, key: str, value: str) -> None:
    _set_tag(tx, model_tags.c.model, name, key, value)


def remove_model_tag(tx: Tx, name: str, key: str) -> None:
    _remove_tag(tx, model_tags, "model", name, key)


def set_version_tag(tx: Tx, id_: str, key: str, value: str) -> None:
    _set_tag(tx, model_version_tags.c.version, id_, key, value)


def remove_version_tag(tx: Tx, id_: str, key: str) -> None:
    _remove_tag(tx, model_version_tags, "version", id_, key)


def _set_tag(tx: Tx, owner: Column[str], id_: str, key: str, value: str) -> None:
    # Changes of the registry take turns, so nobody adds the key in between.
    table = owner.table
    where = (owner == id_, table.c.key == key)
    if tx.execute(update(table).where(*where).values(value=value)).rowcount == 0:
        tx.execute(insert(table).values({owner.name: id_, "key": key, "value": value}))


def _remove_tag(tx: Tx, table: Table, owner: str, id_: str, key: str) -> None:
    tx.execute(delete(table).where(table.c[owner] == id_, table.c.key == key))


def _tags(tx: Tx, table: Table, owner: str, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        query = select(table).where(table.c[owner].in_(some)).order_by(table.c.key)
        for row in tx.execute(query):
            found[row[0]][row.key] = row.value
    return found


# --- versions


def add_version(tx: Tx, version: ModelVersion) -> None:
    tx.execute(
        insert(model_versions).values(
            id=version.id,
            model=version.model,
            number=version.number,
            run=version.run,
            logged_model=version.logged_model,
            source=version.source,
            manifest=version.manifest,
            flavor=version.flavor,
            signature=version.signature,
            metrics=version.metrics,
            reference=version.reference,
            evaluation=version.evaluation,
            project=version.project,
            environment=version.environment,
            stage=version.stage,
            description=version.description,
            gate_results=version.gate_results,
            created_at=version.created_at,
            updated_at=version.created_at,
            created_by=version.created_by,
        )
    )
    for key, value in version.tags.items():
        set_version_tag(tx, version.id, key, value)


def version_by_id(tx: Tx, id_: str) -> ModelVersion | None:
    return _one(tx, model_versions.c.id == id_)


def version_by_number(tx: Tx, name: str, number: int) -> ModelVersion | None:
    return _one(tx, model_versions.c.model == name, model_versions.c.number == number)


def version_by_alias(tx: Tx, name: str, alias: str) -> ModelVersion | None:
    query = select(aliases.c.version).where(aliases.c.model == name, aliases.c.alias == alias)
    return _one(tx, model_versions.c.id == query.scalar_subquery())


def same_version(tx: Tx, name: str, run: str | None, manifest: Digest) -> ModelVersion | None:
    """The first version that was made of these bytes by this run."""
    return _one(
        tx,
        model_versions.c.model == name,
        model_versions.c.run.is_not_distinct_from(run),
        model_versions.c.manifest == manifest,
    )


def newest_versions(tx: Tx, name: str, limit: int) -> list[ModelVersion]:
    rows = tx.execute(
        select(model_versions)
        .where(model_versions.c.model == name)
        .order_by(model_versions.c.number.desc())
        .limit(limit)
    ).all()
    return _versions(tx, rows)


def change_version(tx: Tx, id_: str, **values: object) -> None:
    tx.execute(
        update(model_versions).where(model_versions.c.id == id_).values(updated_at=tx.now, **values)
    )


def archive_stage(tx: Tx, name: str, stage: str) -> None:
    tx.execute(
        update(model_versions)
        .where(model_versions.c.model == name, model_versions.c.stage == stage)
        .values(stage="Archived", updated_at=tx.now)
    )


def record_gate_results(tx: Tx, id_: str, results: tuple[GateResult, ...]) -> None:
    change_version(tx, id_, gate_results=results)


def delete_version(tx: Tx, id_: str) -> None:
    """Delete a version and its aliases; raises `Conflict` if a deployment names it."""
    tx.execute(delete(aliases).where(aliases.c.version == id_))
    _delete_unless_named(tx, delete(model_versions).where(model_versions.c.id == id_))


def _delete_unless_named(tx: Tx, statement: Any) -> None:
    try:
        tx.execute(statement)
    except IntegrityError as error:
        # Deployments and rollouts, which this room knows nothing of, refer to versions.
        raise Conflict(
            "a version that serves or has served can't be deleted",
            code="version_in_use",
            hint="The record of what was served is kept with it.",
        ) from error


def _one(tx: Tx, *where: Any) -> ModelVersion | None:
    query = select(model_versions).where(*where).order_by(model_versions.c.number).limit(1)
    rows = tx.execute(query).all()
    return _versions(tx, rows)[0] if rows else None


def _versions(tx: Tx, rows: Sequence[Row[Any]]) -> list[ModelVersion]:
    ids = [row.id for row in rows]
    tags = _tags(tx, model_version_tags, "version", ids)
    names = _aliases_of_versions(tx, ids)
    signatures = attestations_of(tx, ids)
    return [
        ModelVersion(
            id=ModelVersionId(row.id),
            model=row.model,
            number=row.number,
            run=RunId(row.run) if row.run else None,
            manifest=Digest(row.manifest),
            flavor=row.flavor,
            signature=row.signature,
            metrics=row.metrics,
            reference=row.reference,
            evaluation=row.evaluation,
            project=row.project,
            environment=row.environment,
            description=row.description,
            tags=tags[row.id],
            aliases=tuple(names[row.id]),
            gate_results=row.gate_results,
            created_at=row.created_at,
            created_by=row.created_by,
            updated_at=row.updated_at,
            source=row.source,
            logged_model=row.logged_model,
            stage=row.stage,
            signing=signing_of(
                row.model,
                signatures[row.id],
                manifest=lambda digest=row.manifest: manifest_of(tx, digest),  # type: ignore[misc]
                trusted=lambda: trusted_keys(tx.trusted_keys),
            ),
        )
        for row in rows
    ]


def manifest_of(tx: Tx, digest: Digest) -> Manifest:
    """The files of a version; raises `NotFound` or `Corrupt`."""
    return decode(tx.blobs.read(digest), Manifest, what="manifest")


def attestations_of(tx: Tx, ids: Sequence[str]) -> dict[str, list[Attestation]]:
    """Signatures by version, oldest first."""
    found: dict[str, list[Attestation]] = defaultdict(list)
    c = model_signatures.c
    for start in range(0, len(ids), _IDS_AT_ONCE):
        query = select(model_signatures).where(c.version.in_(ids[start : start + _IDS_AT_ONCE]))
        for row in tx.execute(query.order_by(c.attached_at, c.key)):
            found[row.version].append(
                Attestation(
                    version=row.version,
                    key=row.key,
                    bundle=row.bundle,
                    attached_at=row.attached_at,
                    attached_by=row.attached_by,
                )
            )
    return found


def signatures_mark(tx: Tx) -> str:
    """A short text that differs whenever a version's signatures do."""
    c = model_signatures.c
    row = tx.execute(
        select(func.count(c.key).label("signatures"), func.max(c.attached_at).label("latest"))
    ).one()
    return f"{row.signatures}:{row.latest.timestamp() if row.latest else ''}"


def attach(tx: Tx, id_: str, key: str, bundle: str) -> None:
    """Keep a signature, in place of an earlier one by the same key."""
    c = model_signatures.c
    tx.execute(delete(model_signatures).where(c.version == id_, c.key == key))
    tx.execute(
        insert(model_signatures).values(
            version=id_, key=key, bundle=bundle, attached_at=tx.now, attached_by=str(tx.actor)
        )
    )


def _aliases_of_versions(tx: Tx, ids: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for start in range(0, len(ids), _IDS_AT_ONCE):
        some = ids[start : start + _IDS_AT_ONCE]
        query = select(aliases.c.version, aliases.c.alias).where(aliases.c.version.in_(some))
        for row in tx.execute(query.order_by(aliases.c.alias)):
            found[row.version].append(row.alias)
    return found


# --- aliases


def set_alias(tx: Tx, name: str, alias: str, version_id: str) -> None:
    where = (aliases.c.model == name, aliases.c.alias == alias)
    values = {"version": version_id, "updated_at": tx.now}
    if tx.execute(update(aliases).where(*where).values(**values)).rowcount == 0:
        tx.execute(insert(aliases).values(model=name, alias=alias, **values))


def remove_alias(tx: Tx, name: str, alias: str) -> bool:
    """False if there was none."""
    where = (aliases.c.model == name, aliases.c.alias == alias)
    return tx.execute(delete(aliases).where(*where)).rowcount == 1


# --- searching


def _ms(instant: Any) -> Any:
    return type_coerce(instant, BigInteger) // 1000


def search_models(
    tx: Tx, *, clauses: Sequence[Clause], order: Sequence[Order], limit: int, page_token: str | None
) -> tuple[list[RegisteredModel], str | None]:
    """One page of models, and the token of the next."""
    c = registered_models.c
    target = Searchable(
        table=registered_models,
        id=c.name,
        attributes={
            "name": c.name,
            "creation_timestamp": _ms(c.created_at),
            "last_updated_timestamp": _ms(c.updated_at),
        },
        owned={"tag": Owned(table=model_tags, owner="model")},
        tie=(Order(entity="attribute", key="name"),),
    )
    clauses = _of_one_kind(clauses)
    rows, token = search(
        tx, target, where=(), clauses=clauses, order=order, limit=limit, page_token=page_token
    )
    return _models(tx, rows), token


def _of_one_kind(clauses: Sequence[Clause]) -> list[Clause]:
    """Prompts are found only by those who ask for them.

    MLflow's clients say `tag.mlflow.prompt.is_prompt != 'true'` and mean models without the tag too.
    """
    if not any(clause.entity == "tag" and clause.key == PROMPT_TAG for clause in clauses):
        return [*clauses, _NO_PROMPT]
    return [
        replace(clause, operator=IS_NOT)
        if (clause.key, clause.operator) == (PROMPT_TAG, "!=")
        else clause
        for clause in clauses
    ]


def search_versions(
    tx: Tx, *, clauses: Sequence[Clause], order: Sequence[Order], limit: int, page_token: str | None
) -> tuple[list[ModelVersion], str | None]:
    """One page of versions, and the token of the next."""
    c = model_versions.c
    target = Searchable(
        table=model_versions,
        id=c.id,
        attributes={
            "name": c.model,
            "run_id": c.run,
            "version_number": c.number,
            "source_path": c.source,
            "creation_timestamp": _ms(c.created_at),
            "last_updated_timestamp": _ms(c.updated_at),
        },
        owned={"tag": Owned(table=model_version_tags, owner="version")},
        tie=(
            Order(entity="attribute", key="name"),
            Order(entity="attribute", key="version_number", is_descending=True),
        ),
    )
    clauses = _of_one_kind(clauses)
    rows, token = search(
        tx, target, where=(), clauses=clauses, order=order, limit=limit, page_token=page_token
    )
    return _versions(tx, rows), token
