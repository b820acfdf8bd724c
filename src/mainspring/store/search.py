"""Searches as SQL: the clauses and orders of `domain/search.py` over any table, in pages cut at a key.

A page's token holds the sort values of its last row, so that deep pages cost no more than the first and
rows that are written meanwhile neither repeat nor hide others.
"""

import math
from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Row,
    and_,
    exists,
    func,
    or_,
    select,
)

from mainspring.domain.search import Clause, Order
from mainspring.kernel.digests import digest_of_parts
from mainspring.kernel.errors import Invalid
from mainspring.kernel.paging import Key, key_of, token_of
from mainspring.store.parts import Part, Presence, Term, after, ordered, part_of, presences
from mainspring.store.patterns import check_pattern
from mainspring.store.searchable import Owned, Searchable
from mainspring.store.tx import Tx

__all__ = ["IS_NOT", "Owned", "Searchable", "compare", "condition", "search"]

_Expression = ColumnElement[Any]

IS_NOT = "IS NOT"
"""No word of the grammar: unlike `!=` it is also true of what lacks the key."""

# Clauses that a sorted index answers, and what is few enough to be looked at one by one.
_RANGES = frozenset({"=", "<", "<=", ">", ">="})
_FEW = 500


def search(
    tx: Tx,
    target: Searchable,
    *,
    where: Sequence[_Expression],
    scope: Sequence[_Expression] = (),
    clauses: Sequence[Clause],
    order: Sequence[Order],
    limit: int,
    page_token: str | None,
) -> tuple[list[Row[Any]], str | None]:
    """The rows of one page, and the token of the next; raises `Invalid` for a token of another search.

    What has a value in the first field of the order comes first, then what is NaN there, then what lacks it.
    These are read one after the other, so that each can be read in the order of an index.
    """
    ties = [o for o in target.tie if (o.entity, o.key) not in {(e.entity, e.key) for e in order}]
    whole = [*order, *ties]
    search_digest = _digest(clauses, order)
    reached, key = _position(page_token, search_digest) if page_token else (Presence.VALUE, None)
    clauses, few = _without_rare(tx, target, clauses)
    rows: list[Row[Any]] = []
    last = reached
    for presence in presences(target, whole[0]):
        if presence < reached or len(rows) > limit:
            continue
        part = part_of(tx, target, whole, presence)
        # The few are within the scope already, and must not be looked for through its index.
        query = part.query.where(*where, *few, *(() if part.is_scoped or few else scope))
        query = query.where(*(_in_part(tx, target, clause, part, whole[0]) for clause in clauses))
        if presence is reached and key is not None:
            query = query.where(after(part.terms, _values(key, part.terms)))
        found = list(tx.execute(ordered(query, part.terms).limit(limit + 1 - len(rows))))
        # The row before the one too many is where the next page begins.
        if found and len(rows) < limit:
            last = presence
        rows += found
    if len(rows) <= limit:
        return rows, None
    page = rows[:limit]
    names = [name for name in page[-1]._fields if name.startswith("sort_")]
    return page, token_of(
        [search_digest, int(last), *(_storable(getattr(page[-1], name)) for name in names)]
    )


def _without_rare(
    tx: Tx, target: Searchable, clauses: Sequence[Clause]
) -> tuple[Sequence[Clause], list[_Expression]]:
    """The clauses without one that few match, and the few: looking at those is quicker than any order."""
    for clause in clauses:
        owned = target.owned.get(clause.entity)
        if owned is None or owned.within is None or clause.operator not in _RANGES:
            continue
        c = owned.table.c
        query = select(c[owned.owner]).where(
            owned.within(owned.table), c.key == clause.key, compare(tx, c.value, clause)
        )
        ids = list(tx.execute(query.limit(_FEW + 1)).scalars())
        if len(ids) <= _FEW:
            others = [each for each in clauses if each is not clause]
            return others, [target.id.in_(ids)]
    return clauses, []


def _in_part(tx: Tx, target: Searchable, clause: Clause, part: Part, first: Order) -> _Expression:
    """A clause as a condition on a part's rows; one about the first field bounds the range that is read."""
    is_same = (clause.entity, clause.key) == (first.entity, first.key)
    if part.joined is None or not is_same or clause.operator.startswith("IS "):
        return condition(tx, target, clause)
    return _matches(tx, part.joined.c.value, clause)


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
    return exists().where(found, _matches(tx, table.c.value, clause))


def _matches(tx: Tx, value: _Expression, clause: Clause) -> _Expression:
    if clause.entity == "metric" and clause.operator == "!=":
        # NaN, which is NULL, differs from every number.
        return or_(value.is_(None), compare(tx, value, clause))
    return compare(tx, value, clause)


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


def _digest(clauses: Sequence[Clause], order: Sequence[Order]) -> str:
    return digest_of_parts([repr(tuple(clauses)), repr(tuple(order))])[7:23]


def _storable(value: Any) -> str | int | float | None:
    # JSON has no infinities; no text that is stored holds a zero byte.
    if isinstance(value, float) and math.isinf(value):
        return "\0inf" if value > 0 else "\0-inf"
    plain: str | int | float | None = value
    return plain


def _position(token: str, search_digest: str) -> tuple[Presence, Key]:
    """Where a page begins: in which part, and after which sort values."""
    match key_of(token):
        case [str(digest), int(presence), *values] if digest == search_digest and presence in (
            0,
            1,
            2,
        ):
            return Presence(presence), values
    raise _of_another_search()


def _values(key: Key, terms: Sequence[Term]) -> list[Any]:
    values = [float(str(v)[1:]) if v in ("\0inf", "\0-inf") else v for v in key]
    if len(values) != len(terms) or not all(map(_fits, values, terms)):
        raise _of_another_search()
    return values


def _fits(value: Any, term: Term) -> bool:
    if isinstance(value, str):
        return term.expression.type.python_type is str and "\0" not in value
    is_number = isinstance(value, float) or (isinstance(value, int) and abs(value) < 2**63)
    return is_number and term.expression.type.python_type is not str


def _of_another_search() -> Invalid:
    return Invalid(
        "this page token belongs to another search",
        code="bad_page_token",
        hint="Repeat the filter and the order that it came with.",
    )
