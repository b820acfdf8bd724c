"""What can be searched, told to `search.py` by the rooms that have it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, FromClause

from mainspring.domain.search import Order

_Expression = ColumnElement[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """A table with rows of `owner`: keys with values, or (for datasets) columns named in `fields`.

    `within` narrows such rows to those that the search's `scope` lets in, for a table that has an index on
    that and the value: then searches walk this index, whose order is the one asked for, and stop when a page
    is full.
    """

    table: FromClause
    owner: str
    fields: Mapping[str, _Expression] = field(default_factory=dict)
    within: Callable[[FromClause], _Expression] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Searchable:
    """What is searched: rows of `table`, their attributes as expressions, and what belongs to them.

    `sorts` are the attributes that are ordered by something else than what they are compared by. `tie` are
    the fields that every order ends with, the last of which is unique.
    """

    table: FromClause
    id: _Expression
    attributes: Mapping[str, _Expression]
    sorts: Mapping[str, _Expression] = field(default_factory=dict)
    owned: Mapping[str, Owned] = field(default_factory=dict)
    tie: tuple[Order, ...]
