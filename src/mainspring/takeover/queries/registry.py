"""SQL that writes registered models and versions as they were elsewhere, never over what is here."""

from sqlalchemy import case, update

from mainspring.domain.model import ModelVersion, RegisteredModel
from mainspring.registry.queries import add_version as add_row_of_version
from mainspring.store.tables.registry import (
    model_tags,
    model_version_tags,
    model_versions,
    registered_models,
)
from mainspring.store.tx import Tx
from mainspring.tracking.queries.pairs import insert_into


def add_model(tx: Tx, model: RegisteredModel) -> None:
    statement = insert_into(tx, registered_models).values(
        name=model.name,
        description=model.description,
        last_number=0,
        created_at=model.created_at,
        updated_at=model.updated_at,
    )
    tx.execute(statement.on_conflict_do_nothing())


def add_model_tags(tx: Tx, model: RegisteredModel) -> None:
    rows = [{"model": model.name, "key": k, "value": v} for k, v in sorted(model.tags.items())]
    if rows:
        tx.execute(insert_into(tx, model_tags).on_conflict_do_nothing(), rows)


def add_version(tx: Tx, version: ModelVersion) -> None:
    """Add a version with its number and stage, and give out only greater numbers from now on."""
    add_row_of_version(tx, version)
    c = registered_models.c
    greater = case((c.last_number > version.number, c.last_number), else_=version.number)
    tx.execute(update(registered_models).where(c.name == version.model).values(last_number=greater))
    tx.execute(
        update(model_versions)
        .where(model_versions.c.id == version.id)
        .values(updated_at=version.updated_at or version.created_at)
    )


def add_version_tags(tx: Tx, id_: str, version: ModelVersion) -> None:
    rows = [{"version": id_, "key": k, "value": v} for k, v in sorted(version.tags.items())]
    if rows:
        tx.execute(insert_into(tx, model_version_tags).on_conflict_do_nothing(), rows)
