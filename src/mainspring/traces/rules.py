"""What spans say of their trace, and what names and values traces keep. Pure."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from mainspring.domain.trace import Attributes, Span, SpanBatch, SpanStatus, TraceState
from mainspring.kernel.codec import encode_text
from mainspring.kernel.errors import Invalid

MAX_KEY = 250
MAX_TAG_VALUE = 8000
MAX_METADATA_VALUE = 8000
MAX_PREVIEW = 1000
MAX_NAME = 2000
MAX_SEARCHED = 1000
"""How much of an attribute searches look at; all of it is in the span's content."""

_ID = re.compile(r"[A-Za-z0-9_.\-]{1,100}\Z")
_SPAN_ID = re.compile(r"[0-9a-f]{16}\Z")
_MAX_INT64 = 2**63 - 1
_INPUTS, _OUTPUTS = "mlflow.spanInputs", "mlflow.spanOutputs"
_TAG_PREFIX = "mlflow.traceTag."
# The same in every span of a trace, or known from elsewhere: nobody searches for them.
UNSEARCHED = frozenset({"mlflow.traceRequestId"})
# Attributes of spans that say something of the whole trace.
_METADATA_OF = {
    "session.id": "mlflow.trace.session",
    "gen_ai.conversation.id": "mlflow.trace.session",
    "user.id": "mlflow.trace.user",
}
# What OpenTelemetry's libraries say of themselves.
_OWN_RESOURCES = ("telemetry.sdk.", "mlflow.")


@dataclass(slots=True)
class Summary:
    """What a batch of spans says of one trace."""

    id: str
    started_ns: int
    ended_ns: int | None = None
    state: TraceState = TraceState.IN_PROGRESS
    request_preview: str | None = None
    response_preview: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    def add(self, span: Span) -> None:
        """Take one more span into account."""
        self.started_ns = min(self.started_ns, span.started_ns)
        if span.ended_ns is not None:
            self.ended_ns = max(self.ended_ns or 0, span.ended_ns)
        for key, name in _METADATA_OF.items():
            if (said := span.attributes.get(key)) is not None:
                self.metadata.setdefault(name, as_text(said)[:MAX_METADATA_VALUE])
        if span.parent is None and span.ended_ns is not None:
            self._add_root(span)

    def _add_root(self, span: Span) -> None:
        failed = span.status is SpanStatus.ERROR
        self.state = TraceState.ERROR if failed else TraceState.OK
        self.request_preview = _preview(span.attributes.get(_INPUTS))
        self.response_preview = _preview(span.attributes.get(_OUTPUTS))
        for key, value in span.attributes.items():
            if key.startswith(_TAG_PREFIX) and 0 < len(key) - len(_TAG_PREFIX) <= MAX_KEY:
                self.tags[storable(key.removeprefix(_TAG_PREFIX))] = as_text(value)[:MAX_TAG_VALUE]


def summaries_of(batches: Iterable[SpanBatch]) -> dict[str, Summary]:
    """What spans say of their traces, by trace, in the order of their ids."""
    found: dict[str, Summary] = {}
    for batch in batches:
        tags = _tags_of(batch.resource)
        for span in batch.spans:
            summary = found.get(span.trace)
            if summary is None:
                summary = Summary(id=span.trace, started_ns=span.started_ns, tags=dict(tags))
                found[span.trace] = summary
            summary.add(span)
    return {id_: found[id_] for id_ in sorted(found)}


def searched_attributes(span: Span) -> dict[str, str]:
    """A span's attributes as searches see them: as text, cut.

    >>> span = Span(trace="tr-1", id="1", parent=None, name="a", started_ns=1, ended_ns=2,
    ...             attributes={"k": 3, "on": True, "of": ["a"], "store": "wiki"})
    >>> searched_attributes(span)
    {'k': '3', 'on': 'true', 'of': '["a"]', 'store': 'wiki'}
    """
    return {
        storable(key[:MAX_KEY]): as_text(value)[:MAX_SEARCHED]
        for key, value in span.attributes.items()
        if key not in UNSEARCHED
    }


def as_text(value: Any) -> str:
    """A value as text that every database holds: text as it is, all else as JSON."""
    return storable(value if isinstance(value, str) else encode_text(value))


def storable(text: str) -> str:
    """Text without what PostgreSQL can't hold."""
    return text.replace("\0", "�") if "\0" in text else text


def check_id(id_: str) -> None:
    """Raise `Invalid` unless a trace may have this id.

    >>> check_id("tr-4bf92f3577b34da6a3ce929d0e0e4736")
    """
    if not _ID.match(id_):
        raise Invalid(
            f"Invalid value {id_[:40]!r} for parameter 'trace_id' supplied: it may have 1 to 100 "
            "letters, digits, dots, dashes and underscores."
        )


def check_span(span: Span) -> None:
    """Raise `Invalid` unless a span can be kept."""
    check_id(span.trace)
    if not _SPAN_ID.match(span.id) or (span.parent and not _SPAN_ID.match(span.parent)):
        raise Invalid(f"a span's id has 16 hex digits, not {span.id[:40]!r}")
    if not 0 < span.started_ns <= (span.ended_ns or _MAX_INT64) <= _MAX_INT64:
        raise Invalid(f"the span {span.id} ends before it starts, or beyond the calendar")
    check_text("a span's type", span.type, 100)


def check_text(what: str, text: str | None, limit: int) -> None:
    """Raise `Invalid` for a text that is longer than its column."""
    if text is not None and len(text) > limit:
        raise Invalid(f"{what} may have {limit} characters, this one has {len(text)}")


def checked_pairs(kind: str, pairs: Mapping[str, str], limit: int) -> dict[str, str]:
    """Tags or metadata with their keys checked, in the order of their keys, over-long values cut."""
    for key in pairs:
        if not 0 < len(key) <= MAX_KEY:
            raise Invalid(
                f"{kind} name {key[:40]!r} has {len(key)} characters; it may have 1 to {MAX_KEY}"
            )
    return {storable(key): storable(pairs[key])[:limit] for key in sorted(pairs)}


def number_of(value: Any) -> float | None:
    """The number that an assessment's value is, if it is one.

    >>> number_of(3), number_of(True), number_of("3")
    (3.0, None, None)
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value)


def _preview(value: Any) -> str | None:
    if value is None:
        return None
    text = storable(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= MAX_PREVIEW else text[: MAX_PREVIEW - 3] + "..."


def _tags_of(resource: Attributes) -> dict[str, str]:
    return {
        storable(key): as_text(value)[:MAX_TAG_VALUE]
        for key, value in resource.items()
        if 0 < len(key) <= MAX_KEY and not key.startswith(_OWN_RESOURCES)
    }
