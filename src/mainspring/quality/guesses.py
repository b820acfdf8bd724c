"""Guesses at what a column means, from its name and the shapes of its texts; people confirm or delete them."""

import re
from dataclasses import dataclass

from mainspring.domain.data_type import DataType
from mainspring.quality.profile import ColumnProfile

_UNITS = (
    (r"(^|_)(ms|millis|milliseconds)$", "ms"),
    (r"(^|_)(sec|secs|seconds)$", "s"),
    (r"(^|_)(min|mins|minutes)$", "min"),
    (r"(^|_)(hours|hrs)$", "h"),
    (r"(^|_)days$", "d"),
    (r"(^|_)(km|kilometers|kilometres)$", "km"),
    (r"(^|_)(miles|mi)$", "mi"),
    (r"(^|_)(kg|kilograms)$", "kg"),
    (r"(^|_)(pct|percent|percentage)$", "%"),
    (r"(^|_)(usd|dollars)$", "USD"),
    (r"(^|_)(eur|euros)$", "EUR"),
    (r"(^|_)(celsius|degc)$", "°C"),
    (r"(^|_)(kelvin|k)$|\[k\]$", "K"),
    (r"\[rpm\]$|(^|_)rpm$", "rpm"),
    (r"\[nm\]$", "Nm"),
    (r"(^|_)(lat|latitude|lon|lng|longitude)$", "degrees"),
)
_PRIVATE = (
    ("e-mail addresses", re.compile(r"[aA9+._-]+@[aA9+.-]+\.[aA+]+")),
    ("phone numbers", re.compile(r"\+?[9][9 ()/-]{8,18}9")),
)
_MEANINGS = (
    ("UUIDs", re.compile(r"[aA9+]{4,8}-[aA9+]{2,4}-[aA9+]{2,4}-[aA9+]{2,4}-[aA9+]{4,12}")),
    ("URLs", re.compile(r"a\+?://.*")),
    ("IP addresses", re.compile(r"9{1,3}(\.9{1,3}){3}")),
    ("ISO times", re.compile(r"9999-99-99[ TA]99:99.*")),
    ("ISO dates", re.compile(r"9999-99-99")),
)
_MOST = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Guess:
    """What a column may mean; nothing if there is no sign of it."""

    unit: str = ""
    meaning: str = ""
    is_private: bool = False


def guess(column: ColumnProfile) -> Guess:
    """A guess at a column's unit and meaning."""
    if column.type.is_numeric:
        name = column.name.lower().replace(" ", "_")
        unit = next((unit for pattern, unit in _UNITS if re.search(pattern, name)), "")
        return Guess(unit=unit)
    if column.type is not DataType.STRING or column.texts is None:
        return Guess()
    texts = column.texts
    if texts.shaped_row_count < 20:
        return Guess()
    for is_private, meanings in ((True, _PRIVATE), (False, _MEANINGS)):
        for meaning, pattern in meanings:
            fitting = sum(
                n for shape, n in texts.shapes.counts.items() if pattern.fullmatch(str(shape))
            )
            if fitting >= _MOST * texts.shaped_row_count:
                return Guess(meaning=meaning, is_private=is_private)
    return Guess()
