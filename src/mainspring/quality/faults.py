"""Naming what went wrong with a delivery, from its profile and that of the version before.

A failed check says which rows are wrong; a fault says why so many are: another unit, two columns in each
other's place, yesterday's file once more. Each rule asks for a clear sign, since a wrong name sends people the
wrong way.
"""

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mainspring.domain.data_type import DataType
from mainspring.quality.distances import distribution_distance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mainspring.quality.profile import ColumnProfile, Profile

Floats = npt.NDArray[np.float64]

_ENOUGH_ROWS = 200
_POINTS = np.linspace(0.02, 0.98, 49)
_MOVED = 0.12
_FACTORS = (
    (1000.0, "thousandths"),
    (100.0, "hundredths, such as cents or percents"),
    (60.0, "minutes for hours, or seconds for minutes"),
    (3600.0, "seconds for hours"),
    (24.0, "hours for days"),
    (1.609344, "kilometres for miles"),
    (3.28084, "feet for metres"),
    (2.54, "centimetres for inches"),
    (2.20462, "pounds for kilograms"),
    (3.6, "km/h for m/s"),
    (57.29578, "degrees for radians"),
)
_UNITS = (
    *((factor, 0.0, meaning) for factor, meaning in _FACTORS),
    *((1 / factor, 0.0, meaning) for factor, meaning in _FACTORS),
    (1.8, 32.0, "Fahrenheit for Celsius"),
    (1 / 1.8, -32.0 / 1.8, "Fahrenheit for Celsius"),
)
_NEAR, _FAR = 0.07, 0.14
_FEWEST_VALUES = 10
_IDS = 0.95
_LEAKS = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """What seems to have happened, to which columns, and what shows it."""

    name: str
    columns: tuple[str, ...]
    evidence: str


def faults(before: "Profile", now: "Profile", *, labels: "Iterable[str]" = ()) -> tuple[Fault, ...]:
    """The faults that a delivery shows against the version before; none for tables too small to tell."""
    if before.row_count < _ENOUGH_ROWS or not now.row_count:
        return ()
    found = [*_cut_short(before, now), *_stale(before, now)]
    if now.row_count >= _ENOUGH_ROWS:
        swapped = _swapped(before, now)
        names = {name for fault in swapped for name in fault.columns}
        found += swapped
        for column in now.columns:
            old = before.column(column.name)
            if old is None:
                continue
            found += _damaged(old, column)
            if column.name not in names:
                found += [*_other_unit(old, column), *_shifted(old, column)]
        found += [f for f in _leaks(before, now, labels) if f.columns[0] not in names]
    return tuple(found)


def _cut_short(before: "Profile", now: "Profile") -> list[Fault]:
    if now.row_count >= before.row_count / 2:
        return []
    evidence = f"{now.row_count:,} rows, {before.row_count:,} before"
    return [Fault(name="truncated", columns=(), evidence=evidence)]


def _stale(before: "Profile", now: "Profile") -> list[Fault]:
    """Times that ended where they ended before, or earlier."""
    for column in now.columns:
        old = before.column(column.name)
        is_time = column.type in (DataType.DATE, DataType.DATETIME)
        if not is_time or old is None or old.maximum is None or column.maximum is None:
            continue
        if old.minimum == old.maximum:
            continue
        if column.maximum <= old.maximum:
            return [
                Fault(
                    name="stale",
                    columns=(column.name,),
                    evidence="its latest time is no later than that of the version before",
                )
            ]
    return []


def _swapped(before: "Profile", now: "Profile") -> list[Fault]:
    """Two columns that each look like the other did."""
    moved = [
        column
        for column in now.columns
        if (old := before.column(column.name)) is not None
        and column.row_count
        and _distance(old, column) > _FAR
    ]
    found = []
    for one, other in combinations(moved, 2):
        old_one, old_other = before.column(one.name), before.column(other.name)
        if old_one is None or old_other is None:
            continue
        pairs = ((old_one, one, other), (old_other, other, one))
        if all(
            _distance(old, there) < max(_NEAR, 0.4 * _distance(old, here))
            for old, here, there in pairs
        ):
            evidence = f"{one.name} is distributed as {other.name} was, and the other way round"
            found.append(Fault(name="swapped", columns=(one.name, other.name), evidence=evidence))
    return found


def _distance(old: "ColumnProfile", new: "ColumnProfile") -> float:
    """Between 0 and 1; 1 for columns that can't be compared."""
    if old.type.is_numeric is not new.type.is_numeric or (
        not old.type.is_numeric and old.type is not new.type
    ):
        return 1.0
    if old.type not in (DataType.INTEGER, DataType.FLOAT, DataType.STRING):
        return 1.0
    if old.type.is_numeric:
        if old.quantiles is None or new.quantiles is None or not new.quantiles.count:
            return 1.0
        return distribution_distance(old, new, "ks")
    return distribution_distance(old, new, "jensen_shannon")


