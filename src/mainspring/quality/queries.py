"""The quality room's SQL: schemas, check reports and quarantines."""

from datetime import datetime
from typing import Any

from sqlalchemy import Row, insert, select, update

from mainspring.domain.check import CheckReportId, StoredCheckReport
from mainspring.domain.dataset import DatasetVersionId
from mainspring.domain.quarantine import Quarantine, QuarantineId, QuarantineState
from mainspring.domain.schema import StoredSchema
from mainspring.kernel.digests import Digest
from mainspring.store.tables.quality import check_reports, quarantines, schemas
from mainspring.store.tx import Tx


def newest_schema(tx: Tx, dataset: str, *, by: datetime | None = None) -> StoredSchema | None:
    query = select(schemas).where(schemas.c.dataset == dataset)
    if by is not None:
        query = query.where(schemas.c.created_at <= by)
    row = tx.execute(query.order_by(schemas.c.number.desc()).limit(1)).one_or_none()
    if row is None:
        return None
    return StoredSchema(
        dataset=row.dataset,
        number=row.number,
        digest=Digest(row.digest),
        toml=row.toml,
        created_at=row.created_at,
        created_by=row.created_by,
        code=Digest(row.code) if row.code else None,
    )


def add_schema(tx: Tx, schema: StoredSchema) -> None:
    tx.execute(
        insert(schemas).values(
            dataset=schema.dataset,
            number=schema.number,
            digest=schema.digest,
            toml=schema.toml,
            created_at=schema.created_at,
            created_by=schema.created_by,
            code=schema.code,
        )
    )


def add_report(tx: Tx, stored: StoredCheckReport) -> None:
    tx.execute(
        insert(check_reports).values(
            id=stored.id,
            dataset=stored.dataset,
            number=stored.number,
            version=stored.version,
            passed=stored.passed,
            report=stored.report,
            created_at=stored.created_at,
        )
    )


def newest_report(tx: Tx, version: str) -> StoredCheckReport | None:
    row = tx.execute(
        select(check_reports)
        .where(check_reports.c.version == version)
        .order_by(check_reports.c.id.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else _report(row)


def reports(tx: Tx, dataset: str, *, limit: int) -> list[StoredCheckReport]:
    """Newest first."""
    rows = tx.execute(
        select(check_reports)
        .where(check_reports.c.dataset == dataset)
        .order_by(check_reports.c.id.desc())
        .limit(limit)
    )
    return [_report(row) for row in rows]


def add_quarantine(tx: Tx, kept: Quarantine) -> None:
    tx.execute(
        insert(quarantines).values(
            id=kept.id,
            dataset=kept.dataset,
            number=kept.number,
            version=kept.version,
            manifest=kept.manifest,
            row_count=kept.row_count,
            reasons=kept.reasons,
            state=kept.state.value,
            created_at=kept.created_at,
            note=kept.note,
        )
    )


def decide_quarantine(tx: Tx, decided: Quarantine) -> None:
    tx.execute(
        update(quarantines)
        .where(quarantines.c.id == decided.id)
        .values(
            state=decided.state.value,
            decided_at=decided.decided_at,
            decided_by=decided.decided_by,
            released_in=decided.released_in,
            note=decided.note,
        )
    )


def quarantine_by_id(tx: Tx, id_: str) -> Quarantine | None:
    row = tx.execute(select(quarantines).where(quarantines.c.id == id_)).one_or_none()
    return None if row is None else _quarantine(row)


def quarantine_of(tx: Tx, version: str, manifest: str) -> Quarantine | None:
    row = tx.execute(
        select(quarantines)
        .where(quarantines.c.version == version, quarantines.c.manifest == manifest)
        .limit(1)
    ).one_or_none()
    return None if row is None else _quarantine(row)


def quarantines_of(
    tx: Tx, dataset: str | None, *, state: QuarantineState | None, limit: int
) -> list[Quarantine]:
    """Newest first."""
    query = select(quarantines).order_by(quarantines.c.id.desc()).limit(limit)
    if dataset is not None:
        query = query.where(quarantines.c.dataset == dataset)
    if state is not None:
        query = query.where(quarantines.c.state == state.value)
    return [_quarantine(row) for row in tx.execute(query)]


def _quarantine(row: Row[Any]) -> Quarantine:
    return Quarantine(
        id=QuarantineId(row.id),
        dataset=row.dataset,
        number=row.number,
        version=DatasetVersionId(row.version),
        manifest=Digest(row.manifest),
        row_count=row.row_count,
        reasons=row.reasons,
        state=QuarantineState(row.state),
        created_at=row.created_at,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        released_in=DatasetVersionId(row.released_in) if row.released_in else None,
        note=row.note,
    )


def _report(row: Row[Any]) -> StoredCheckReport:
    return StoredCheckReport(
        id=CheckReportId(row.id),
        dataset=row.dataset,
        number=row.number,
        version=DatasetVersionId(row.version),
        passed=row.passed,
        report=row.report,
        created_at=row.created_at,
    )
