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
from mainspring.quality.catalogue.distributions import distribution_distance

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mainspring.quality.profile import ColumnProfile, Profile

Floats = npt.NDArray[np.float64]

_ENOUGH_ROWS = 200
_POINTS = np.array([0.1, 0.25, 0.4, 0.5, 0.6, 0.75, 0.9])
_SAME_FACTOR, _SAME_SMALL_FACTOR, _LARGE = 0.15, 0.025, 10.0
_FACTORS = (
    (1000.0, "thousands of what it was"),
    (100.0, "hundredths of what it was"),
    (60.0, "minutes for hours, or seconds for minutes"),
    (3600.0, "seconds for hours"),
    (24.0, "hours for days"),
    (1.609, "kilometres for miles"),
    (3.281, "feet for metres"),
    (2.54, "centimetres for inches"),
    (2.2046, "pounds for kilograms"),
    (3.6, "km/h for m/s"),
    (57.2958, "degrees for radians"),
)
_NEAR, _FAR = 0.1, 0.3
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
            if old is None or old.type is not column.type:
                continue
            found += _damaged(old, column)
            if column.name not in names:
                found += [*_other_unit(old, column), *_shifted(old, column)]
        found += _leaks(before, now, labels)
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
        if _distance(old_one, other) < _NEAR and _distance(old_other, one) < _NEAR:
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
    """All quantiles moved by one factor that is that of a unit, and none of them is where it was."""
    if not new.type.is_numeric or not old.quantiles or not new.quantiles:
        return []
    was, is_ = _quantiles(old), _quantiles(new)
    if was is None or is_ is None or len(np.unique(was)) < 4:
        return []
    if _is_fahrenheit(was, is_) or _is_fahrenheit(is_, was):
        evidence = "its values are those of before in the other of Celsius and Fahrenheit"
        return [Fault(name="unit-change", columns=(new.name,), evidence=evidence)]
    apart = np.abs(was) > 0
    if apart.sum() < 4 or np.any(np.sign(was[apart]) != np.sign(is_[apart])):
        return []
    ratios = is_[apart] / was[apart]
    factor = float(np.median(ratios))
    apart_most = float(np.abs(ratios / factor - 1).max())
    for known, meaning in _FACTORS:
        # What grows by half may do so for other reasons; by a thousand times it hardly does.
        tolerance = _SAME_FACTOR if known > _LARGE else _SAME_SMALL_FACTOR
        if apart_most > tolerance:
            continue
        for unit in (known, 1 / known):
            if abs(factor / unit - 1) <= tolerance:
                evidence = f"{factor:.4g} times what it was: {meaning}, or the reverse"
                return [Fault(name="unit-change", columns=(new.name,), evidence=evidence)]
    return []


def _quantiles(column: "ColumnProfile") -> Floats | None:
    if column.quantiles is None or column.quantiles.count < _ENOUGH_ROWS:
        return None
    return np.array([column.quantiles.quantile(float(share)) for share in _POINTS])


def _is_fahrenheit(celsius: Floats, other: Floats) -> bool:
    expected = 1.8 * celsius + 32
    spread = max(float(np.ptp(expected)), 1e-9)
    near = float(np.abs(other - expected).max()) < 0.1 * spread
    return near and float(np.abs(other - celsius).min()) > 0.3 * spread


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
