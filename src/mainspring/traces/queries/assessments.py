"""SQL of assessments."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, delete, select, update

from mainspring.domain.trace import Assessment, AssessmentId, AssessmentKind, SpanId, TraceId
from mainspring.kernel.codec import decode, encode_text
from mainspring.store.tables.traces import assessments
from mainspring.store.tx import Tx
from mainspring.traces.rules import number_of, storable
from mainspring.tracking.queries.pairs import IDS_AT_ONCE, chunks, insert_into


def put_assessment(tx: Tx, assessment: Assessment) -> bool:
    """Add an assessment, or replace the one of its id; False if that belongs to another trace."""
    row = {
        "id": assessment.id,
        "trace": assessment.trace,
        "span": assessment.span,
        "name": storable(assessment.name),
        "kind": assessment.kind.value,
        "source_type": storable(assessment.source_type),
        "source": storable(assessment.source),
        "created_at": assessment.created_at,
        "updated_at": assessment.updated_at,
        "value": encode_text(assessment.value),
        "number": number_of(assessment.value),
        "error": assessment.error,
        "rationale": storable(assessment.rationale) if assessment.rationale else None,
        "metadata": assessment.metadata,
        "overrides": assessment.overrides,
        "valid": assessment.valid,
    }
    new = insert_into(tx, assessments).values(row)
    kept = {name: new.excluded[name] for name in row if name not in ("id", "trace")}
    written = tx.execute(
        new.on_conflict_do_update(
            index_elements=["id"], set_=kept, where=assessments.c.trace == new.excluded.trace
        ).returning(assessments.c.id)
    )
    return written.first() is not None


def assessment(tx: Tx, trace: str, id_: str) -> Assessment | None:
    query = select(assessments).where(assessments.c.trace == trace, assessments.c.id == id_)
    row = tx.execute(query).one_or_none()
    return _assessment(row) if row else None


def assessments_of(tx: Tx, trace_ids: Sequence[str]) -> dict[str, list[Assessment]]:
    """Assessments by trace, the oldest first."""
    found: dict[str, list[Assessment]] = {id_: [] for id_ in trace_ids}
    for some in chunks(trace_ids, IDS_AT_ONCE):
        query = select(assessments).where(assessments.c.trace.in_(some))
        for row in tx.execute(query.order_by(assessments.c.created_at, assessments.c.id)):
            found[row.trace].append(_assessment(row))
    return found


def set_validity(tx: Tx, trace: str, id_: str, valid: bool) -> bool:
    """False if there is no such assessment."""
    query = update(assessments).where(assessments.c.trace == trace, assessments.c.id == id_)
    return tx.execute(query.values(valid=valid)).rowcount == 1


def delete_assessment(tx: Tx, trace: str, id_: str) -> None:
    tx.execute(delete(assessments).where(assessments.c.trace == trace, assessments.c.id == id_))


def _assessment(row: Row[Any]) -> Assessment:
    return Assessment(
        id=AssessmentId(row.id),
        trace=TraceId(row.trace),
        span=SpanId(row.span) if row.span else None,
        name=row.name,
        kind=AssessmentKind(row.kind),
        source_type=row.source_type,
        source=row.source,
        created_at=row.created_at,
        updated_at=row.updated_at,
        value=decode(row.value, Any, what="stored value"),
        error=row.error,
        rationale=row.rationale,
        metadata=row.metadata,
        overrides=AssessmentId(row.overrides) if row.overrides else None,
        valid=row.valid,
    )
