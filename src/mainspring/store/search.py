"""Searches as SQL: the clauses and orders of `domain/search.py` over any table, in pages cut at a key.

A page's token holds the sort values of its last row, so that deep pages cost no more than the first and
rows that are written meanwhile neither repeat nor hide others.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    ColumnElement,
    FromClause,
    Row,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
)

from mainspring.domain.search import Clause, Order
from mainspring.kernel.digests import digest_of_parts
from mainspring.kernel.errors import Invalid
from mainspring.kernel.paging import Key, key_of, token_of
from mainspring.store.patterns import check_pattern
from mainspring.store.tx import Tx

_Expression = ColumnElement[Any]

IS_NOT = "IS NOT"
"""No word of the grammar: unlike `!=` it is also true of what lacks the key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A table with rows of `owner`: keys with values, or (for datasets) columns named in `fields`."""

    table: FromClause
    owner: str
    fields: Mapping[str, _Expression] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Searchable:
    """What is searched: rows of `table`, their attributes as expressions, and what belongs to them.

    `tie` are the fields that every order ends with, the last of which is unique.
    """

    table: FromClause
    id: _Expression
    attributes: Mapping[str, _Expression]
    owned: Mapping[str, Owned] = field(default_factory=dict)
    tie: tuple[Order, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    expression: _Expression
    is_descending: bool = False


def search(
    tx: Tx,
    target: Searchable,
    *,
    where: Sequence[_Expression],
    clauses: Sequence[Clause],
    order: Sequence[Order],
    limit: int,
    page_token: str | None,
) -> tuple[list[Row[Any]], str | None]:
    """The rows of one page, and the token of the next; raises `Invalid` for a token of another search."""
    ties = [o for o in target.tie if (o.entity, o.key) not in {(e.entity, e.key) for e in order}]
    source, terms = _terms(target, [*order, *ties])
    labels = [f"sort_{number}" for number in range(len(terms))]
    query = (
        select(
            *target.table.c,
            *(term.expression.label(name) for name, term in zip(labels, terms, strict=True)),
        )
        .select_from(source)
        .where(*where, *(condition(tx, target, clause) for clause in clauses))
    )
    search_digest = _digest(clauses, order)
    if page_token is not None:
        query = query.where(_after(terms, _values(page_token, search_digest, len(terms))))
    rows = list(tx.execute(_ordered(query, terms).limit(limit + 1)))
    if len(rows) <= limit:
        return rows, None
    page = rows[:limit]
    key: Key = [search_digest, *(_storable(getattr(page[-1], name)) for name in labels)]
    return page, token_of(key)


def condition(tx: Tx, target: Searchable, clause: Clause) -> _Expression:
    """One clause as a condition on the target's rows."""
    if clause.entity == "attribute":
        return compare(tx, target.attributes[clause.key], clause)
    owned = target.owned[clause.entity]
    table = owned.table
    found = table.c[owned.owner] == target.id
    if clause.key in owned.fields:
        return exists().where(found, compare(tx, owned.fields[clause.key], clause))
    found = and_(found, table.c.key == clause.key)
    if clause.operator == "IS NULL":
        return ~exists().where(found)
    if clause.operator == "IS NOT NULL":
        return exists().where(found)
    if clause.operator == IS_NOT:
        return ~exists().where(found, table.c.value == clause.value)
    return exists().where(found, compare(tx, table.c.value, clause))


def compare(tx: Tx, left: _Expression, clause: Clause) -> _Expression:
    """`left operator value`, the same on both databases."""
    value = clause.value
    match clause.operator, value:
        case "LIKE", str():
            return _like(tx, left, value)
        case "ILIKE", str():
            return func.lower(left).like(func.lower(_pattern(value)), escape="\\")
        case "RLIKE", str():
            return _found_in(tx, left, value)
        case "IN", tuple():
            return left.in_(value)
        case "NOT IN", tuple():
            return left.not_in(value)
        case _:
            return left.op(clause.operator, is_comparison=True)(value)


def _like(tx: Tx, left: _Expression, pattern: str) -> _Expression:
    if not tx.is_sqlite:
        return left.like(_pattern(pattern), escape="\\")
    # SQLite's LIKE ignores case; its GLOB does not, and has other signs.
    signs = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    glob = "".join(signs.get(letter, letter) for letter in pattern)
    return left.op("GLOB", is_comparison=True)(glob)


def _found_in(tx: Tx, left: _Expression, pattern: str) -> _Expression:
    check_pattern(pattern)
    if tx.is_sqlite:
        return func.matches(pattern, left)
    return left.op("~", is_comparison=True)(pattern)


def _pattern(text: str) -> str:
    # A backslash means itself in MLflow's grammar.
    return text.replace("\\", "\\\\")


def _terms(target: Searchable, order: Sequence[Order]) -> tuple[FromClause, list[_Term]]:
    """The source with what has to be joined for sorting, and the terms: none of them is ever NULL."""
    source, terms = target.table, []
    for each in order:
        if each.entity == "attribute":
            value, rank = target.attributes[each.key], None
        else:
            owned = target.owned[each.entity]
            table = owned.table.alias()
            match = and_(table.c[owned.owner] == target.id, table.c.key == each.key)
            source = source.outerjoin(table, match)
            # A metric that is there and NULL is NaN: after the numbers, before what is lacking.
            value, rank = table.c.value, case((table.c.key.is_(None), 2), else_=1)
        terms.append(
            _Term(expression=case((value.is_not(None), 0), else_=rank if rank is not None else 1))
        )
        neutral = literal("") if value.type.python_type is str else literal(0)
        terms.append(
            _Term(expression=func.coalesce(value, neutral), is_descending=each.is_descending)
        )
    return source, terms


def _ordered(query: Select[Any], terms: Sequence[_Term]) -> Select[Any]:
    return query.order_by(
        *(term.expression.desc() if term.is_descending else term.expression for term in terms)
    )


def _after(terms: Sequence[_Term], values: Sequence[Any]) -> _Expression:
    """Whether a row comes after the one with these sort values."""
    ways: list[_Expression] = []
    same: list[_Expression] = []
    for term, value in zip(terms, values, strict=True):
        here = term.expression
        ways.append(and_(*same, here < value if term.is_descending else here > value))
        same.append(here == value)
    return or_(*ways)


def _digest(clauses: Sequence[Clause], order: Sequence[Order]) -> str:
    return digest_of_parts([repr(tuple(clauses)), repr(tuple(order))])[7:23]


def _storable(value: Any) -> str | int | float | None:
    # JSON has no infinities; no text that is stored holds a zero byte.
    if isinstance(value, float) and math.isinf(value):
        return "\0inf" if value > 0 else "\0-inf"
    plain: str | int | float | None = value
    return plain


def _values(token: str, search_digest: str, count: int) -> list[Any]:
    key = key_of(token)
    if len(key) != count + 1 or key[0] != search_digest:
        raise Invalid(
            "this page token belongs to another search",
            code="bad_page_token",
            hint="Repeat the filter and the order that it came with.",
        )
    return [float(str(v)[1:]) if v in ("\0inf", "\0-inf") else v for v in key[1:]]
