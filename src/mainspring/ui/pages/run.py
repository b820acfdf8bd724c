"""One run: its graph, steps, logs, parameters, metrics and what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from mainspring.domain.actor import Permission
from mainspring.domain.model import ModelVersion
from mainspring.domain.pipeline import (
    Node,
    PipelineRun,
    StepAttempt,
    StepState,
    Wait,
    WaitKind,
)
from mainspring.domain.run import Metric, Run
from mainspring.governance.requests import ListEvents
from mainspring.kernel.errors import NotFound
from mainspring.pipelines.requests import (
    CancelRun,
    DecideWait,
    GetPipelineRun,
    ListSteps,
    ListWaits,
    ReadLogs,
)
from mainspring.tracking.requests import GetMetricHistory, GetRun, ListArtifacts
from mainspring.triggers.requests import ListCauses
from mainspring.ui import format as fmt
from mainspring.ui import links
from mainspring.ui.answering import Asked
from mainspring.ui.charts.graph import GraphNode, Span, graph_picture, span_bar
from mainspring.ui.charts.lines import LineChart, Series, line_chart
from mainspring.ui.pages.provenance import describe_code, describe_environment
from mainspring.ui.pages.runs import run_seconds
from mainspring.ui.pages.timeline import told
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page

_LOG_LINES = 500
_STEP_LINES = 200
_CHARTS = 12
_CAUSES = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class StepLine:
    """One attempt at a step, with its bar among the others."""

    attempt: StepAttempt
    seconds: float | None
    bar: Markup


def run(reader: Reader, asked: Asked) -> Page:
    """A pipeline run with its tracked side, or a run that only was tracked."""
    id_ = asked.path["run"]
    try:
        found = reader.ask(GetPipelineRun(run=id_))
    except NotFound:
        return _tracked_only(reader, id_)
    steps = reader.ask(ListSteps(run=id_))
    tracked = reader.ask(GetRun(run=id_))
    node = asked.get("node")
    node = node if any(n.has_part(node or "") for n in found.graph.nodes) else None
    lines = reader.ask(ReadLogs(run=id_, node=node, newest=True, limit=_LOG_LINES + 1))
    events = reader.ask(ListEvents(subject=id_, limit=50)).items
    return Page(
        template="run.html",
        title=f"Run {fmt.short_id(id_)}",
        section="runs",
        refresh_seconds=None if found.state.is_final else 1,
        context={
            "run": found,
            "tracked": tracked,
            "seconds": run_seconds(found, reader.now),
            "inputs": [(name, reader.dataset_version(v)) for name, v in found.inputs.items()],
            "picture": graph_picture(
                graph_nodes(reader, found, steps), f"Steps of {found.pipeline}"
            ),
            "steps": step_lines(steps[-_STEP_LINES:], found, reader.now),
            "steps_left_out": max(0, len(steps) - _STEP_LINES),
            "lines": lines[-_LOG_LINES:],
            "progress": {(ln.node, ln.attempt): ln.text for ln in lines if ln.stream == "progress"},
            "has_more_lines": len(lines) > _LOG_LINES,
            "node": node,
            "charts": metric_charts(reader, tracked),
            "code": describe_code(reader.app.blobs, found.project),
            "environment": describe_environment(reader.app.blobs, found.environment),
            "made": _made(reader, found),
            "told": told(reader, [e for e in events if e.type != "TrackingChanged"]),
            "causes": reader.ask(ListCauses(run=id_, limit=_CAUSES)).items if found.trigger else (),
            "waits": [wait for wait in reader.ask(ListWaits(run=id_)) if _is_open(wait, found)],
            "may_approve": reader.may(Permission.APPROVE),
            "may_cancel": reader.may(Permission.RUN) and not found.state.is_final,
        },
    )


def cancel(reader: Reader, asked: Asked, fields: dict[str, str]) -> str:
    """Ask the run to stop."""
    reader.ask(CancelRun(run=asked.path["run"]))
    return links.to_run(asked.path["run"])


def decide(reader: Reader, asked: Asked, fields: dict[str, str]) -> str:
    """Say yes or no to what the run waits for."""
    reader.ask(
        DecideWait(
            run=asked.path["run"],
            step=fields.get("step") or None,
            approved=fields.get("answer") == "yes",
            note=fields.get("reason", "").strip()[:2000],
        )
    )
    return links.to_run(asked.path["run"])


def _is_open(wait: Wait, found: PipelineRun) -> bool:
    return wait.kind is WaitKind.APPROVAL and not wait.is_decided and not found.state.is_final


def _tracked_only(reader: Reader, id_: str) -> Page:
    tracked = reader.ask(GetRun(run=id_))
    root = f"{tracked.experiment}/{tracked.id}/artifacts"
    return Page(
        template="tracked_run.html",
        title=tracked.name or f"Run {fmt.short_id(id_)}",
        section="runs",
        refresh_seconds=2 if tracked.status.value == "RUNNING" else None,
        context={
            "tracked": tracked,
            "charts": metric_charts(reader, tracked),
            "artifacts": reader.ask(ListArtifacts(root=root)),
        },
    )


def graph_nodes(
    reader: Reader, found: PipelineRun, steps: Sequence[StepAttempt]
) -> list[GraphNode]:
    """Datasets that go in, then steps with the state of their last attempt."""
    last = {attempt.node: attempt for attempt in steps}
    items = {node.id: _items(node, last) for node in found.graph.nodes if node.mapped}
    nodes = [_data_node(reader, name, version) for name, version in found.inputs.items()]
    return nodes + [
        _step_node(node, last.get(node.id) or items.get(node.id), found, reader.now)
        for node in found.graph.nodes
    ]


def _items(node: Node, last: Mapping[str, StepAttempt]) -> StepAttempt | None:
    """The item of a mapped step that tells most of how it is: one that failed or runs, else the newest."""
    found = [attempt for name, attempt in last.items() if node.has_part(name)]
    telling = [attempt for attempt in found if not attempt.is_done]
    return next(iter(telling or found[::-1]), None)


def _data_node(reader: Reader, name: str, version: str) -> GraphNode:
    dataset = reader.dataset_version(version)
    return GraphNode(
        id=f"data:{name}",
        label=dataset.dataset if dataset else name,
        detail=f"version {dataset.number}" if dataset else "is gone",
        state="data",
        upstream=(),
        href=links.to_dataset(dataset.dataset, dataset.number) if dataset else None,
        is_data=True,
    )


def _step_node(
    node: Node, last: StepAttempt | None, found: PipelineRun, now: datetime
) -> GraphNode:
    upstream = [
        f"data:{d.parameter}" for d in node.datasets.values() if d.parameter in found.inputs
    ]
    upstream += [n.id for n in found.graph.nodes if n.id in node.upstream]
    if last is None:
        state, detail = "waiting", "waits"
    elif last.state is StepState.CACHED:
        state, detail = "cached", "from the cache"
    else:
        state = last.state.value
        took = fmt.duration(fmt.between(last.started_at, last.finished_at or now))
        detail = took if last.state is StepState.SUCCEEDED else f"{state}, {took}"
        if last.state is StepState.SKIPPED:
            detail = state
        elif last.node != node.id:
            detail = f"{state}: item {last.node.removeprefix(node.id)}"
    return GraphNode(
        id=node.id,
        label=f"{node.id}, for each" if node.mapped else node.id,
        detail=detail,
        state=state,
        upstream=tuple(dict.fromkeys(upstream)),
        href=f"?node={node.id}#logs",
    )


def step_lines(steps: Sequence[StepAttempt], found: PipelineRun, now: datetime) -> list[StepLine]:
    """Every attempt, with a bar from its beginning to its end."""
    if not steps:
        return []
    start = min(attempt.started_at for attempt in steps)
    end = max(attempt.finished_at or now for attempt in steps)
    lines = []
    for attempt in steps:
        until = attempt.finished_at or (now if not found.state.is_final else attempt.started_at)
        span = Span(start=attempt.started_at, end=until, state=attempt.state.value)
        lines.append(
            StepLine(
                attempt=attempt,
                seconds=fmt.between(attempt.started_at, until),
                bar=span_bar(span, start, end, attempt.node),
            )
        )
    return lines


def metric_charts(reader: Reader, tracked: Run) -> list[Markup]:
    """A chart for each metric that was logged more than once."""
    charts: list[Markup] = []
    for metric in tracked.metrics[:200]:
        history = reader.ask(GetMetricHistory(run=tracked.id, key=metric.key)).items
        if len(history) > 1:
            charts.append(_metric_chart(len(charts), metric.key, history))
        if len(charts) == _CHARTS:
            break
    return charts


def _metric_chart(index: int, key: str, history: Sequence[Metric]) -> Markup:
    by_step = len({point.step for point in history}) > 1
    points: dict[float, float | None] = {}
    for point in history:
        x = float(point.step) if by_step else point.timestamp_ms / 1000
        finite = point.value == point.value and abs(point.value) != float("inf")
        points[x] = point.value if finite else None
    return line_chart(
        LineChart(
            id=f"metric-{index}",
            title=key,
            series=[Series(name=key, points=sorted(points.items()), class_="s1")],
            is_time=not by_step,
            x_name="step" if by_step else "time",
            height=170,
            from_zero=False,
            note=f"{len(history):,} points",
        )
    )


def _made(reader: Reader, found: PipelineRun) -> list[ModelVersion]:
    """The model versions registered from a run, as the events tell."""
    page = reader.ask(ListEvents(service=found.service, type="ModelVersionRegistered", limit=500))
    versions = [
        reader.version(str(event.payload.get("version")))
        for event in page.items
        if event.payload.get("run") == found.id
    ]
    return [version for version in versions if version is not None]
