"""SQL of traces: their rows, tags, metadata and links."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, and_, case, delete, or_, select

from mainspring.domain.run import ExperimentId
from mainspring.domain.trace import Trace, TraceId, TraceState
from mainspring.store.tables.traces import (
    assessments,
    span_attributes,
    spans,
    trace_links,
    trace_metadata,
    trace_tags,
    traces,
)
from mainspring.store.tx import Tx
from mainspring.traces.queries.assessments import assessments_of
from mainspring.traces.queries.spans import span_counts, spans_of
from mainspring.traces.rules import Summary
from mainspring.tracking.queries.pairs import IDS_AT_ONCE, chunks, insert_into, pairs_of

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OPEN = (TraceState.IN_PROGRESS, TraceState.UNSPECIFIED)
_OWNED = (span_attributes, spans, assessments, trace_links, trace_metadata, trace_tags)


def merge_summaries(tx: Tx, experiment: str, summaries: Iterable[Summary]) -> None:
    """Make traces, or widen those of this experiment by what new spans say of them.

    In one statement each, so that two exporters of one trace lose nothing of each other. What its program
    has told of a trace is not changed.
    """
    new = insert_into(tx, traces)
    old, other = traces.c, new.excluded
    is_earlier = and_(~old.is_told, other.started_at < old.started_at)
    is_later = and_(~old.is_told, or_(old.ended_at.is_(None), other.ended_at > old.ended_at))
    is_open = or_(*(old.state == state.value for state in _OPEN))
    tx.execute(
        new.on_conflict_do_update(
            index_elements=["id"],
            set_={
                "started_at": case((is_earlier, other.started_at), else_=old.started_at),
                "ended_at": case((is_later, other.ended_at), else_=old.ended_at),
                "state": case((is_open, other.state), else_=old.state),
                "request_preview": _first(old.request_preview, other.request_preview),
                "response_preview": _first(old.response_preview, other.response_preview),
            },
            where=old.experiment == other.experiment,
        ),
        [_merged_row(experiment, summary) for summary in summaries],
    )


def _first(here: ColumnElement[Any], there: ColumnElement[Any]) -> ColumnElement[Any]:
    return case((here.is_(None), there), else_=here)


def _merged_row(experiment: str, summary: Summary) -> dict[str, Any]:
    return {
        "id": summary.id,
        "experiment": experiment,
        "state": summary.state.value,
        "started_at": _instant(summary.started_ns),
        "ended_at": _instant(summary.ended_ns) if summary.ended_ns else None,
        "is_told": False,
        "client_request_id": None,
        "request_preview": summary.request_preview,
        "response_preview": summary.response_preview,
    }


def _instant(nanoseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=nanoseconds // 1000)


def put_trace(tx: Tx, trace: Trace) -> bool:
    """Write what a program told of a trace over what there is; False if another experiment has that id."""
    new = insert_into(tx, traces)
    other = new.excluded
    said = {
        "id": trace.id,
        "experiment": trace.experiment,
        "state": trace.state.value,
        "started_at": trace.started_at,
        "ended_at": trace.ended_at,
        "is_told": True,
        "client_request_id": trace.client_request_id,
        "request_preview": trace.request_preview,
        "response_preview": trace.response_preview,
    }
    kept = {name: other[name] for name in said if name not in ("id", "experiment")}
    for preview in ("request_preview", "response_preview"):
        kept[preview] = _first(other[preview], traces.c[preview])
    written = tx.execute(
        new.values(said)
        .on_conflict_do_update(
            index_elements=["id"], set_=kept, where=traces.c.experiment == other.experiment
        )
        .returning(traces.c.id)
    )
    return written.first() is not None


def experiments_of(tx: Tx, ids: Sequence[str]) -> dict[str, str]:
    """The experiments of those traces that there are."""
    found: dict[str, str] = {}
    for some in chunks(ids, IDS_AT_ONCE):
        query = select(traces.c.id, traces.c.experiment).where(traces.c.id.in_(some))
        found.update((row.id, row.experiment) for row in tx.execute(query))
    return found


def traces_by_id(tx: Tx, ids: Sequence[str], *, with_spans: bool) -> list[Trace]:
    """Those of these traces that there are, in this order."""
    rows = {
        row.id: row
        for some in chunks(ids, IDS_AT_ONCE)
        for row in tx.execute(select(traces).where(traces.c.id.in_(some)))
    }
    wanted = [rows[id_] for id_ in dict.fromkeys(ids) if id_ in rows]
    return hydrated_traces(tx, wanted, with_spans=with_spans)


def hydrated_traces(tx: Tx, rows: Sequence[Row[Any]], *, with_spans: bool) -> list[Trace]:
    """Rows of traces with what belongs to them, by a number of queries that does not grow with them."""
    ids = [row.id for row in rows]
    tags = pairs_of(tx, trace_tags, "trace", ids)
    metadata = pairs_of(tx, trace_metadata, "trace", ids)
    said = assessments_of(tx, ids)
    found = spans_of(tx, ids) if with_spans else {}
    counts = {id_: len(found[id_]) for id_ in ids} if with_spans else span_counts(tx, ids)
    return [
        Trace(
            id=TraceId(row.id),
            experiment=ExperimentId(row.experiment),
            state=TraceState(row.state),
            started_at=row.started_at,
            ended_at=row.ended_at,
            client_request_id=row.client_request_id,
            request_preview=row.request_preview,
            response_preview=row.response_preview,
            tags=tags[row.id],
            metadata=metadata[row.id],
            assessments=tuple(said[row.id]),
            span_count=counts.get(row.id, 0),
            spans=tuple(found.get(row.id, ())),
        )
        for row in rows
    ]


def set_tags(tx: Tx, tags: Mapping[str, Mapping[str, str]]) -> None:
    """Set tags, by trace."""
    _put_pairs(tx, trace_tags, tags, replaces=True)


def add_tags(tx: Tx, tags: Mapping[str, Mapping[str, str]]) -> None:
    """Add tags that are not there yet, by trace."""
    _put_pairs(tx, trace_tags, tags, replaces=False)


def set_metadata(tx: Tx, metadata: Mapping[str, Mapping[str, str]]) -> None:
    """Set metadata, by trace."""
    _put_pairs(tx, trace_metadata, metadata, replaces=True)


def add_metadata(tx: Tx, metadata: Mapping[str, Mapping[str, str]]) -> None:
    """Add metadata that is not there yet, by trace."""
    _put_pairs(tx, trace_metadata, metadata, replaces=False)


def _put_pairs(
    tx: Tx, table: Table, pairs: Mapping[str, Mapping[str, str]], *, replaces: bool
) -> None:
    # Always in the order of their keys, so that two writers can't wait for each other.
    rows = [
        {"trace": trace, "key": key, "value": pairs[trace][key]}
        for trace in sorted(pairs)
        for key in sorted(pairs[trace])
    ]
    if not rows:
        return
    new = insert_into(tx, table)
    newer = {"value": new.excluded.value}
    statement = (
        new.on_conflict_do_update(index_elements=["trace", "key"], set_=newer)
        if replaces
        else new.on_conflict_do_nothing()
    )
    tx.execute(statement, rows)


def remove_tag(tx: Tx, trace: str, key: str) -> bool:
    """False if there was no such tag."""
    query = delete(trace_tags).where(trace_tags.c.trace == trace, trace_tags.c.key == key)
    return tx.execute(query).rowcount == 1


def add_links(tx: Tx, kind: str, links: Iterable[tuple[str, str]]) -> None:
    """Link traces with what they belong to; a link that is there stays."""
    rows = [{"trace": trace, "kind": kind, "target": target} for trace, target in sorted(links)]
    if rows:
        tx.execute(insert_into(tx, trace_links).on_conflict_do_nothing(), rows)


def ids_of_experiment(
    tx: Tx,
    experiment: str,
    *,
    ids: Sequence[str],
    until: datetime | None,
    limit: int | None,
) -> list[str]:
    """Traces of an experiment, the oldest first: of these ids if any are given, begun until an instant."""
    query = select(traces.c.id).where(traces.c.experiment == experiment)
    if ids:
        query = query.where(traces.c.id.in_(ids))
    if until is not None:
        query = query.where(traces.c.started_at <= until)
    query = query.order_by(traces.c.started_at, traces.c.id).limit(limit)
    return list(tx.execute(query).scalars())


def delete_traces(tx: Tx, ids: Sequence[str]) -> None:
    """Delete traces with all that belongs to them."""
    for some in chunks(ids, IDS_AT_ONCE):
        for table in _OWNED:
            tx.execute(delete(table).where(table.c.trace.in_(some)))
        tx.execute(delete(traces).where(traces.c.id.in_(some)))
