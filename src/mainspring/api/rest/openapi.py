"""The description of our API, made from the table: OpenAPI 3.1, and a plain list of the operations."""

from collections.abc import Iterator
from functools import cache
from importlib.metadata import version
from typing import Any

import msgspec
from msgspec import NODEFAULT, UNSET

from mainspring.api.errors import STATUS_OF_KIND
from mainspring.api.rest.decode import has_body
from mainspring.kernel.codec import encode
from mainspring.kernel.errors import KINDS
from mainspring.operations.operation import Operation
from mainspring.operations.table import OPERATIONS

_REF = "#/components/schemas/{name}"
_DIGEST = {
    "name": "digest",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"},
}
_BYTES = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}


@cache
def openapi() -> bytes:
    """The OpenAPI document, as JSON."""
    return encode(openapi_document())


@cache
def described() -> bytes:
    """Every operation with its route, permission and fields, as JSON."""
    return encode([_described(operation) for operation in OPERATIONS])


def openapi_document() -> dict[str, Any]:
    """The OpenAPI document as plain values."""
    results = [operation.result for operation in OPERATIONS]
    found, components = _schemas(results + [operation.request for operation in OPERATIONS])
    answers, bodies = found[: len(OPERATIONS)], found[len(OPERATIONS) :]
    paths: dict[str, dict[str, Any]] = {}
    for operation, answer, body in zip(OPERATIONS, answers, bodies, strict=True):
        shape = components[body["$ref"].rpartition("/")[2]]
        described = _operation(operation, answer, shape)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    _forget(components, {body["$ref"].rpartition("/")[2] for body in bodies}, paths)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mainspring",
            "version": version("mainspring"),
            "description": "Every verb of the product. Instants are RFC 3339 in UTC; a number that is "
            "not a number (NaN, infinity) is `null`.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/api/v1"}],
        "security": [{"bearer": []}, {"basic": []}, {"session": []}],
        "paths": paths | _other_paths(),
        "components": {
            "schemas": components | {"Error": _error_schema()},
            "responses": {"Error": _error_response()},
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "Any user name; the token as password.",
                },
                "session": {"type": "apiKey", "in": "cookie", "name": "mainspring_token"},
            },
        },
    }


def _forget(components: dict[str, Any], requests: set[str], paths: dict[str, Any]) -> None:
    """Remove requests that were split into parameters and bodies, but for those that others hold."""
    split = {name: components.pop(name) for name in requests if name in components}
    found = _references([paths, components])
    while held := found & split.keys():
        components |= {name: split.pop(name) for name in held}
        found = _references([components[name] for name in held])


def _references(value: Any) -> set[str]:
    """The names of the schemas that are referred to anywhere in a document."""
    match value:
        case {"$ref": str(address)}:
            return {address.rpartition("/")[2]}
        case dict():
            return {name for each in value.values() for name in _references(each)}
        case list():
            return {name for each in value for name in _references(each)}
    return set()


