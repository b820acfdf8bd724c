"""Assessments: feedback on traces, and what their answers should have been."""

from datetime import datetime
from typing import Any

import msgspec

from mainspring.api.mlflow.handle import Call
from mainspring.api.mlflow.trace_json import assessment_json
from mainspring.api.mlflow.wire import Json, Params
from mainspring.app import App
from mainspring.domain.trace import Assessment, AssessmentError, AssessmentKind
from mainspring.kernel.codec import convert, decode
from mainspring.kernel.errors import Invalid
from mainspring.traces.requests import (
    Assess,
    ChangeAssessment,
    DeleteAssessment,
    GetAssessment,
    GivenAssessment,
)


def create(app: App, params: Params) -> Json:
    """Say something of a trace."""
    given = given_assessment(params.item("assessment"))
    return _answer(app.call(Assess(trace=params.text("trace_id"), assessment=given)))


def get(app: App, params: Params) -> Json:
    """One assessment."""
    trace, assessment = params.text("trace_id"), params.text("assessment_id")
    return _answer(app.call(GetAssessment(trace=trace, assessment=assessment)))


def change(app: App, params: Params) -> Json:
    """Change the fields that `update_mask` names."""
    given = params.item("assessment")
    mask = _mask(params)
    kind = _kind_of(given) if mask & {"feedback", "expectation"} else None
    has_value = kind is not None
    before = app.call(
        GetAssessment(trace=params.text("trace_id"), assessment=params.text("assessment_id"))
    )
    if kind is not None and kind is not before.kind:
        raise Invalid(f"Cannot update {kind.value} value on a {before.kind.value} assessment.")
    return _answer(
        app.call(
            ChangeAssessment(
                trace=before.trace,
                assessment=before.id,
                name=given.text("assessment_name") if "assessment_name" in mask else msgspec.UNSET,
                value=_value_of(given, before.kind) if has_value else msgspec.UNSET,
                error=_error_of(given) if kind is AssessmentKind.FEEDBACK else msgspec.UNSET,
                rationale=given.optional_text("rationale") or None
                if "rationale" in mask
                else msgspec.UNSET,
                metadata=given.mapping("metadata") if "metadata" in mask else {},
            )
        )
    )


def delete(app: App, params: Params) -> Json:
    """Delete an assessment."""
    trace, assessment = params.text("trace_id"), params.text("assessment_id")
    app.call(DeleteAssessment(trace=trace, assessment=assessment))
    return {}


def given_assessment(given: Params) -> GivenAssessment:
    """An assessment as a client sends it."""
    kind = _kind_of(given)
    source = given.item("source") if given.has("source") else Params({})
    made = given.optional_text("create_time")
    return convert(
        {
            "id": given.optional_text("assessment_id") or None,
            "name": given.text("assessment_name"),
            "kind": kind,
            "value": _value_of(given, kind),
            "error": _error_of(given) if kind is AssessmentKind.FEEDBACK else None,
            "source_type": source.optional_text("source_type", "CODE"),
            "source": source.optional_text("source_id"),
            "span": given.optional_text("span_id") or None,
            "rationale": given.optional_text("rationale") or None,
            "metadata": given.mapping("metadata"),
            "overrides": given.optional_text("overrides") or None,
            "valid": given.flag("valid", True),
            "created_at": _instant(made) if made else None,
        },
        GivenAssessment,
        what="assessment",
    )


def _mask(params: Params) -> set[str]:
    # Protobuf writes a field mask in one string, in camel case.
    names = params.optional_text("update_mask").split(",")
    return {"assessment_name" if name == "assessmentName" else name for name in names}


def _kind_of(given: Params) -> AssessmentKind:
    for kind in AssessmentKind:
        if given.has(kind.value):
            return kind
    raise Invalid(
        "Unknown assessment type: one of `feedback` and `expectation` must be given.",
        hint="Issues are not kept here.",
    )


def _value_of(given: Params, kind: AssessmentKind) -> Any:
    inner = given.item(kind.value)
    if kind is AssessmentKind.EXPECTATION and inner.has("serialized_value"):
        return decode(inner.item("serialized_value").text("value"), Any, what="expectation")
    value = inner.anything("value")
    if kind is AssessmentKind.EXPECTATION and value is None:
        raise Invalid("Missing value for required parameter 'assessment.expectation.value'.")
    return value


def _error_of(given: Params) -> AssessmentError | None:
    inner = given.item("feedback")
    if not inner.has("error"):
        return None
    error = inner.item("error")
    return AssessmentError(
        code=error.optional_text("error_code"),
        message=error.optional_text("error_message"),
        stack_trace=error.optional_text("stack_trace"),
    )


def _instant(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(
            f"Invalid value {text[:40]!r} for parameter 'create_time' supplied."
        ) from error
    return found.astimezone()


def _answer(found: Assessment) -> Json:
    return {"assessment": assessment_json(found)}


_ALL = "/traces/{trace_id}/assessments"
_ONE = _ALL + "/{assessment_id}"

CALLS = (
    Call(method="POST", path=_ALL, handler=create),
    Call(method="GET", path=_ONE, handler=get),
    Call(method="PATCH", path=_ONE, handler=change),
    Call(method="DELETE", path=_ONE, handler=delete),
)
