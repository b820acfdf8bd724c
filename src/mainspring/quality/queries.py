"""The quality room's SQL: schemas and check reports."""

from typing import Any

from sqlalchemy import Row, insert, select

from mainspring.domain.check import CheckReportId, StoredCheckReport
from mainspring.domain.dataset import DatasetVersionId
from mainspring.domain.schema import StoredSchema
from mainspring.kernel.digests import Digest
from mainspring.store.tables.quality import check_reports, schemas
from mainspring.store.tx import Tx


def newest_schema(tx: Tx, dataset: str) -> StoredSchema | None:
    row = tx.execute(
        select(schemas)
        .where(schemas.c.dataset == dataset)
        .order_by(schemas.c.number.desc())
        .limit(1)
    ).one_or_none()
    if row is None:
        return None
    return StoredSchema(
        dataset=row.dataset,
        number=row.number,
        digest=Digest(row.digest),
        toml=row.toml,
        created_at=row.created_at,
        created_by=row.created_by,
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
