"""Traces as a whole: what their programs tell of them, their tags and links."""

from mainspring.domain.event import TrackingChanged
from mainspring.domain.trace import Trace, TraceId
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.store.tx import Tx
from mainspring.traces import rules
from mainspring.traces.assess import add_assessment
from mainspring.traces.queries import traces as queries
from mainspring.traces.read import require_trace, trace_of
from mainspring.traces.requests import (
    DeleteTraces,
    LinkPrompts,
    LinkTraces,
    TagTrace,
    TellTrace,
)
from mainspring.tracking.artifacts import root_of_trace
from mainspring.tracking.experiments import active_experiment, experiment_of
from mainspring.tracking.queries.artifacts import forget_roots
from mainspring.tracking.runs import run_of

_SOURCE_RUN, _MODEL = "mlflow.sourceRun", "mlflow.modelId"
_MAX_TARGET = 600


def tell_trace(tx: Tx, request: TellTrace) -> Trace:
    """Say how a trace went; raises `Invalid` if another experiment has a trace of that id."""
    experiment = active_experiment(tx, request.experiment)
    rules.check_id(request.trace)
    rules.check_text("client_request_id", request.client_request_id, 250)
    if request.ended_at is not None and request.ended_at < request.started_at:
        raise Invalid("a trace can't end before it starts")
    trace = Trace(
        id=TraceId(request.trace),
        experiment=experiment.id,
        state=request.state,
        started_at=request.started_at,
        ended_at=request.ended_at,
        client_request_id=_storable(request.client_request_id),
        request_preview=_storable(request.request_preview),
        response_preview=_storable(request.response_preview),
        tags=rules.checked_pairs("tag", request.tags, rules.MAX_TAG_VALUE),
        metadata=rules.checked_pairs("metadata", request.metadata, rules.MAX_METADATA_VALUE),
    )
    if not queries.put_trace(tx, trace):
        raise Invalid(f"Trace with ID '{trace.id}' already exists in another experiment.")
    queries.set_tags(tx, {trace.id: trace.tags})
    queries.set_metadata(tx, {trace.id: trace.metadata})
    for kind, key in (("run", _SOURCE_RUN), ("model", _MODEL)):
        if target := trace.metadata.get(key):
            queries.add_links(tx, kind, [(trace.id, target[:_MAX_TARGET])])
    for given in request.assessments:
        add_assessment(tx, trace.id, given)
    return trace_of(tx, trace.id)


def tag_trace(tx: Tx, request: TagTrace) -> None:
    """Set and remove tags; raises `NotFound` for a tag to remove that isn't there."""
    require_trace(tx, request.trace)
    tags = rules.checked_pairs("tag", request.tags, rules.MAX_TAG_VALUE)
    queries.set_tags(tx, {request.trace: tags})
    for key in request.removed:
        if not queries.remove_tag(tx, request.trace, key):
            raise NotFound(
                f"No trace tag with key '{key}' for trace with ID '{request.trace}'",
                code="no_such_tag",
            )


def link_traces(tx: Tx, request: LinkTraces) -> None:
    """Say that traces belong to a run; ids of traces that there are not change nothing."""
    run_of(tx, request.run)
    known = queries.experiments_of(tx, request.traces)
    queries.add_links(tx, "run", [(trace, request.run) for trace in known])


def link_prompts(tx: Tx, request: LinkPrompts) -> None:
    """Say which versions of prompts a trace used; a prompt need not be registered here."""
    require_trace(tx, request.trace)
    targets = {f"{each.name}/{each.version}" for each in request.prompts}
    if too_long := [target for target in targets if len(target) > _MAX_TARGET]:
        raise Invalid(f"no prompt has the name {too_long[0][:40]!r}...")
    queries.add_links(tx, "prompt", [(request.trace, target) for target in targets])


def delete_traces(tx: Tx, request: DeleteTraces) -> int:
    """Delete traces with their spans and all that was said of them; answers how many."""
    experiment_of(tx, request.experiment)
    if not request.traces and request.until is None:
        raise Invalid(
            "traces are deleted by their ids or by their age",
            hint="Name some, or an instant until which they began.",
        )
    found = queries.ids_of_experiment(
        tx,
        request.experiment,
        ids=request.traces,
        until=request.until,
        limit=request.limit,
    )
    queries.delete_traces(tx, found)
    forget_roots(tx, [root_of_trace(request.experiment, id_) for id_ in found])
    if found:
        why = f"{len(found)} of them"
        tx.emit(TrackingChanged(id=request.experiment, what="traces deleted", why=why))
    return len(found)


def _storable(text: str | None) -> str | None:
    return None if text is None else rules.storable(text)
