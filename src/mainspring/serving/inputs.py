"""What a caller sent, checked against a model's signature, column by column.

The model is never asked about input that its signature excludes: libraries differ in what they do then
(scikit-learn raises, ONNX answers NaN), and the caller deserves an error that names the input.
"""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from mainspring.domain.check import Scalar
from mainspring.domain.data_type import DataType
from mainspring.domain.signature import Feature, Signature
from mainspring.kernel.errors import Invalid
from mainspring.serving.log.frames import microseconds

KEY = "key"
EVENT_TIME = "event_time"
RESERVED = (KEY, EVENT_TIME)
"""Columns that go with a row without being input, unless the model has an input of that name."""

_INT64 = range(-(2**63), 2**63)
_EPOCH_DAY = date(1970, 1, 1).toordinal()

Values = Sequence[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Checked input of one request.

    `logged` holds the columns as the prediction log keeps them, `sent` as model workers take them (days or
    microseconds since 1970 for dates and times). `keys` and `event_at` have an entry per row or are None.
    """

    count: int
    names: list[str]
    types: list[str]
    logged: list[list[Scalar]]
    sent: list[list[Any]]
    keys: list[str | None] | None = None
    event_at: list[int] | None = None

    def pick(self, rows: Sequence[int]) -> "Rows":
        """Some of the rows, in this order."""
        return Rows(
            count=len(rows),
            names=self.names,
            types=self.types,
            logged=[[column[row] for row in rows] for column in self.logged],
            sent=[[column[row] for row in rows] for column in self.sent],
            keys=[self.keys[row] for row in rows] if self.keys else None,
            event_at=[self.event_at[row] for row in rows] if self.event_at else None,
        )


def check_rows(
    signature: Signature | None,
    columns: Mapping[str, list[Any]],
    *,
    count: int,
    ignore_unknown: bool = False,
) -> Rows:
    """Columns in the order that the model takes them; raises `Invalid` naming the input that can't be.

    Columns `key` and `event_time` accompany the rows.
    """
    inputs = signature.inputs if signature else _guessed(columns)
    names = [feature.name for feature in inputs]
    if len(columns) != len(names) or not columns.keys() >= set(names):
        _check_names(names, columns, ignore_unknown)
    logged, sent = [], []
    for feature in inputs:
        values = columns[feature.name]
        if len(values) != count:
            raise _bad(feature.name, f"has {len(values)} values, but there are {count} rows")
        ours, theirs = _CHECKS[feature.type](feature, values)
        logged.append(ours)
        sent.append(theirs)
    return Rows(
        count=count,
        names=names,
        types=[feature.type.value for feature in inputs],
        logged=logged,
        sent=sent,
        keys=_keys(columns[KEY], count) if KEY in columns and KEY not in names else None,
        event_at=(
            _event_times(columns[EVENT_TIME], count)
            if EVENT_TIME in columns and EVENT_TIME not in names
            else None
        ),
    )


def keys_of(value: object, count: int) -> list[str | None]:
    """Keys from a request's parameter: one for all rows, or one for each."""
    values = value if isinstance(value, list) else [value] * count
    return _keys(values, count)


def event_times_of(value: object, count: int) -> list[int]:
    """Event times from a request's parameter, in microseconds: one for all rows, or one for each."""
    values = value if isinstance(value, list) else [value] * count
    return _event_times(values, count)


def _check_names(names: list[str], columns: Collection[str], ignore_unknown: bool) -> None:
    missing = [name for name in names if name not in columns]
    if missing:
        raise Invalid(
            f"the input {missing[0]!r} is missing"
            + (f", and {len(missing) - 1} more" if len(missing) > 1 else ""),
            where=missing[0],
            hint=f"The model takes: {', '.join(names)}.",
        )
    unknown = [name for name in columns if name not in names and name not in RESERVED]
    if unknown and not ignore_unknown:
        raise Invalid(
            f"the model has no input {unknown[0]!r}",
            where=unknown[0],
            hint=f"The model takes: {', '.join(names)}.",
        )


def _guessed(columns: Mapping[str, list[Any]]) -> tuple[Feature, ...]:
    return tuple(
        Feature(name=name, type=DataType.OTHER, nullable=True)
        for name in columns
        if name not in RESERVED
    )


def _keys(values: Values, count: int) -> list[str | None]:
    if len(values) != count:
        raise _bad(KEY, f"has {len(values)} values, but there are {count} rows")
    keys: list[str | None] = []
    for row, value in enumerate(values):
        if value is None or isinstance(value, str):
            keys.append(value)
        elif isinstance(value, int) and not isinstance(value, bool):
            keys.append(str(value))
        else:
            raise _bad(KEY, f"row {row} is {_shown(value)}; a key is a text or a whole number")
    return keys


def _event_times(values: Values, count: int) -> list[int]:
    if len(values) != count:
        raise _bad(EVENT_TIME, f"has {len(values)} values, but there are {count} rows")
    times = []
    for row, value in enumerate(values):
        parsed = _instant(value)
        if parsed is None:
            raise _bad(
                EVENT_TIME,
                f"row {row} is {_shown(value)}; a time looks like 2026-01-31T12:00:00Z",
            )
        times.append(parsed)
    return times


def _floats(feature: Feature, values: list[Any]) -> tuple[list[Scalar], list[Any]]:
    types = set(map(type, values))
    if types - {float, int, type(None)}:
        raise _wrong(feature, values, "a number", lambda v: type(v) in (float, int))
    if int in types:
        try:
            values = [float(v) if type(v) is int else v for v in values]
        except OverflowError as error:
            raise _bad(feature.name, "holds a number too large for a float") from error
    # The sum of finite numbers is finite unless it overflows, and is taken at C's speed.
    if (None in values or not math.isfinite(sum(values))) and not all(
        v is None or math.isfinite(v) for v in values
    ):
        if any(v is not None and math.isinf(v) for v in values):
            raise _bad(feature.name, "holds an infinite number")
        # NaN, which only binary tensors can carry, is one more way to say that the value is missing.
        values = [None if v is None or math.isnan(v) else v for v in values]
    _check_nulls(feature, values)
    return values, values


def _integers(feature: Feature, values: list[Any]) -> tuple[list[Scalar], list[Any]]:
    types = set(map(type, values))
    if types - {float, int, type(None)}:
        raise _wrong(feature, values, "a whole number", lambda v: type(v) in (float, int))
    if float in types:
        fraction = [v for v in values if type(v) is float and not v.is_integer()]
        if fraction:
            raise _bad(feature.name, f"holds {fraction[0]}, but takes whole numbers")
        values = [int(v) if type(v) is float else v for v in values]
    _check_nulls(feature, values)
    numbers = [v for v in values if v is not None] if None in values else values
    if numbers and not (min(numbers) in _INT64 and max(numbers) in _INT64):
        raise _bad(feature.name, "holds a number beyond 64 bits")
    return values, values


def _booleans(feature: Feature, values: list[Any]) -> tuple[list[Scalar], list[Any]]:
    if set(map(type, values)) - {bool, type(None)}:
        if any(v is not None and v not in (0, 1) for v in values):
            raise _wrong(feature, values, "true or false", lambda v: v in (0, 1))
        values = [None if v is None else bool(v) for v in values]
    _check_nulls(feature, values)
    return values, values


def _strings(feature: Feature, values: list[Any]) -> tuple[list[Scalar], list[Any]]:
    if set(map(type, values)) - {str, type(None)}:
        raise _wrong(feature, values, "a text", lambda v: type(v) is str)
    _check_nulls(feature, values)
    return values, values


def _dates(feature: Feature, values: list[Any]) -> tuple[list[Scalar], list[Any]]:
    return _times(feature, values, "a date such as 2026-01-31", _day)


def _datetimes(feature: Feature, values: list[Any]) -> tuple[list[Scalar], list[Any]]:
    return _times(feature, values, "a time such as 2026-01-31T12:00:00Z", _instant)


def _times(
    feature: Feature, values: list[Any], expected: str, parse: Callable[[object], int | None]
) -> tuple[list[Scalar], list[Any]]:
    _check_nulls(feature, values)
    sent = [None if v is None else parse(v) for v in values]
    if any(v is not None and s is None for v, s in zip(values, sent, strict=True)):
        raise _wrong(feature, values, expected, lambda v: parse(v) is not None)
    return values, sent


def _anything(feature: Feature, values: list[Any]) -> tuple[list[Scalar], list[Any]]:
    if set(map(type, values)) - {str, int, float, bool, type(None)}:
        raise _wrong(
            feature,
            values,
            "a single value",
            lambda v: isinstance(v, (str, int, float, bool)),
        )
    return values, values


_CHECKS: dict[DataType, Callable[[Feature, list[Any]], tuple[list[Scalar], list[Any]]]] = {
    DataType.FLOAT: _floats,
    DataType.INTEGER: _integers,
    DataType.BOOLEAN: _booleans,
    DataType.STRING: _strings,
    DataType.DATE: _dates,
    DataType.DATETIME: _datetimes,
    DataType.OTHER: _anything,
}


def _day(value: object) -> int | None:
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value[:10]).toordinal() - _EPOCH_DAY
    except ValueError:
        return None


def _instant(value: object) -> int | None:
    """Microseconds since 1970; a time without a zone is in UTC."""
    if not isinstance(value, str):
        return None
    try:
        parsed = datetime.fromisoformat(value)
        return microseconds(parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return None


def _check_nulls(feature: Feature, values: list[Any]) -> None:
    if not feature.nullable and None in values:
        raise _bad(
            feature.name,
            f"row {values.index(None)} is missing, and the model was trained without missing values",
        )


def _wrong(
    feature: Feature, values: list[Any], expected: str, fits: Callable[[Any], bool]
) -> Invalid:
    row, value = next((row, v) for row, v in enumerate(values) if v is not None and not fits(v))
    return _bad(feature.name, f"row {row} is {_shown(value)}; it takes {expected}")


def _bad(name: str, problem: str) -> Invalid:
    return Invalid(f"the input {name!r}: {problem}", where=name)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else text[:37] + "..."
