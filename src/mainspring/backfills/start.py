"""Asking for a backfill."""

from mainspring.backfills import queries, rules
from mainspring.backfills.read import backfill_of
from mainspring.backfills.requests import PreviewBackfill, StartBackfill
from mainspring.domain.backfill import Backfill, BackfillPart, BackfillState
from mainspring.domain.event import BackfillChanged
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.pipelines.binding import bound_params
from mainspring.pipelines.request_run import bound_datasets
from mainspring.store.tx import Tx


def preview_backfill(tx: Tx, request: PreviewBackfill) -> tuple[BackfillPart, ...]:
    """What would become of each partition."""
    past = queries.runs_by_partition(tx, request.graph.pipeline)
    return rules.planned(rules.named(request), past, request.reprocess)


def start_backfill(tx: Tx, request: StartBackfill) -> Backfill:
    """Record what is to be run; raises what asking for its runs would raise."""
    found = preview_backfill(tx, request.what)
    graph = request.what.graph
    assert graph.partitions is not None
    if graph.partitions.parameter in request.params:
        raise Invalid(
            f"the parameter {graph.partitions.parameter} names the partition, and is given by the backfill"
        )
    bound_params(graph, {**request.params, graph.partitions.parameter: found[0].partition})
    bound_datasets(tx, graph, request.inputs)
    for digest in (request.project, request.environment):
        if not tx.blobs.exists(digest):
            raise NotFound(f"there are no bytes {digest}", code="blob_missing", hint="Store them.")
    id_ = tx.new_id("bkf")
    queries.add(
        tx,
        {
            "id": id_,
            "pipeline": graph.pipeline,
            "graph": graph,
            "params": request.params,
            "inputs": request.inputs,
            "project": request.project,
            "environment": request.environment,
            "reprocess": request.what.reprocess.value,
            "concurrency": request.concurrency,
            "state": BackfillState.RUNNING.value,
            "why": request.why,
            "asked_at": tx.now,
            "asked_by": str(tx.actor),
        },
        found,
    )
    tx.emit(BackfillChanged(backfill=id_, pipeline=graph.pipeline, what="asked for"))
    return backfill_of(tx, id_)
