"""Assessments: what people and programs say of a trace."""

from dataclasses import replace

import msgspec

from mainspring.domain.event import TrackingChanged
from mainspring.domain.trace import Assessment, AssessmentId, AssessmentKind, SpanId, TraceId
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.store.tx import Tx
from mainspring.traces import rules
from mainspring.traces.queries import assessments as queries
from mainspring.traces.read import require_trace
from mainspring.traces.requests import (
    Assess,
    ChangeAssessment,
    DeleteAssessment,
    GetAssessment,
    GivenAssessment,
)


def assess(tx: Tx, request: Assess) -> Assessment:
    """Say something of a trace; what it overrides no longer counts."""
    require_trace(tx, request.trace)
    return add_assessment(tx, request.trace, request.assessment)


def add_assessment(tx: Tx, trace: str, given: GivenAssessment) -> Assessment:
    """Add an assessment to a trace that there is; one of the same id is replaced."""
    rules.check_text("an assessment's name", given.name, rules.MAX_KEY)
    made = given.created_at or tx.now
    assessment = Assessment(
        id=AssessmentId(given.id or "a-" + tx.new_id("a").removeprefix("a_")),
        trace=TraceId(trace),
        span=SpanId(given.span) if given.span else None,
        name=given.name,
        kind=given.kind,
        source_type=given.source_type,
        source=given.source,
        created_at=made,
        updated_at=made,
        value=given.value,
        error=given.error,
        rationale=given.rationale,
        metadata=given.metadata,
        overrides=AssessmentId(given.overrides) if given.overrides else None,
        valid=given.valid,
    )
    if assessment.overrides and not queries.set_validity(tx, trace, assessment.overrides, False):
        raise _no_assessment(trace, assessment.overrides)
    if not queries.put_assessment(tx, assessment):
        raise Invalid(f"Assessment with ID '{assessment.id}' belongs to another trace.")
    return assessment


def get_assessment(tx: Tx, request: GetAssessment) -> Assessment:
    """One assessment; raises `NotFound`."""
    return _assessment_of(tx, request.trace, request.assessment)


def change_assessment(tx: Tx, request: ChangeAssessment) -> Assessment:
    """Correct an assessment; who made it, of what, and when stays as it is."""
    before = _assessment_of(tx, request.trace, request.assessment)
    changed = replace(before, updated_at=tx.now, metadata={**before.metadata, **request.metadata})
    if request.name is not msgspec.UNSET:
        rules.check_text("an assessment's name", request.name, rules.MAX_KEY)
        changed = replace(changed, name=request.name)
    if request.value is not msgspec.UNSET:
        changed = replace(changed, value=request.value)
    if request.error is not msgspec.UNSET:
        changed = replace(changed, error=request.error)
    if request.rationale is not msgspec.UNSET:
        changed = replace(changed, rationale=request.rationale)
    if changed.kind is AssessmentKind.EXPECTATION and changed.value is None:
        raise Invalid("an expectation says what was expected: it needs a value")
    queries.put_assessment(tx, changed)
    what = f"{before.kind.value} changed"
    tx.emit(TrackingChanged(id=request.trace, what=what, why=before.name))
    return changed


def delete_assessment(tx: Tx, request: DeleteAssessment) -> None:
    """Delete an assessment; the one it took the place of counts again."""
    require_trace(tx, request.trace)
    before = queries.assessment(tx, request.trace, request.assessment)
    if before is None:
        return
    queries.delete_assessment(tx, request.trace, request.assessment)
    if before.overrides:
        queries.set_validity(tx, request.trace, before.overrides, True)
    what = f"{before.kind.value} deleted"
    tx.emit(TrackingChanged(id=request.trace, what=what, why=before.name))


def _assessment_of(tx: Tx, trace: str, id_: str) -> Assessment:
    found = queries.assessment(tx, trace, id_)
    if found is None:
        require_trace(tx, trace)
        raise _no_assessment(trace, id_)
    return found


def _no_assessment(trace: str, id_: str) -> NotFound:
    return NotFound(
        f"Assessment with ID '{id_[:100]}' not found for trace '{trace[:100]}'",
        code="no_such_assessment",
    )
