import re
from collections.abc import Iterator
from typing import Any

import pytest

from mainspring.api.rest.openapi import openapi_document
from mainspring.operations.table import OPERATIONS
from mainspring.testing.web import Browser

TYPES = {"null", "boolean", "object", "array", "number", "string", "integer"}
KEYWORDS = {
    "$ref", "type", "title", "description", "properties", "required", "additionalProperties",
    "items", "prefixItems", "anyOf", "enum", "const", "format", "pattern", "minimum", "maximum",
    "minLength", "maxLength", "minItems", "maxItems", "default", "propertyNames", "exclusiveMinimum",
}  # fmt: skip


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return openapi_document()


def operations_of(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in document["paths"].items():
        for method, described in item.items():
            if method != "parameters":
                shared = item.get("parameters", [])
                parameters = [*shared, *described.get("parameters", [])]
                yield path, method, described | {"parameters": parameters}


def schemas_in(value: Any) -> Iterator[dict[str, Any]]:
    """Every schema inside a schema, itself first."""
    yield value
    for key in ("items", "additionalProperties", "propertyNames"):
        if isinstance(value.get(key), dict):
            yield from schemas_in(value[key])
    for key in ("anyOf", "prefixItems"):
        for inner in value.get(key, ()):
            yield from schemas_in(inner)
    for inner in value.get("properties", {}).values():
        yield from schemas_in(inner)


def all_schemas(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for schema in document["components"]["schemas"].values():
        yield from schemas_in(schema)
    for _, _, described in operations_of(document):
        for parameter in described["parameters"]:
            yield from schemas_in(parameter["schema"])
        bodies = [described.get("requestBody", {}), *described["responses"].values()]
        for body in bodies:
            for content in body.get("content", {}).values():
                yield from schemas_in(content["schema"])


def test_every_operation_is_described_where_it_is_answered(document: dict[str, Any]) -> None:
    described = {
        each["operationId"]: (method.upper(), path)
        for path, method, each in operations_of(document)
    }

    for operation in OPERATIONS:
        assert described[operation.name] == (operation.method, operation.path)


def test_operations_have_ids_of_their_own_and_say_what_they_do(document: dict[str, Any]) -> None:
    found = [described for _, _, described in operations_of(document)]

    assert len({each["operationId"] for each in found}) == len(found)
    for each in found:
        assert each["summary"]
        assert each["responses"]


def test_the_fields_of_a_path_are_its_parameters(document: dict[str, Any]) -> None:
    for path, _, described in operations_of(document):
        in_path = {p["name"] for p in described["parameters"] if p["in"] == "path"}

        assert in_path == set(re.findall(r"{(\w+)}", path))
        assert all(p["required"] for p in described["parameters"] if p["in"] == "path")
        names = [(p["in"], p["name"]) for p in described["parameters"]]
        assert len(names) == len(set(names))


def test_every_field_of_a_request_is_somewhere(document: dict[str, Any]) -> None:
    by_id = {each["operationId"]: each for _, _, each in operations_of(document)}
    for operation in OPERATIONS:
        each = by_id[operation.name]
        named = {parameter["name"] for parameter in each["parameters"]}
        content = each.get("requestBody", {}).get("content", {})
        for body in content.values():
            named |= set(body["schema"]["properties"])

        assert named == set(operation.request.__struct_encode_fields__)


def test_every_reference_leads_somewhere_and_nothing_is_left_over(document: dict[str, Any]) -> None:
    referred = {schema["$ref"] for schema in all_schemas(document) if "$ref" in schema}
    referred.add("#/components/schemas/Error")
    there = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}

    assert referred == there


def test_schemas_are_json_schema(document: dict[str, Any]) -> None:
    for schema in all_schemas(document):
        assert set(schema) <= KEYWORDS, schema
        types = schema.get("type", "object")
        assert set([types] if isinstance(types, str) else types) <= TYPES
        assert set(schema.get("required", ())) <= set(schema.get("properties", {}))


def test_the_server_answers_with_its_description(browser: Browser) -> None:
    document = browser.get("/api/v1/openapi.json").json()
    operations = browser.get("/api/v1/operations").json()

    assert document["openapi"].startswith("3.1")
    assert [each["name"] for each in operations] == [op.name for op in OPERATIONS]
