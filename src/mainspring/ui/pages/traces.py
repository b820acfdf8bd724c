"""Traces: what programs did to answer requests, and one of them span by span."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from markupsafe import Markup

from mainspring.domain.run import Experiment
from mainspring.domain.trace import Assessment, Span, SpanStatus, Trace, TraceState
from mainspring.traces.requests import GetTrace, SearchTraces
from mainspring.tracking.requests import ListExperiments
from mainspring.ui import format as fmt
from mainspring.ui import links
from mainspring.ui.answering import Asked
from mainspring.ui.charts.graph import Span as Bar
from mainspring.ui.charts.graph import span_bar
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page

_PAGE = 50
_SPANS = 500
_DEEPEST = 8
_MAX_VALUE = 20_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INPUTS, _OUTPUTS = "mlflow.spanInputs", "mlflow.spanOutputs"
# Told elsewhere on the page.
_UNSHOWN = frozenset({_INPUTS, _OUTPUTS, "mlflow.traceRequestId", "mlflow.spanType"})
_STATES = {SpanStatus.OK: "succeeded", SpanStatus.ERROR: "failed", SpanStatus.UNSET: "plain"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanLine:
    """A span in the tree, so many levels below the root, with its bar in the time of the trace."""

    span: Span
    depth: int
    seconds: float
    bar: Markup


def traces(reader: Reader, asked: Asked) -> Page:
    """Traces that match a filter, of all experiments or one, the newest first."""
    experiments = reader.ask(ListExperiments())
    chosen = next((e for e in experiments if e.id == asked.get("experiment")), None)
    ids = (chosen.id,) if chosen else tuple(experiment.id for experiment in experiments)
    # A filter that does not parse is answered by the error page, which says where it goes wrong.
    page = reader.ask(
        SearchTraces(
            experiments=ids,
            filter=asked.get("filter") or "",
            limit=_PAGE,
            page_token=asked.get("page"),
        )
    )
    here = {"experiment": chosen.id if chosen else None, "filter": asked.get("filter")}
    older = links.with_query("/traces", **here, page=page.next_token) if page.next_token else None
    return Page(
        template="traces.html",
        title="Traces",
        section="runs",
        refresh_seconds=5 if any(t.state is TraceState.IN_PROGRESS for t in page.items) else None,
        context={
            "found": page.items,
            "experiments": experiments,
            "names": _names(experiments),
            "chosen": chosen,
            "filter": asked.get("filter") or "",
            "next_address": older,
            "first_address": links.with_query("/traces", **here) if asked.get("page") else None,
        },
    )


def trace(reader: Reader, asked: Asked) -> Page:
    """One trace: its spans over time, one of them in full, and what was said of it."""
    found = reader.ask(GetTrace(trace=asked.path["trace"]))
    wanted = asked.get("span")
    experiments = reader.ask(ListExperiments())
    tree = in_tree(found.spans)
    chosen = next((span for span, _ in tree if span.id == wanted), tree[0][0] if tree else None)
    return Page(
        template="trace.html",
        title=f"Trace {found.name or fmt.short_id(found.id)}",
        section="runs",
        refresh_seconds=2 if found.state is TraceState.IN_PROGRESS else None,
        context={
            "trace": found,
            "experiment": _names(experiments).get(found.experiment, ""),
            "lines": _lines(found, tree[:_SPANS]),
            "left_out": max(0, len(tree) - _SPANS),
            "chosen": chosen,
            "inputs": _pretty(chosen.attributes.get(_INPUTS)) if chosen else "",
            "outputs": _pretty(chosen.attributes.get(_OUTPUTS)) if chosen else "",
            "attributes": _attributes(chosen) if chosen else [],
            "events": [(e, _moment(e.at_ns), _event(e.attributes)) for e in chosen.events]
            if chosen
            else [],
            "said": [(a, _short(a)) for a in found.assessments],
            "run": found.metadata.get("mlflow.sourceRun"),
        },
    )


def in_tree(spans: Sequence[Span]) -> list[tuple[Span, int]]:
    """Spans with how deep they are, each after its parent, siblings in the order in which they began.

    A span whose parent is not there stands at the top, and so does one of a ring of parents.
    """
    known = {span.id for span in spans}
    children: dict[str | None, list[Span]] = {}
    for span in sorted(spans, key=lambda span: (span.started_ns, span.id)):
        parent = span.parent if span.parent in known else None
        children.setdefault(parent, []).append(span)
    found: list[tuple[Span, int]] = []
    seen: set[str] = set()

    def walk(top: Span) -> None:
        waiting = [(top, 0)]
        while waiting:
            span, depth = waiting.pop()
            if span.id in seen:
                continue
            seen.add(span.id)
            found.append((span, depth))
            waiting += [(child, depth + 1) for child in reversed(children.get(span.id, []))]

    for span in [*children.get(None, []), *spans]:
        if span.id not in seen:
            walk(span)
    return found


def _lines(found: Trace, tree: Sequence[tuple[Span, int]]) -> list[SpanLine]:
    if not tree:
        return []
    start = min(span.started_ns for span, _ in tree)
    end = max(span.ended_ns or span.started_ns for span, _ in tree)
    lines = []
    for span, depth in tree:
        until = span.ended_ns or (end if found.state is TraceState.IN_PROGRESS else span.started_ns)
        state = _STATES[span.status] if span.ended_ns else "running"
        bar = Bar(start=_moment(span.started_ns), end=_moment(until), state=state)
        lines.append(
            SpanLine(
                span=span,
                depth=min(depth, _DEEPEST),
                seconds=(until - span.started_ns) / 1e9,
                bar=span_bar(bar, _moment(start), _moment(end), span.name),
            )
        )
    return lines


def _moment(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds / 1000)


def _names(experiments: Sequence[Experiment]) -> dict[str, str]:
    return {experiment.id: experiment.name for experiment in experiments}


def _attributes(span: Span) -> list[tuple[str, str]]:
    shown = {key: value for key, value in span.attributes.items() if key not in _UNSHOWN}
    return [(key, _pretty(value)) for key, value in sorted(shown.items())]


def _event(attributes: dict[str, Any]) -> list[tuple[str, str]]:
    return [(key, _pretty(value)) for key, value in sorted(attributes.items())]


def _short(assessment: Assessment) -> str:
    if assessment.error is not None:
        return f"{assessment.error.code}: {assessment.error.message}"
    return _pretty(assessment.value)


def _pretty(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    return text if len(text) <= _MAX_VALUE else text[:_MAX_VALUE] + "…"
