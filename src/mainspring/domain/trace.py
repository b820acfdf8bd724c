"""Traces: what a program did to answer one request, as a tree of timed spans, and what people said of it.

The model is OpenTelemetry's; names that OpenTelemetry lacks are MLflow's.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from mainspring.domain.run import ExperimentId

TraceId = NewType("TraceId", str)
SpanId = NewType("SpanId", str)
AssessmentId = NewType("AssessmentId", str)

Attributes = dict[str, Any]
"""Whatever a program said of a span: any JSON. What JSON can't hold is an object of one field:
`{"bytesValue": "<base64>"}` or `{"doubleValue": "NaN"}`."""


class TraceState(StrEnum):
    """MLflow's words for how a traced request ended."""

    UNSPECIFIED = "STATE_UNSPECIFIED"
    IN_PROGRESS = "IN_PROGRESS"
    OK = "OK"
    ERROR = "ERROR"


class SpanStatus(StrEnum):
    """OpenTelemetry's words for how a span ended."""

    UNSET = "UNSET"
    OK = "OK"
    ERROR = "ERROR"


class SpanKind(StrEnum):
    """OpenTelemetry's words for a span's part in a conversation of programs, in the order of their numbers."""

    UNSPECIFIED = "UNSPECIFIED"
    INTERNAL = "INTERNAL"
    SERVER = "SERVER"
    CLIENT = "CLIENT"
    PRODUCER = "PRODUCER"
    CONSUMER = "CONSUMER"


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanEvent:
    """Something that happened at one moment of a span, such as an exception."""

    name: str
    at_ns: int
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanLink:
    """A span of this or another trace that has to do with this one."""

    trace: TraceId
    span: SpanId
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One timed piece of work. Times are nanoseconds since 1970; `ended_ns` is None while it goes on."""

    trace: TraceId
    id: SpanId
    parent: SpanId | None
    name: str
    started_ns: int
    ended_ns: int | None
    type: str = "UNKNOWN"
    kind: SpanKind = SpanKind.INTERNAL
    status: SpanStatus = SpanStatus.UNSET
    status_message: str = ""
    attributes: Attributes
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanBatch:
    """Spans of one program, and what it said of itself."""

    spans: tuple[Span, ...]
    resource: Attributes


class AssessmentKind(StrEnum):
    """What an assessment is: what was thought of an answer, or what it should have been."""

    FEEDBACK = "feedback"
    EXPECTATION = "expectation"


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentError:
    """Why somebody who should have judged could not."""

    code: str
    message: str
    stack_trace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """What a person or a program said of a trace or one of its spans.

    `value` is any JSON. `overrides` is an earlier assessment that this one takes the place of; that one is
    no longer `valid`.
    """

    id: AssessmentId
    trace: TraceId
    span: SpanId | None
    name: str
    kind: AssessmentKind
    source_type: str
    source: str
    created_at: datetime
    updated_at: datetime
    value: Any
    error: AssessmentError | None = None
    rationale: str | None = None
    metadata: dict[str, str]
    overrides: AssessmentId | None = None
    valid: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class PromptLink:
    """A version of a prompt that was used."""

    name: str
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a program did to answer one request.

    `spans` is filled only where they were asked for; `span_count` always.
    """

    id: TraceId
    experiment: ExperimentId
    state: TraceState
    started_at: datetime
    ended_at: datetime | None
    client_request_id: str | None
    request_preview: str | None
    response_preview: str | None
    tags: dict[str, str]
    metadata: dict[str, str]
    assessments: tuple[Assessment, ...] = ()
    span_count: int = 0
    spans: tuple[Span, ...] = ()

    @property
    def name(self) -> str:
        """The name that it was given, if any."""
        return self.tags.get("mlflow.traceName", "")

    @property
    def expected_spans(self) -> int:
        """How many spans its program said there would be; 0 if it did not."""
        return _count_in(self.metadata.get("mlflow.trace.sizeStats", ""))


def _count_in(stats: str) -> int:
    found = re.search(r'"num_spans":\s*(\d{1,9})\b', stats)
    return int(found.group(1)) if found else 0
