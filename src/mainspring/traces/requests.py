"""What can be asked of traces."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from mainspring.domain.request import Request
from mainspring.domain.trace import (
    Assessment,
    AssessmentError,
    AssessmentKind,
    PromptLink,
    SpanBatch,
    Trace,
    TraceState,
)
from mainspring.kernel.paging import Page

GivenId = Annotated[str, Meta(min_length=1, max_length=100, pattern=r"^[A-Za-z0-9_.\-]+$")]
SomeTraces = Annotated[tuple[str, ...], Meta(max_length=1000)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ingested:
    """How many spans were kept, and why the others were not (each reason once)."""

    accepted: int
    rejected: int
    why: tuple[str, ...] = ()


class IngestSpans(Request[Ingested], frozen=True, kw_only=True):
    """Keep spans as their programs export them; a span that comes again replaces itself.

    A trace begins to be with its first span. `run` is a run that the traces belong to.
    """

    experiment: str
    batches: tuple[SpanBatch, ...]
    run: str | None = None


class GivenAssessment(msgspec.Struct, frozen=True, kw_only=True):
    """An assessment as somebody makes it; an id is made up where there is none."""

    name: Annotated[str, Meta(min_length=1, max_length=250)]
    kind: AssessmentKind
    value: Any = None
    source_type: Annotated[str, Meta(max_length=100)] = "CODE"
    source: Annotated[str, Meta(max_length=500)] = ""
    span: Annotated[str, Meta(max_length=16)] | None = None
    error: AssessmentError | None = None
    rationale: str | None = None
    metadata: dict[str, str] = {}
    overrides: str | None = None
    valid: bool = True
    created_at: datetime | None = None
    id: GivenId | None = None


class TellTrace(Request[Trace], frozen=True, kw_only=True):
    """Say how a trace went as a whole; what is said here is not changed by spans that come later."""

    trace: GivenId
    experiment: str
    state: TraceState
    started_at: datetime
    ended_at: datetime | None = None
    client_request_id: Annotated[str, Meta(max_length=250)] | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    tags: dict[str, str] = {}
    metadata: dict[str, str] = {}
    assessments: tuple[GivenAssessment, ...] = ()


class GetTrace(Request[Trace], frozen=True, kw_only=True):
    """One trace with its spans, the root first, then in the order in which they began."""

    trace: str


class GetTraces(Request[tuple[Trace, ...]], frozen=True, kw_only=True):
    """Those of some traces that there are, in the order asked for; with their spans if asked."""

    traces: SomeTraces
    with_spans: bool = False


class SearchTraces(Request[Page[Trace]], frozen=True, kw_only=True):
    """Traces that match a filter in MLflow's search grammar, without their spans; the newest first by default."""

    experiments: tuple[str, ...]
    filter: str = ""
    order_by: tuple[str, ...] = ()
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    page_token: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correlation:
    """How often two filters match the same traces: counts, and their normalised pointwise mutual information.

    That is 1 if they always come together, 0 if one says nothing of the other, -1 if they never do; NaN if one
    matches nothing. `smoothed` adds half a trace to each case, for few traces.
    """

    total: int
    first: int
    second: int
    both: int
    npmi: float
    smoothed: float


class CorrelateTraces(Request[Correlation], frozen=True, kw_only=True):
    """Whether traces that match one filter tend to match another, of those that match `among`."""

    experiments: tuple[str, ...]
    first: str
    second: str
    among: str = ""


class TagTrace(Request[None], frozen=True, kw_only=True):
    """Set tags of a trace, and remove others; raises `NotFound` for a tag to remove that it lacks."""

    trace: str
    tags: dict[str, str] = {}
    removed: tuple[str, ...] = ()


class LinkTraces(Request[None], frozen=True, kw_only=True):
    """Say that traces belong to a run."""

    run: str
    traces: Annotated[tuple[str, ...], Meta(max_length=100)]


class LinkPrompts(Request[None], frozen=True, kw_only=True):
    """Say which versions of prompts a trace used."""

    trace: str
    prompts: Annotated[tuple[PromptLink, ...], Meta(max_length=100)]


class DeleteTraces(Request[int], frozen=True, kw_only=True):
    """Delete traces of an experiment for good: those named, or those that began until an instant.

    `limit` takes the oldest only. Answers how many were deleted.
    """

    experiment: str
    traces: SomeTraces = ()
    until: datetime | None = None
    limit: Annotated[int, Meta(ge=1)] | None = None


class Assess(Request[Assessment], frozen=True, kw_only=True):
    """Say what is thought of a trace or of one of its spans, or what its answer should have been."""

    trace: str
    assessment: GivenAssessment


class GetAssessment(Request[Assessment], frozen=True, kw_only=True):
    """One assessment of a trace."""

    trace: str
    assessment: str


class ChangeAssessment(Request[Assessment], frozen=True, kw_only=True):
    """Correct an assessment; what is UNSET stays as it is, and metadata is added to what there is."""

    trace: str
    assessment: str
    name: Annotated[str, Meta(min_length=1, max_length=250)] | msgspec.UnsetType = msgspec.UNSET
    value: Any = msgspec.UNSET
    error: AssessmentError | msgspec.UnsetType | None = msgspec.UNSET
    rationale: str | msgspec.UnsetType | None = msgspec.UNSET
    metadata: dict[str, str] = {}


class DeleteAssessment(Request[None], frozen=True, kw_only=True):
    """Delete an assessment; one that it took the place of counts again. Deleting it twice changes nothing."""

    trace: str
    assessment: str
