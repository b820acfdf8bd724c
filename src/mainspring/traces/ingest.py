"""Spans: keeping them as they come, and the traces that they begin."""

from mainspring.store.tx import Tx
from mainspring.traces import rules
from mainspring.traces.queries import spans, traces
from mainspring.traces.requests import Ingested, IngestSpans
from mainspring.tracking.experiments import active_experiment
from mainspring.tracking.runs import require_active_run

_MODEL = "mlflow.modelId"


def ingest_spans(tx: Tx, request: IngestSpans) -> Ingested:
    """Keep spans; those of a trace that another experiment has are rejected, the others kept.

    What they say of their trace is added to what is known of it, and changes nothing of that.
    """
    every = [span for batch in request.batches for span in batch.spans]
    for span in every:
        rules.check_span(span)
    experiment = active_experiment(tx, request.experiment)
    if request.run:
        require_active_run(tx, request.run)
    summaries = rules.summaries_of(request.batches)
    if not summaries:
        return Ingested(accepted=0, rejected=0)
    traces.merge_summaries(tx, experiment.id, summaries.values())
    homes = traces.experiments_of(tx, list(summaries))
    ours = {id_ for id_, home in homes.items() if home == experiment.id}
    kept = [span for span in every if span.trace in ours]
    spans.put_spans(tx, spans.distinct(kept))
    traces.add_tags(tx, {id_: summaries[id_].tags for id_ in ours})
    traces.add_metadata(tx, {id_: summaries[id_].metadata for id_ in ours})
    if request.run:
        traces.add_links(tx, "run", [(id_, request.run) for id_ in ours])
    traces.add_links(
        tx,
        "model",
        {
            (span.trace, span.attributes[_MODEL][:600])
            for span in kept
            if isinstance(span.attributes.get(_MODEL), str)
        },
    )
    foreign = sorted(set(summaries) - ours)
    why = tuple(f"Trace with ID '{id_}' already exists in another experiment." for id_ in foreign)
    return Ingested(accepted=len(kept), rejected=len(every) - len(kept), why=why)
