"""What decoding alone lets through: unknown keys deep inside, and values that no database holds alike.

msgspec ignores unknown keys of dataclasses, which is right for answers and wrong for requests: a misspelt
`gates` in a declaration would be a promise silently dropped.
"""

import difflib
from datetime import datetime
from functools import cache
from typing import Annotated, Any

from msgspec import Meta, ValidationError, convert, inspect

from mainspring.kernel.errors import Invalid

MAX_DEPTH = 64
_INTEGER_BITS = 63


def check(plain: Any, type_: Any) -> None:
    """Raise `Invalid` for unknown keys, NUL characters, huge integers, deep nesting and local times."""
    _check(plain, _info(type_), "", MAX_DEPTH)


@cache
def _info(type_: Any) -> inspect.Type:
    return inspect.type_info(type_)


def _check(plain: Any, info: inspect.Type, path: str, depth: int) -> None:
    if isinstance(plain, str):
        if "\0" in plain:
            raise Invalid(f"`{path}` contains a NUL character", code="bad_text")
        _check_instant(plain, info, path)
    elif isinstance(plain, dict):
        _check_object(plain, info, path, _less(depth))
    elif isinstance(plain, (list, tuple)):
        member = _for_sequence(info)
        for position, item in enumerate(plain):
            _check(item, member, f"{path}[{position}]", _less(depth))
    elif isinstance(plain, int) and plain.bit_length() > _INTEGER_BITS:
        raise Invalid(f"`{path}` does not fit 64 bits", code="number_out_of_range")


def _check_object(plain: dict[Any, Any], info: inspect.Type, path: str, depth: int) -> None:
    shape = _for_object(info)
    known = None
    if isinstance(shape, (inspect.StructType, inspect.DataclassType)):
        known = {field.encode_name: field.type for field in shape.fields}
    for key, value in plain.items():
        where = f"{path}.{key}" if path else str(key)
        _check(key, inspect.AnyType(), where, depth)
        if known is not None and key not in known:
            close = difflib.get_close_matches(str(key), known, n=1)
            raise Invalid(
                f"there is no field `{where[:200]}`",
                code="unknown_field",
                hint=f"Did you mean {close[0]!r}?" if close else f"There are: {', '.join(known)}.",
            )
        if known is not None:
            inner = known[key]
        else:
            inner = shape.value_type if isinstance(shape, inspect.DictType) else inspect.AnyType()
        _check(value, inner, where, depth)


def _check_instant(text: str, info: inspect.Type, path: str) -> None:
    members = _members(info)
    if not any(isinstance(member, inspect.DateTimeType) for member in members):
        return
    try:
        convert(text, Annotated[datetime, Meta(tz=True)])
    except ValidationError as error:
        raise Invalid(
            f"`{path}` is {text[:80]!r}, which is not an instant",
            hint="Write it with its time zone, like 2026-01-31T12:00:00Z.",
        ) from error


def _less(depth: int) -> int:
    if not depth:
        raise Invalid(f"it is nested deeper than {MAX_DEPTH} levels", code="too_deep")
    return depth - 1


def _members(info: inspect.Type) -> tuple[inspect.Type, ...]:
    while isinstance(info, inspect.Metadata):
        info = info.type
    if isinstance(info, inspect.UnionType):
        return tuple(member for inner in info.types for member in _members(inner))
    return (info,)


def _for_object(info: inspect.Type) -> inspect.Type:
    """The one member of a type that an object can be; anything goes if there are several."""
    objects = (inspect.StructType, inspect.DataclassType, inspect.DictType)
    found = [member for member in _members(info) if isinstance(member, objects)]
    return found[0] if len(found) == 1 else inspect.AnyType()


def _for_sequence(info: inspect.Type) -> inspect.Type:
    sequences = (inspect.VarTupleType, inspect.ListType)
    found = [member for member in _members(info) if isinstance(member, sequences)]
    return found[0].item_type if len(found) == 1 else inspect.AnyType()
