"""The order of a search, in parts that an index can be read for: what has the first field, is NaN, or lacks it.

One ORDER BY that puts NaN and what is missing last in both directions would have to compute a rank for every
row before it could answer the first. Each part by itself is a plain range of an index.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    FromClause,
    Select,
    and_,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    type_coerce,
)

from mainspring.domain.search import Order
from mainspring.store.searchable import Owned, Searchable
from mainspring.store.tx import Tx
from mainspring.store.types import Instant

_Expression = ColumnElement[Any]


class Presence(IntEnum):
    """What a row has of the first field of an order; in this sequence the parts follow each other."""

    VALUE = 0
    NAN = 1
    MISSING = 2


@dataclass(frozen=True, slots=True)
class Term:
    """One expression that rows are sorted by, never NULL."""

    expression: _Expression
    is_descending: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """The rows of one presence, and what they are sorted by.

    `is_scoped` says that the search's scope is applied already. `joined` is the first field's own row, whose
    value clauses about the same field may look at.
    """

    query: Select[Any]
    terms: tuple[Term, ...]
    is_scoped: bool = False
    joined: FromClause | None = None


def presences(target: Searchable, first: Order) -> tuple[Presence, ...]:
    """The parts that there are for a first field."""
    if first.entity != "attribute":
        if _is_text(target.owned[first.entity].table.c.value):
            return Presence.VALUE, Presence.MISSING
        return Presence.VALUE, Presence.NAN, Presence.MISSING
    if getattr(target.attributes[first.key], "nullable", True):
        return Presence.VALUE, Presence.MISSING
    return (Presence.VALUE,)


def part_of(tx: Tx, target: Searchable, order: Sequence[Order], presence: Presence) -> Part:
    """One part of a search's rows, each with its sort values labelled `sort_<number>`."""
    first, rest = order[0], order[1:]
    source: FromClause = target.table
    where: list[_Expression] = []
    terms: list[Term] = []
    joined, is_scoped = None, False
    if first.entity == "attribute":
        value = _sort(tx, target, first)
        where.append(value.is_not(None) if presence is Presence.VALUE else value.is_(None))
    else:
        owned = target.owned[first.entity]
        joined = owned.table.alias()
        mine = and_(joined.c[owned.owner] == target.id, joined.c.key == first.key)
        value = _sorted_text(tx, joined.c.value)
        if presence is Presence.MISSING:
            where.append(~exists().where(mine))
            joined = None
        else:
            source = joined.join(target.table, mine)
            where.append(value.is_not(None) if presence is Presence.VALUE else value.is_(None))
            if owned.within is not None:
                where.append(owned.within(joined))
                is_scoped = True
    if presence is Presence.VALUE:
        terms.append(Term(value, first.is_descending))
    for each in rest:
        source, more = _generic(tx, target, source, each)
        terms += more
    columns = [term.expression.label(f"sort_{number}") for number, term in enumerate(terms)]
    query = select(*target.table.c, *columns).select_from(source).where(*where)
    return Part(query, tuple(terms), is_scoped, joined)


def ordered(query: Select[Any], terms: Sequence[Term]) -> Select[Any]:
    """A query in the order of its terms."""
    return query.order_by(
        *(term.expression.desc() if term.is_descending else term.expression for term in terms)
    )


def after(terms: Sequence[Term], values: Sequence[Any]) -> _Expression:
    """Whether a row comes after the one with these sort values."""
    ways: list[_Expression] = []
    same: list[_Expression] = []
    for term, value in zip(terms, values, strict=True):
        here = term.expression
        ways.append(and_(*same, here < value if term.is_descending else here > value))
        same.append(here == value)
    first = terms[0].expression
    # Says nothing new, but is what an index can begin at.
    begins = first <= values[0] if terms[0].is_descending else first >= values[0]
    return and_(begins, or_(*ways))


def _generic(
    tx: Tx, target: Searchable, source: FromClause, order: Order
) -> tuple[FromClause, list[Term]]:
    """The source with what has to be joined to sort by a field, and its terms: a rank, then the value."""
    if order.entity == "attribute":
        value = _sort(tx, target, order)
        if not getattr(target.attributes[order.key], "nullable", True):
            return source, [Term(value, order.is_descending)]
        rank = case((value.is_not(None), 0), else_=1)
    else:
        owned: Owned = target.owned[order.entity]
        table = owned.table.alias()
        mine = and_(table.c[owned.owner] == target.id, table.c.key == order.key)
        source = source.outerjoin(table, mine)
        value = _sorted_text(tx, table.c.value)
        # A metric that is there and NULL is NaN: after the numbers, before what is lacking.
        rank = case((value.is_not(None), 0), (table.c.key.is_not(None), 1), else_=2)
    neutral = literal("") if _is_text(value) else literal(0)
    return source, [Term(rank), Term(func.coalesce(value, neutral), order.is_descending)]


def _sort(tx: Tx, target: Searchable, order: Order) -> _Expression:
    value = target.sorts.get(order.key, target.attributes[order.key])
    if isinstance(value.type, Instant):
        return type_coerce(value, BigInteger)
    # Ids are of letters that every collation sorts alike, and their index must be of use.
    return value if value is target.id else _sorted_text(tx, value)


def _sorted_text(tx: Tx, value: _Expression) -> _Expression:
    """Text is sorted by its code points, whatever language a PostgreSQL database was made for."""
    return value.collate("C") if _is_text(value) and not tx.is_sqlite else value


def _is_text(value: _Expression) -> bool:
    return value.type.python_type is str
