"""SQL of spans."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import JSON, Row, Table, Text, cast, column, func, literal, select

from mainspring.domain.trace import (
    Attributes,
    Span,
    SpanEvent,
    SpanId,
    SpanKind,
    SpanLink,
    SpanStatus,
    TraceId,
)
from mainspring.kernel.codec import decode, encode_text
from mainspring.store.tables.traces import span_attributes, spans
from mainspring.store.tx import Tx
from mainspring.traces.rules import MAX_NAME, searched_attributes, storable
from mainspring.tracking.queries.pairs import IDS_AT_ONCE, chunks, insert_into

_KEPT_APART = ("parent", "name", "type", "status", "started_ns", "ended_ns", "content")


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What of a span has no column of its own."""

    kind: SpanKind
    status_message: str
    attributes: Attributes
    events: tuple[SpanEvent, ...]
    links: tuple[SpanLink, ...]


def put_spans(tx: Tx, found: Sequence[Span]) -> None:
    """Add spans, or replace those that are there: exporters send a batch again that got no answer."""
    if not found:
        return
    _put(tx, spans, [_row(span) for span in found], _KEPT_APART)
    pairs = [
        {"trace": span.trace, "span": span.id, "key": key, "value": value}
        for span in found
        for key, value in searched_attributes(span).items()
    ]
    if pairs:
        _put(tx, span_attributes, pairs, ("value",))


def _put(tx: Tx, table: Table, rows: list[dict[str, Any]], newer: Sequence[str]) -> None:
    """Insert rows; where a row of that key is there, its columns in `newer` become those of the new one."""
    new = insert_into(tx, table)
    names = list(rows[0])
    if not tx.is_sqlite:
        # One statement that unfolds one value: PostgreSQL takes a third of the time for it.
        given = cast(literal(encode_text(rows), Text), JSON)
        unfolded = func.json_to_recordset(given).table_valued(
            *(column(name, table.c[name].type) for name in names)
        )
        new = new.from_select(names, select(unfolded.render_derived(with_types=True)))
    changed = {name: new.excluded[name] for name in newer}
    keys = [key.name for key in table.primary_key]
    statement = new.on_conflict_do_update(index_elements=keys, set_=changed)
    tx.execute(statement, rows if tx.is_sqlite else None)


def spans_of(tx: Tx, trace_ids: Sequence[str]) -> dict[str, list[Span]]:
    """Spans by trace, the roots first, then in the order in which they began."""
    found: dict[str, list[Span]] = {id_: [] for id_ in trace_ids}
    for some in chunks(trace_ids, IDS_AT_ONCE):
        query = select(spans).where(spans.c.trace.in_(some))
        for row in tx.execute(query.order_by(spans.c.parent.is_not(None), spans.c.started_ns)):
            found[row.trace].append(_span(row))
    return found


def span_counts(tx: Tx, trace_ids: Sequence[str]) -> dict[str, int]:
    """How many spans each trace has."""
    found: dict[str, int] = {}
    for some in chunks(trace_ids, IDS_AT_ONCE):
        query = select(spans.c.trace, func.count().label("spans")).where(spans.c.trace.in_(some))
        for row in tx.execute(query.group_by(spans.c.trace)):
            found[row.trace] = row.spans
    return found


def span_exists(tx: Tx, trace: str, span: str) -> bool:
    query = select(spans.c.id).where(spans.c.trace == trace, spans.c.id == span)
    return tx.execute(query).first() is not None


def _row(span: Span) -> dict[str, Any]:
    content = Content(
        kind=span.kind,
        status_message=span.status_message,
        attributes=span.attributes,
        events=span.events,
        links=span.links,
    )
    return {
        "trace": span.trace,
        "id": span.id,
        "parent": span.parent,
        "name": storable(span.name[:MAX_NAME]),
        "type": storable(span.type),
        "status": span.status.value,
        "started_ns": span.started_ns,
        "ended_ns": span.ended_ns,
        "content": encode_text(content),
    }


def _span(row: Row[Any]) -> Span:
    content = decode(row.content, Content, what="stored span")
    return Span(
        trace=TraceId(row.trace),
        id=SpanId(row.id),
        parent=SpanId(row.parent) if row.parent else None,
        name=row.name,
        started_ns=row.started_ns,
        ended_ns=row.ended_ns,
        type=row.type,
        status=SpanStatus(row.status),
        kind=content.kind,
        status_message=content.status_message,
        attributes=content.attributes,
        events=content.events,
        links=content.links,
    )


def distinct(found: Iterable[Span]) -> list[Span]:
    """Each span once, the last that came: PostgreSQL takes no row twice in one statement."""
    return list({(span.trace, span.id): span for span in found}.values())
