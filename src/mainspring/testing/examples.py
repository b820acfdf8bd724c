"""The smallest value that a type accepts, as plain data: for tests that walk every operation."""

from typing import Any

from msgspec import inspect

_PLAIN = {
    inspect.FloatType: 0.5,
    inspect.BoolType: False,
    inspect.DateTimeType: "2026-01-01T00:00:00Z",
    inspect.StrType: "x",
    inspect.NoneType: None,
}


def an_example(type_: Any) -> Any:
    """Plain data that decodes into `type_`: required fields only, nothing in collections.

    >>> from mainspring.governance.requests import IssueToken
    >>> an_example(IssueToken)
    {'name': 'x', 'role': 'admin'}
    """
    return _of(inspect.type_info(type_))


def _of(info: inspect.Type) -> Any:
    match info:
        case inspect.Metadata(type=inner):
            return _of(inner)
        case inspect.StructType(fields=fields) | inspect.DataclassType(fields=fields):
            return {field.encode_name: _of(field.type) for field in fields if field.required}
        case inspect.UnionType(types=types):
            return None if info.includes_none else _of(types[0])
        case inspect.TupleType(item_types=types):
            return [_of(each) for each in types]
        case inspect.VarTupleType() | inspect.ListType():
            return []
        case inspect.EnumType(cls=cls):
            return min(each.value for each in cls)
        case inspect.IntType(ge=at_least):
            return max(at_least or 0, 1)
        case _:
            return _PLAIN.get(type(info), {})