def _schemas(types: list[Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    found, components = msgspec.json.schema_components(
        types, schema_hook=_anything, ref_template=_REF
    )
    return list(found), dict(components)


def _anything(type_: type) -> dict[str, Any]:
    if type_ is object:
        return {"description": "Any JSON value."}
    raise NotImplementedError(type_)


def _operation(
    operation: Operation, answer: dict[str, Any], shape: dict[str, Any]
) -> dict[str, Any]:
    in_path = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    properties: dict[str, Any] = shape.get("properties", {})
    required = set(shape.get("required", ()))
    rest = {name: schema for name, schema in properties.items() if name not in in_path}
    parameters = [_parameter(name, "path", properties[name], True) for name in in_path]
    found: dict[str, Any] = {
        "operationId": operation.name,
        "tags": [operation.name.partition(".")[0]],
        "summary": operation.summary,
        "description": _text(operation),
        "parameters": parameters,
        "responses": {
            "200": {
                "description": "Done.",
                "content": {"application/json": {"schema": answer}},
            },
            "default": {"$ref": "#/components/responses/Error"},
        },
        "x-permission": operation.permission.value,
        "x-kind": operation.kind.value,
    }
    if not has_body(operation):
        parameters += [_parameter(n, "query", s, n in required) for n, s in rest.items()]
    elif rest:
        needed = sorted(required & rest.keys())
        body: dict[str, Any] = {"type": "object", "properties": rest, "additionalProperties": False}
        if needed:
            body["required"] = needed
        content = {"application/json": {"schema": body}}
        found["requestBody"] = {"required": bool(needed), "content": content}
    return found


def _text(operation: Operation) -> str:
    text = "\n".join(line.strip() for line in (operation.request.__doc__ or "").splitlines())
    return f"{text.strip()}\n\nTakes the permission `{operation.permission.value}`."


def _parameter(name: str, place: str, schema: dict[str, Any], required: bool) -> dict[str, Any]:
    return {"name": name, "in": place, "required": required, "schema": schema}


def _other_paths() -> dict[str, Any]:
    error = {"default": {"$ref": "#/components/responses/Error"}}
    return {
        "/blobs/{digest}": {
            "parameters": [_DIGEST],
            "put": {
                "operationId": "blob.put",
                "tags": ["blob"],
                "summary": "Store bytes under their digest; the same bytes again change nothing.",
                "requestBody": {"required": True, "content": _BYTES},
                "responses": {"204": {"description": "Stored and on disk."}} | error,
            },
            "get": {
                "operationId": "blob.get",
                "tags": ["blob"],
                "summary": "The bytes with this digest, whole or by range.",
                "responses": {"200": {"description": "The bytes.", "content": _BYTES}} | error,
            },
            "head": {
                "operationId": "blob.head",
                "tags": ["blob"],
                "summary": "Whether there are bytes with this digest.",
                "responses": {"200": {"description": "There are."}} | error,
            },
        },
        "/events/stream": {
            "get": {
                "operationId": "event.stream",
                "tags": ["event"],
                "summary": "Events as they happen, as server-sent events.",
                "parameters": [
                    _parameter("after", "query", {"type": "integer", "minimum": 0}, False),
                    _parameter("service", "query", {"type": "string"}, False),
                ],
                "responses": {
                    "200": {
                        "description": "A stream; the data of each message is a StoredEvent.",
                        "content": {"text/event-stream": {"schema": {"type": "string"}}},
                    }
                }
                | error,
            }
        },
    }


def _error_schema() -> dict[str, Any]:
    text = {"type": ["string", "null"]}
    fields = {
        "kind": {"type": "string", "enum": [*KINDS, "unexpected"]},
        "code": {"type": "string", "description": "Stable; programs match on it."},
        "message": {"type": "string", "description": "What happened, for people."},
        "hint": {**text, "description": "What to do next."},
        "where": {**text, "description": "Where in the input."},
    }
    told = {"type": "object", "properties": fields, "required": ["kind", "code", "message"]}
    return {"type": "object", "properties": {"error": told}, "required": ["error"]}


def _error_response() -> dict[str, Any]:
    table = ", ".join(f"{kind} {status}" for kind, status in STATUS_OF_KIND.items())
    return {
        "description": f"It was not done. Kinds and their statuses: {table}.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }


def _described(operation: Operation) -> dict[str, Any]:
    return {
        "name": operation.name,
        "method": operation.method,
        "path": f"/api/v1{operation.path}",
        "kind": operation.kind.value,
        "permission": operation.permission.value,
        "summary": operation.summary,
        "fields": [*_described_fields(operation)],
    }


def _described_fields(operation: Operation) -> Iterator[dict[str, Any]]:
    for field in msgspec.structs.fields(operation.request):
        has_default = field.default is not NODEFAULT or field.default_factory is not NODEFAULT
        optional = has_default or field.default is UNSET
        yield {"name": field.encode_name, "required": not optional}
