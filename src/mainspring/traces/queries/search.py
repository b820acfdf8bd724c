"""SQL of searches for traces."""

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, func, or_, select

from mainspring.domain.search import Clause, Order
from mainspring.domain.trace import Trace
from mainspring.store.search import Owned, Searchable, compare, condition, search
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
from mainspring.traces.queries.traces import hydrated_traces
from mainspring.tracking.queries.pairs import milliseconds

_Condition = ColumnElement[bool]
_OF_SPANS = ("span", "span_attribute")
_PLAIN = ("attribute", "tag", "metadata")


def search_traces(
    tx: Tx,
    *,
    experiments: Sequence[str],
    clauses: Sequence[Clause],
    order: Sequence[Order],
    limit: int,
    page_token: str | None,
) -> tuple[list[Trace], str | None]:
    """One page of traces without their spans, and the token of the next."""
    rows, token = search(
        tx,
        _traces(),
        where=[traces.c.experiment.in_(experiments), *_beside_rows(tx, clauses)],
        clauses=[clause for clause in clauses if clause.entity in _PLAIN],
        order=order,
        limit=limit,
        page_token=page_token,
    )
    return hydrated_traces(tx, rows, with_spans=False), token


def count_traces(tx: Tx, *, experiments: Sequence[str], clauses: Sequence[Clause]) -> int:
    """How many traces match."""
    target = _traces()
    of_rows = [condition(tx, target, clause) for clause in clauses if clause.entity in _PLAIN]
    query = select(func.count()).select_from(traces).where(traces.c.experiment.in_(experiments))
    return int(tx.execute(query.where(*of_rows, *_beside_rows(tx, clauses))).scalar_one())


def _beside_rows(tx: Tx, clauses: Sequence[Clause]) -> list[_Condition]:
    """The clauses about what belongs to a trace beside its own row, tags and metadata."""
    found: list[_Condition] = []
    if of_spans := [clause for clause in clauses if clause.entity in _OF_SPANS]:
        found.append(_has_span(tx, of_spans))
    for clause in clauses:
        if clause.entity in ("run", "model", "prompt"):
            found.append(_is_linked(tx, clause))
        elif clause.entity in ("feedback", "expectation"):
            found.append(_is_assessed(tx, clause))
    return found


def _traces() -> Searchable:
    started = milliseconds(traces.c.started_at)
    ended = milliseconds(traces.c.ended_at)
    return Searchable(
        table=traces,
        id=traces.c.id,
        attributes={
            "request_id": traces.c.id,
            "experiment_id": traces.c.experiment,
            "status": traces.c.state,
            "client_request_id": traces.c.client_request_id,
            "timestamp_ms": started,
            "execution_time_ms": ended - started,
            "end_time_ms": case((traces.c.ended_at.is_not(None), ended), else_=started),
        },
        sorts={"timestamp_ms": traces.c.started_at},
        owned={
            "tag": Owned(table=trace_tags, owner="trace"),
            "metadata": Owned(table=trace_metadata, owner="trace"),
        },
        tie=(
            Order(entity="attribute", key="timestamp_ms", is_descending=True),
            Order(entity="attribute", key="request_id"),
        ),
    )


def _has_span(tx: Tx, clauses: Sequence[Clause]) -> _Condition:
    """Whether one span of the trace is as all these clauses say."""
    conditions: list[_Condition] = [spans.c.trace == traces.c.id]
    for clause in clauses:
        if clause.entity == "span_attribute":
            conditions.append(
                exists(
                    select(span_attributes.c.key)
                    .where(
                        span_attributes.c.trace == spans.c.trace,
                        span_attributes.c.span == spans.c.id,
                        span_attributes.c.key == clause.key,
                        compare(tx, span_attributes.c.value, clause),
                    )
                    .correlate(spans)
                )
            )
        elif clause.key == "content":
            in_name = compare(tx, spans.c.name, clause)
            conditions.append(or_(in_name, compare(tx, spans.c.content, clause)))
        else:
            conditions.append(compare(tx, spans.c[clause.key], clause))
    return exists(select(spans.c.id).where(*conditions).correlate(traces))


def _is_linked(tx: Tx, clause: Clause) -> _Condition:
    found = and_(
        trace_links.c.trace == traces.c.id,
        trace_links.c.kind == clause.entity,
        compare(tx, trace_links.c.target, clause),
    )
    return exists(select(trace_links.c.trace).where(found).correlate(traces))


def _is_assessed(tx: Tx, clause: Clause) -> _Condition:
    of_name = and_(
        assessments.c.trace == traces.c.id,
        assessments.c.kind == clause.entity,
        assessments.c.name == clause.key,
        assessments.c.valid,
    )
    if clause.operator == "IS NULL":
        return ~_exists(of_name)
    if clause.operator == "IS NOT NULL":
        return _exists(of_name)
    return _exists(and_(of_name, _compare_value(tx, clause)))


def _compare_value(tx: Tx, clause: Clause) -> _Condition:
    """An assessment's value is JSON: a text in a filter is compared with it as JSON and as it stands."""
    value: Any = clause.value
    if isinstance(value, float):
        return compare(tx, assessments.c.number, clause)
    if clause.operator not in ("=", "!="):
        return compare(tx, assessments.c.value, clause)
    same = assessments.c.value.in_([value, json.dumps(value, ensure_ascii=False)])
    return same if clause.operator == "=" else ~same


def _exists(condition: _Condition) -> _Condition:
    return exists(select(assessments.c.id).where(condition).correlate(traces))