def _other_unit(old: "ColumnProfile", new: "ColumnProfile") -> list[Fault]:
    """Values that are far from what they were, and are it again once they are turned into another unit."""
    sketches = (old.quantiles, new.quantiles)
    if not new.type.is_numeric or not sketches[0] or not sketches[1]:
        return []
    counts = [sketch.count for sketch in sketches if sketch]
    if min(counts) < _ENOUGH_ROWS or not (_is_amount(old) and _is_amount(new)):
        return []
    # What two samples of these sizes differ by (Smirnov 1948), with room for the sketches' own error.
    noise = 1.36 * float(np.sqrt(sum(1 / count for count in counts))) + 0.01
    as_is = _gap(old, new, 1.0, 0.0)
    if as_is < max(_MOVED, 2.5 * noise):
        return []
    are_whole = old.type is DataType.INTEGER and new.type is DataType.INTEGER
    tried = [
        (_gap(old, new, factor, shift), factor, meaning)
        for factor, shift, meaning in _UNITS
        # Whole numbers of kilometres don't become whole numbers of miles: they grew for another reason.
        if not are_whole or _is_whole(factor) or _is_whole(1 / factor)
    ]
    best, factor, meaning = min(tried)
    if best > noise or best > as_is / 3:
        return []
    evidence = f"{meaning}, or the reverse: {factor:.4g} times what it was"
    return [Fault(name="unit-change", columns=(new.name,), evidence=evidence)]


def _is_amount(column: "ColumnProfile") -> bool:
    """Neither a code of few values nor a running number."""
    distinct, count = column.distinct_count or 0, column.row_count - column.null_count
    is_id = column.type is DataType.INTEGER and distinct >= _IDS * count
    return distinct >= _FEWEST_VALUES and not is_id


def _is_whole(factor: float) -> bool:
    return abs(factor - round(factor)) < 1e-9 and factor >= 1


def _gap(old: "ColumnProfile", new: "ColumnProfile", factor: float, shift: float) -> float:
    """The greatest gap between the share up to a value before, and up to what became of it now."""
    if old.quantiles is None or new.quantiles is None:
        return 0.0
    points = np.unique([old.quantiles.quantile(float(share)) for share in _POINTS])
    # Just above each, so that a value that rounding moved still counts.
    points = points + 1e-6 * np.abs(points)
    were, are = (
        old.quantiles.shares_up_to(points),
        new.quantiles.shares_up_to(points * factor + shift),
    )
    return float(np.abs(were - are).max())


def _damaged(old: "ColumnProfile", new: "ColumnProfile") -> list[Fault]:
    """Texts with characters that come of a wrong encoding, where there were hardly any."""
    if old.texts is None or new.texts is None:
        return []
    share, before = new.texts.damaged_count / new.row_count, old.texts.damaged_count / old.row_count
    if new.texts.damaged_count < 3 or share < 5 * before + 0.0005:
        return []
    evidence = f"{new.texts.damaged_count:,} rows hold signs of a wrong encoding"
    return [Fault(name="encoding", columns=(new.name,), evidence=evidence)]


def _shifted(old: "ColumnProfile", new: "ColumnProfile") -> list[Fault]:
    """The hours of the day look as before, but some hours later or earlier."""
    if old.activity is None or new.activity is None or new.type is not DataType.DATETIME:
        return []
    was, is_ = (np.asarray(a.hours, np.float64) for a in (old.activity, new.activity))
    if was.size != 24 or is_.size != 24 or not was.sum() or not is_.sum():
        return []
    was, is_ = was / was.sum(), is_ / is_.sum()
    apart = np.array([np.abs(np.roll(was, shift) - is_).sum() for shift in range(24)])
    best = int(np.argmin(apart))
    noise = 3 * float(np.sqrt(24 / new.row_count))
    if best == 0 or apart[best] > 0.5 * apart[0] or apart[0] < max(0.2, noise):
        return []
    hours = best if best <= 12 else best - 24
    evidence = f"its hours of the day are those of before, {abs(hours)} hours {'later' if hours > 0 else 'earlier'}"
    return [Fault(name="time-zone-shift", columns=(new.name,), evidence=evidence)]


def _leaks(before: "Profile", now: "Profile", labels: "Iterable[str]") -> list[Fault]:
    """A column that all but equals the label, and did not before."""
    found = []
    for label in labels:
        for column in now.columns:
            if column.name == label or now.together is None:
                continue
            r = now.together.correlation(label, column.name)
            was = before.together.correlation(label, column.name) if before.together else None
            if r is not None and abs(r) >= _LEAKS and abs(was or 0.0) < _LEAKS - 0.02:
                evidence = f"its correlation with {label} is {r:.3f}" + (
                    f", {was:.3f} before" if was is not None else ", and it is new"
                )
                found.append(Fault(name="label-leak", columns=(column.name,), evidence=evidence))
    return found
