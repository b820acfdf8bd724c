"""The services room's SQL."""

from typing import Any

from sqlalchemy import Row, insert, select, update

from mainspring.domain.service import Service
from mainspring.kernel.digests import Digest
from mainspring.store.tables.services import services
from mainspring.store.tx import Tx


def service(tx: Tx, name: str) -> Service | None:
    row = tx.execute(select(services).where(services.c.name == name)).one_or_none()
    return _service(row) if row else None


def all_services(tx: Tx) -> list[Service]:
    return [_service(row) for row in tx.execute(select(services).order_by(services.c.name))]


def save(tx: Tx, new: Service, *, is_new: bool) -> None:
    values = {
        "spec": new.spec,
        "digest": new.digest,
        "project": new.project,
        "environment": new.environment,
        "applied_at": new.applied_at,
        "applied_by": new.applied_by,
        "paused": new.paused,
    }
    if is_new:
        tx.execute(insert(services).values(name=new.spec.name, **values))
    else:
        tx.execute(update(services).where(services.c.name == new.spec.name).values(**values))


def _service(row: Row[Any]) -> Service:
    return Service(
        spec=row.spec,
        digest=Digest(row.digest),
        project=Digest(row.project),
        environment=Digest(row.environment),
        applied_at=row.applied_at,
        applied_by=row.applied_by,
        paused=row.paused,
    )
