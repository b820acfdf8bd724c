"""Keeping traces from elsewhere, with their spans and what was said of them."""

import json

from mainspring.domain.event import TrackingChanged
from mainspring.domain.trace import Trace, TraceState
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.store.tx import Tx
from mainspring.takeover.queries import tracking
from mainspring.takeover.requests import TakenTrace, TakeOverTraces
from mainspring.traces import rules
from mainspring.traces.queries import traces as queries
from mainspring.traces.queries.assessments import put_assessment
from mainspring.traces.queries.spans import distinct, put_spans

_OPEN = (TraceState.IN_PROGRESS, TraceState.UNSPECIFIED)
_SOURCE_RUN, _MODEL, _PROMPTS = "mlflow.sourceRun", "mlflow.modelId", "mlflow.linkedPrompts"
_MAX_TARGET = 600


def take_over_traces(tx: Tx, request: TakeOverTraces) -> int:
    """Keep traces of one experiment as they were; answers how many are new.

    What is said of a trace here stays, and spans and assessments that it lacks are added; one that was going on
    is told how it ended. Raises `Conflict` (code `run_elsewhere`) for one that another experiment here has.
    """
    if not tracking.has_experiment(tx, request.experiment):
        raise NotFound(
            f"No Experiment with id={request.experiment} exists", code="no_such_experiment"
        )
    ids = [each.trace.id for each in request.traces]
    here = {trace.id: trace for trace in queries.traces_by_id(tx, ids, with_spans=False)}
    for taken in request.traces:
        _keep(tx, request.experiment, taken, here.get(taken.trace.id))
    count = len(set(ids) - set(here))
    if count:
        why = f"{count} traces"
        tx.emit(TrackingChanged(id=request.experiment, what="traces taken over", why=why))
    return count


def _keep(tx: Tx, experiment: str, taken: TakenTrace, before: Trace | None) -> None:
    trace = taken.trace
    rules.check_id(trace.id)
    if (before or trace).experiment != experiment:
        raise Conflict(
            f"the trace {trace.id} is in another experiment, not in {experiment!r}",
            code="run_elsewhere",
            hint="Take over into a new home, or rename the experiment back.",
        )
    for span in trace.spans:
        rules.check_span(span)
    if before is None or before.state in _OPEN:
        queries.put_trace(tx, trace)
    tags = rules.checked_pairs("tag", trace.tags, rules.MAX_TAG_VALUE)
    metadata = rules.checked_pairs("metadata", trace.metadata, rules.MAX_METADATA_VALUE)
    queries.add_tags(tx, {trace.id: tags})
    queries.add_metadata(tx, {trace.id: metadata})
    put_spans(tx, distinct(trace.spans))
    known = {each.id for each in before.assessments} if before else set()
    for assessment in trace.assessments:
        if assessment.id not in known:
            put_assessment(tx, assessment)
    _link(tx, taken)


def _link(tx: Tx, taken: TakenTrace) -> None:
    trace = taken.trace
    runs = {*taken.runs, trace.metadata.get(_SOURCE_RUN, "")}
    models = {trace.metadata.get(_MODEL), *(span.attributes.get(_MODEL) for span in trace.spans)}
    prompts = {f"{name}/{version}" for name, version in _prompts(trace.tags.get(_PROMPTS, ""))}
    for kind, targets in (("run", runs), ("model", models), ("prompt", prompts)):
        links = {
            (trace.id, target[:_MAX_TARGET])
            for target in targets
            if isinstance(target, str) and target
        }
        queries.add_links(tx, kind, links)


def _prompts(text: str) -> list[tuple[str, str]]:
    """The prompts that a tag of MLflow's names; none for a tag that somebody wrote something else in."""
    try:
        found = json.loads(text) if text else []
        return [(str(each["name"]), str(each["version"])) for each in found]
    except (ValueError, TypeError, KeyError):
        return []
