"""Runs: of pipelines, and those that users' own scripts tracked."""

from dataclasses import dataclass
from datetime import datetime

from mainspring.domain.pipeline import PipelineRun, PipelineRunState
from mainspring.domain.run import Experiment, Run
from mainspring.pipelines.requests import ListPipelineRuns
from mainspring.services.requests import ListServices
from mainspring.tracking.requests import ListExperiments, SearchRuns
from mainspring.ui import format as fmt
from mainspring.ui import links
from mainspring.ui.answering import Asked
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page

_METRIC_COLUMNS = 6
_PAGE = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLine:
    """A pipeline run as a list shows it."""

    run: PipelineRun
    seconds: float | None


def runs(reader: Reader, asked: Asked) -> Page:
    """Pipeline runs, or with `kind=tracked` the runs of experiments."""
    if asked.get("kind") == "tracked":
        return _tracked(reader, asked)
    states = [state.value for state in PipelineRunState]
    wanted = asked.get("state")
    state = PipelineRunState(wanted) if wanted in states else None
    found = reader.ask(ListPipelineRuns(service=asked.get("service"), state=state, limit=200))
    return Page(
        template="runs.html",
        title="Runs",
        section="runs",
        refresh_seconds=2 if any(not run.state.is_final for run in found) else None,
        context={
            "lines": [RunLine(run=run, seconds=run_seconds(run, reader.now)) for run in found],
            "services": [service.spec.name for service in reader.ask(ListServices())],
            "states": states,
            "service": asked.get("service"),
            "state": state.value if state else None,
        },
    )


def run_seconds(run: PipelineRun, now: datetime) -> float | None:
    """How long a run took, or has been going."""
    if run.started_at is None:
        return None
    return fmt.between(run.started_at, run.finished_at or now)


def _tracked(reader: Reader, asked: Asked) -> Page:
    experiments = reader.ask(ListExperiments())
    chosen = _chosen(experiments, asked.get("experiment"))
    ids = (chosen.id,) if chosen else tuple(experiment.id for experiment in experiments)
    token = asked.get("page")
    # A filter that does not parse is answered by the error page, which says where it goes wrong.
    page = reader.ask(
        SearchRuns(experiments=ids, filter=asked.get("filter") or "", limit=_PAGE, page_token=token)
    )
    names = {experiment.id: experiment.name for experiment in experiments}
    here = {
        "kind": "tracked",
        "experiment": chosen.id if chosen else None,
        "filter": asked.get("filter"),
    }
    return Page(
        template="tracked_runs.html",
        title="Tracked runs",
        section="runs",
        refresh_seconds=5 if any(run.status.value == "RUNNING" for run in page.items) else None,
        context={
            "found": page.items,
            "columns": metric_columns(list(page.items)),
            "experiments": experiments,
            "names": names,
            "chosen": chosen,
            "filter": asked.get("filter") or "",
            "next_address": links.with_query("/runs", **here, page=page.next_token)
            if page.next_token
            else None,
            "first_address": links.with_query("/runs", **here) if token else None,
        },
    )


def metric_columns(found: list[Run]) -> list[str]:
    """The metrics that most of these runs have."""
    counts: dict[str, int] = {}
    for run in found:
        for metric in run.metrics:
            counts[metric.key] = counts.get(metric.key, 0) + 1
    return sorted(counts, key=lambda key: (-counts[key], key))[:_METRIC_COLUMNS]


def _chosen(experiments: tuple[Experiment, ...], id_: str | None) -> Experiment | None:
    return next((e for e in experiments if e.id == id_), None)
