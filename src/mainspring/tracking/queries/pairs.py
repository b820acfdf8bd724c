"""Keys with values, which experiments, runs and logged models all have, and what all SQL of this room shares."""

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    Table,
    delete,
    select,
    type_coerce,
)
from sqlalchemy.dialects import postgresql, sqlite

from mainspring.store.tx import Tx

T = TypeVar("T")

# SQLite takes 32,766 values in one statement, PostgreSQL 65,535.
IDS_AT_ONCE = 10_000


def chunks(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def insert_into(tx: Tx, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT; both databases spell it alike."""
    return sqlite.insert(table) if tx.is_sqlite else postgresql.insert(table)


def to_column(value: float) -> float | None:
    return None if math.isnan(value) else value


def from_column(value: float | None) -> float:
    return math.nan if value is None else value


def pairs_of(tx: Tx, table: Table, owner: str, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    """Keys and values of many owners, by key; one query for each ten thousand owners."""
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for some in chunks(ids, IDS_AT_ONCE):
        column = table.c[owner]
        query = select(column, table.c.key, table.c.value).where(column.in_(some))
        for row in tx.execute(query.order_by(table.c.key)):
            found[row[0]][row.key] = row.value
    return found


def set_pairs(tx: Tx, table: Table, owner: str, id_: str, pairs: Mapping[str, str]) -> None:
    rows = [{owner: id_, "key": key, "value": value} for key, value in sorted(pairs.items())]
    if rows:
        new = insert_into(tx, table)
        newer = {"value": new.excluded.value}
        tx.execute(new.on_conflict_do_update(index_elements=[owner, "key"], set_=newer), rows)


def add_pairs(
    tx: Tx, table: Table, owner: str, id_: str, pairs: Mapping[str, str]
) -> dict[str, str]:
    """Add what is not there yet; answers all that is there afterwards, if any was given.

    Waits for others who add the same key, so that of two values one is seen by the other.
    """
    rows = [{owner: id_, "key": key, "value": value} for key, value in sorted(pairs.items())]
    if not rows:
        return {}
    tx.execute(insert_into(tx, table).on_conflict_do_nothing(), rows)
    query = select(table.c.key, table.c.value).where(table.c[owner] == id_)
    return {row.key: row.value for row in tx.execute(query)}


def remove_pair(tx: Tx, table: Table, owner: str, id_: str, key: str) -> bool:
    """False if there was no such key."""
    result = tx.execute(delete(table).where(table.c[owner] == id_, table.c.key == key))
    return result.rowcount == 1


def milliseconds(instant: Any) -> Any:
    """Whole milliseconds, which is how searches name an instant."""
    return type_coerce(instant, BigInteger) // 1000
