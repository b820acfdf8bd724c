"""JSON in and out, with errors that name the field.

Requests and domain values are decoded by msgspec; what does not fit raises `Invalid` with the path of
the offending field. Canonical JSON (sorted keys, no blanks) is what gets digested.
"""

from typing import Any, TypeVar

import msgspec

from mainspring.kernel.digests import Digest, digest_bytes
from mainspring.kernel.errors import Invalid

T = TypeVar("T")

_canonical = msgspec.json.Encoder(order="sorted")
_plain = msgspec.json.Encoder()


def encode(value: object) -> bytes:
    """JSON bytes of a value, dataclass or Struct."""
    return _plain.encode(value)


def encode_text(value: object) -> str:
    """JSON text of a value, dataclass or Struct."""
    return _plain.encode(value).decode()


def canonical(value: object) -> bytes:
    """JSON with sorted keys and no blanks: equal values give equal bytes.

    >>> canonical({"b": 1, "a": [True, None]})
    b'{"a":[true,null],"b":1}'
    """
    return _canonical.encode(value)


def digest_of(value: object) -> Digest:
    """The digest of a value's canonical JSON."""
    return digest_bytes(canonical(value))


def decode(data: bytes | str, type_: type[T], *, what: str = "request") -> T:
    """Decode JSON into `type_`; raises `Invalid` naming the field that does not fit."""
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError as error:
        raise _invalid(error, what) from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(f"the {what} is not valid JSON: {error}", code="malformed_json") from error


def convert(value: object, type_: type[T], *, what: str = "request", strict: bool = True) -> T:
    """Turn plain dicts, lists and numbers into `type_`; raises `Invalid` naming the field."""
    try:
        return msgspec.convert(value, type=type_, strict=strict)
    except msgspec.ValidationError as error:
        raise _invalid(error, what) from error


def to_plain(value: object) -> Any:
    """Dicts, lists, strings and numbers only: what JSON can hold."""
    return msgspec.to_builtins(value)


def _invalid(error: msgspec.ValidationError, what: str) -> Invalid:
    text, _, path = str(error).partition(" - at `")
    field = path.removesuffix("`").removeprefix("$.").removeprefix("$")
    return Invalid(f"{what}: {text}" + (f" (field `{field}`)" if field else ""))
