"""From a path, a query string and a body to a `Request`; whatever does not fit raises `Invalid`."""

from functools import cache
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from mainspring.api.rest.strict import check
from mainspring.domain.request import Request
from mainspring.kernel.codec import convert
from mainspring.kernel.errors import Invalid
from mainspring.operations.operation import Operation

JSON = "application/json"
MSGPACK = "application/msgpack"
_MAX_PARAMETERS = 1000


@cache
def has_body(operation: Operation) -> bool:
    """Whether its fields come in a body rather than the query string.

    DELETE has one only if a field can't be said in a query string.
    """
    if operation.method == "DELETE":
        return any(_is_object(type_) for type_ in _fields_of(operation.request).values())
    return operation.method != "GET"


def request_of(
    operation: Operation,
    *,
    path_fields: dict[str, str],
    query: bytes,
    body: bytes,
    content_type: str,
) -> Request[Any]:
    """Decode one request; raises `Invalid` that names the field."""
    fields = _fields_of(operation.request)
    if has_body(operation):
        if query:
            raise Invalid(
                f"{operation.method} {operation.path} takes no query string",
                code="unknown_field",
                hint="Put the fields into the JSON body.",
            )
        given = _from_body(body, content_type)
    else:
        given = _from_query(query, fields)
    for name, text in path_fields.items():
        value = _lax(text, name, fields[name])
        if given.setdefault(name, value) != value:
            raise Invalid(
                f"{name} is {text!r} in the path and something else beside it", code="ambiguous"
            )
    check(given, operation.request)
    request: Request[Any] = convert(given, operation.request, what=operation.name)
    return request


@cache
def _fields_of(request: type[Request[Any]]) -> dict[str, Any]:
    """The types of a request's fields, as annotated, by the names they have on the wire."""
    return {field.encode_name: field.type for field in msgspec.structs.fields(request)}


def _from_body(body: bytes, content_type: str) -> dict[str, Any]:
    if not body:
        return {}
    kind = content_type.partition(";")[0].strip().lower()
    if kind not in (JSON, MSGPACK):
        raise Invalid(
            f"a body of type {kind[:80]!r} is not understood",
            code="unsupported_media_type",
            hint="Send `Content-Type: application/json`.",
        )
    try:
        given = msgspec.json.decode(body) if kind == JSON else msgspec.msgpack.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = "JSON" if kind == JSON else "MessagePack"
        raise Invalid(f"the body is not valid {what}: {error}", code="malformed_json") from error
    if not isinstance(given, dict):
        raise Invalid("the body must be an object with the request's fields", code="malformed_json")
    return given


def _from_query(query: bytes, fields: dict[str, Any]) -> dict[str, Any]:
    try:
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError as error:
        raise Invalid("the query string can't be read", code="bad_query") from error
    given: dict[str, Any] = {}
    for name, text in pairs:
        if name not in fields:
            raise Invalid(
                f"there is no field {name[:80]!r}",
                code="unknown_field",
                hint="Its fields: " + (", ".join(fields) or "none") + ".",
            )
        if _is_sequence(fields[name]):
            given.setdefault(name, []).append(text)
        elif name in given:
            raise Invalid(f"{name} is given twice", code="ambiguous")
        else:
            given[name] = _lax(text, name, fields[name])
    return given


def _lax(text: str, name: str, type_: Any) -> Any:
    """A value from text: a field that can hold text gets it as it is, others are read from it."""
    if _takes_text(type_):
        return text
    try:
        return msgspec.convert(text, type_, strict=False)
    except msgspec.ValidationError as error:
        raise Invalid(f"{name} is {text[:80]!r}: {error}") from error


def _members(type_: Any) -> tuple[Any, ...]:
    info = msgspec.inspect.type_info(type_)
    while isinstance(info, msgspec.inspect.Metadata):
        info = info.type
    return info.types if isinstance(info, msgspec.inspect.UnionType) else (info,)


def _takes_text(type_: Any) -> bool:
    # Enumerations, instants and the like are read from text strictly too.
    reads = (
        msgspec.inspect.StrType,
        msgspec.inspect.EnumType,
        msgspec.inspect.DateTimeType,
    )
    return any(isinstance(member, reads) for member in _members(type_))


def _is_sequence(type_: Any) -> bool:
    sequences = (msgspec.inspect.VarTupleType, msgspec.inspect.ListType)
    return any(isinstance(member, sequences) for member in _members(type_))


def _is_object(type_: Any) -> bool:
    objects = (
        msgspec.inspect.StructType,
        msgspec.inspect.DataclassType,
        msgspec.inspect.DictType,
    )
    return any(isinstance(member, objects) for member in _members(type_))
