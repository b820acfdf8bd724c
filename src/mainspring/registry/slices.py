"""Cutting held-out rows into the slices that a gate speaks of. Pure."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from mainspring.domain.gate import SliceBy, Slices
from mainspring.kernel.errors import Invalid
from mainspring.registry.metrics import Array

MAX_SLICES = 1000
_MOST_VALUES = 10


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slice:
    """Some of the held-out rows, by their positions."""

    name: str
    rows: Array


def slices_of(columns: Mapping[str, Sequence[object]], wanted: Slices) -> tuple[Slice, ...]:
    """The slice of each value of each column, then those of the combinations that occur.

    A combination that holds the very rows of a slice before it is left out. Numbers of many values are cut at
    their `edges`, or at their quartiles. Raises `Invalid` for columns that are not there, and for too many
    slices.

    >>> found = slices_of({"shop": ["a", "b", "a"]}, Slices(by=(SliceBy(column="shop"),)))
    >>> [(each.name, each.rows.tolist()) for each in found]
    [('shop = a', [0, 2]), ('shop = b', [1])]
    """
    parted = [_parts(by, columns) for by in wanted.by]
    found: dict[bytes, Slice] = {}
    for size in range(1, wanted.depth + 1):
        for together in combinations(parted, size):
            for each in _crossed(together):
                found.setdefault(each.rows.tobytes(), each)
                if len(found) > MAX_SLICES:
                    raise Invalid(
                        f"there are more than {MAX_SLICES} slices",
                        code="too_many_slices",
                        hint="Slice by columns of fewer values, or to a smaller depth.",
                    )
    return tuple(found.values())


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Parts:
    """One column: the names of its parts, and which of them each row belongs to."""

    names: list[str]
    codes: Array


def _parts(by: SliceBy, columns: Mapping[str, Sequence[object]]) -> _Parts:
    if by.column not in columns:
        raise Invalid(
            f"the held-out rows have no column {by.column!r}",
            code="no_slice_column",
            hint=f"Give ms.evaluate keep=[{by.column!r}] if the model does not take it.",
        )
    values = columns[by.column]
    known = [value for value in values if not _is_missing(value)]
    if all(isinstance(v, int | float) and not isinstance(v, bool) for v in known):
        edges = by.edges or _quartiles(known)
        if edges:
            return _coded([_range_of(by.column, value, edges) for value in values])
    elif by.edges:
        raise Invalid(
            f"{by.column!r} holds no numbers that edges could cut", code="no_numbers_to_cut"
        )
    return _coded([_value_of(by.column, value) for value in values])


def _is_missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _quartiles(known: Sequence[object]) -> tuple[float, ...]:
    if len(set(known)) <= _MOST_VALUES:
        return ()
    cuts = np.quantile(np.array(known, dtype=float), [0.25, 0.5, 0.75])
    return tuple(dict.fromkeys(float(cut) for cut in cuts))


def _range_of(column: str, value: object, edges: tuple[float, ...]) -> tuple[int, str]:
    """A sort key, and the name of the range that a number lies in; its lower end belongs to it."""
    if not isinstance(value, int | float) or math.isnan(value):
        return len(edges) + 1, f"{column} is missing"
    index = int(np.searchsorted(edges, value, side="right"))
    if index == 0:
        return index, f"{column} < {edges[0]:g}"
    if index == len(edges):
        return index, f"{column} >= {edges[-1]:g}"
    return index, f"{edges[index - 1]:g} <= {column} < {edges[index]:g}"


def _value_of(column: str, value: object) -> tuple[int, str]:
    if _is_missing(value):
        return 1, f"{column} is missing"
    return 0, f"{column} = {value:g}" if isinstance(value, float) else f"{column} = {value}"


def _coded(named: Sequence[tuple[int, str]]) -> _Parts:
    names = sorted(set(named))
    position = {each: index for index, each in enumerate(names)}
    return _Parts(
        names=[name for _, name in names],
        codes=np.fromiter((position[each] for each in named), dtype=np.int64, count=len(named)),
    )


def _crossed(together: Sequence[_Parts]) -> Iterator[Slice]:
    sizes = [len(parts.names) for parts in together]
    if math.prod(sizes) >= 1 << 62:
        raise Invalid(f"there are more than {MAX_SLICES} slices", code="too_many_slices")
    keys = np.ravel_multi_index([parts.codes for parts in together], sizes)
    order = np.argsort(keys, kind="stable")
    starts = np.flatnonzero(np.diff(keys[order])) + 1
    for rows in np.split(order, starts) if len(keys) else ():
        names = [parts.names[parts.codes[rows[0]]] for parts in together]
        yield Slice(name=" and ".join(names), rows=rows)
