"""MLflow's JSON: reading parameters with its words for what is wrong, and writing its entities.

64-bit integers come as numbers or as strings (protobuf's rule), NaN and the infinities as strings.
"""

import math
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from mainspring.kernel.codec import encode_text
from mainspring.kernel.errors import Invalid

Json = dict[str, Any]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)
_MAX_INT64 = 2**63 - 1
_MIN_INT64 = -(2**63)
# Protobuf's JSON may write numbers as texts, and those that are not finite only so.
_INTEGER = re.compile(r"-?\d{1,19}((\.\d{1,18})?e\+[01]\d)?\Z", re.ASCII)
_NUMBER = re.compile(r"(NaN|-?Infinity|-?\d+(\.\d+)?([eE][+-]?\d+)?)\Z", re.ASCII)


class Params:
    """The parameters of one call, from its JSON body or its query.

    `text` and the like raise `Invalid` in MLflow's words for what is missing or of the wrong type.
    """

    def __init__(self, values: Mapping[str, Any], prefix: str = "") -> None:
        self._values = values
        self._prefix = prefix

    def has(self, name: str) -> bool:
        return self._values.get(name) is not None

    def text(self, name: str, *others: str) -> str:
        """A parameter that must be there; `others` are older names of it."""
        for each in (name, *others):
            if found := self.optional_text(each):
                return found
        raise Invalid(f"Missing value for required parameter '{self._prefix}{name}'.")

    def optional_text(self, name: str, default: str = "") -> str:
        value = self._values.get(name)
        if value is None:
            return default
        # No database column holds a zero byte on every database.
        if not isinstance(value, str) or "\0" in value:
            raise self._wrong(name, value)
        return value

    def integer(self, name: str, default: int | None = None) -> int:
        value = self._values.get(name)
        if value is None:
            if default is None:
                raise Invalid(f"Missing value for required parameter '{self._prefix}{name}'.")
            return default
        if isinstance(value, str):
            # R writes round numbers as `1.7e+12`.
            number = Decimal(value) if _INTEGER.match(value) else None
            if number is None or number != number.to_integral_value():
                raise self._wrong(name, value)
            value = int(number)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if (
            isinstance(value, bool)
            or not isinstance(value, int)
            or not _MIN_INT64 <= value <= _MAX_INT64
        ):
            raise self._wrong(name, value)
        return value

    def number(self, name: str) -> float:
        value = self._values.get(name)
        if value is None:
            raise Invalid(f"Missing value for required parameter '{self._prefix}{name}'.")
        if isinstance(value, str) and _NUMBER.match(value):
            return float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(name, value)
        return float(value)

    def flag(self, name: str, default: bool = False) -> bool:
        value = self._values.get(name)
        if value is None:
            return default
        if value in (True, "true", "True", "TRUE"):
            return True
        if value in (False, "false", "False", "FALSE"):
            return False
        raise self._wrong(name, value)

    def instant(self, name: str) -> datetime | None:
        """Milliseconds since 1970."""
        return instant_of(self.integer(name)) if self.has(name) else None

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._values.get(name)
        if value is None:
            return ()
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not all(isinstance(each, str) for each in values):
            raise self._wrong(name, value)
        if any("\0" in each for each in values):
            raise self._wrong(name, value)
        return tuple(values)

    def items(self, name: str) -> list["Params"]:
        """A list of objects."""
        value = self._values.get(name)
        if value is None:
            return []
        if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
            raise self._wrong(name, value)
        return [Params(each, f"{self._prefix}{name}[{index}].") for index, each in enumerate(value)]

    def item(self, name: str) -> "Params":
        """An object that must be there."""
        value = self._values.get(name)
        if value is None:
            raise Invalid(f"Missing value for required parameter '{self._prefix}{name}'.")
        if not isinstance(value, dict):
            raise self._wrong(name, value)
        return Params(value, f"{self._prefix}{name}.")

    def mapping(self, name: str) -> dict[str, str]:
        """An object of texts; empty if it is not there."""
        value = self._values.get(name)
        if value is None:
            return {}
        texts = isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
        if not texts:
            raise self._wrong(name, value)
        return dict(value)

    def anything(self, name: str) -> Any:
        """A parameter that may be any JSON; None if it is not there."""
        return self._values.get(name)

    def pairs(self, name: str) -> list[tuple[str, str]]:
        """A list of `{key, value}`."""
        return [(each.text("key"), each.optional_text("value")) for each in self.items(name)]

    def page(self, default: int, limit: int, name: str = "max_results") -> int:
        """How many rows a page may have."""
        wanted = self.integer(name, default)
        if not 1 <= wanted <= limit:
            raise Invalid(
                f"Invalid value {wanted} for parameter '{self._prefix}{name}' supplied: "
                f"it must be from 1 to {limit}."
            )
        return wanted

    def _wrong(self, name: str, value: object) -> Invalid:
        shown = encode_text(value)[:100]
        return Invalid(f"Invalid value {shown} for parameter '{self._prefix}{name}' supplied.")


def instant_of(milliseconds: int) -> datetime:
    """The instant of milliseconds since 1970; raises `Invalid` for one beyond the calendar."""
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError as error:
        raise Invalid(f"{milliseconds} milliseconds since 1970 is no date") from error


def milliseconds_of(instant: datetime | None) -> int | None:
    """Whole milliseconds since 1970."""
    return None if instant is None else (instant - _EPOCH) // _MILLISECOND


def number_json(value: float) -> float | str:
    """A number as MLflow's JSON has it.

    >>> number_json(1.5), number_json(float("nan")), number_json(float("-inf"))
    (1.5, 'NaN', '-Infinity')
    """
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def pairs_json(pairs: Mapping[str, str] | Iterable[tuple[str, str]]) -> list[Json]:
    """Keys and values as a list of objects."""
    items = pairs.items() if isinstance(pairs, Mapping) else pairs
    return [{"key": key, "value": value} for key, value in items]


def compact(values: Json) -> Json:
    """Without what is None: MLflow leaves out what is not set."""
    return {key: value for key, value in values.items() if value is not None}
