"""Values of failing rows, made fit for a report: short, and something that JSON can hold."""

import math
from datetime import date, datetime, time
from typing import Any

from mainspring.domain.check import Scalar

_LONGEST = 80


def example_of(number: int, row: dict[str, Any]) -> dict[str, Scalar]:
    """A failing row with its 0-based number under `#`. `Any`: whatever a table holds."""
    return {"#": number, **{name: _scalar(value) for name, value in row.items() if name != "#"}}


def shown(value: object) -> str:
    """A value as people read it in a sentence: text in quotes, cut if it is long.

    >>> shown("rain"), shown(102.20000000001), shown(4), shown(None)
    ("'rain'", '102.2', '4', 'nothing')
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        # Nobody means anything by a zero below zero.
        return f"{value + 0.0:.6g}"
    plain = _scalar(value)
    return repr(plain) if isinstance(value, str) else str(plain)


def plain(value: object) -> Any:
    """A value as JSON can hold it: numbers that are whole as they are, times as text.

    >>> plain(date(2026, 1, 31)), plain(2.5)
    ('2026-01-31', 2.5)
    """
    return _scalar(value)


MASK = "•••"


def masked(row: dict[str, Scalar], private: frozenset[str]) -> dict[str, Scalar]:
    """The row without the values of private columns."""
    return {
        name: MASK if name in private and value is not None else value
        for name, value in row.items()
    }


def _scalar(value: object) -> Scalar:
    match value:
        case None | bool() | int():
            return value
        case float():
            # JSON has neither; null would say something else.
            return value if math.isfinite(value) else str(value)
        case str():
            return value if len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"
        case datetime() | date() | time():
            return value.isoformat()
        case _:
            return _scalar(str(value))
