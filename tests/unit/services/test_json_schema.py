"""Editors get the same format that the reader takes."""

import re

from mainspring.services.file_format import File, ServiceTable
from mainspring.services.json_schema import declaration_schema


def test_the_schema_lists_every_key_of_a_service_and_allows_no_other() -> None:
    service = declaration_schema()["$defs"][ServiceTable.__name__]

    assert set(service["properties"]) == set(ServiceTable.__struct_fields__)
    assert service["additionalProperties"] is False
    assert set(service["required"]) == {"pipeline", "data"}


def test_every_reference_in_the_schema_leads_somewhere() -> None:
    schema = declaration_schema()
    references: list[str] = []

    def collect(part: object) -> None:
        if isinstance(part, dict):
            references.extend(v for k, v in part.items() if k == "$ref")
            for inner in part.values():
                collect(inner)
        elif isinstance(part, list):
            for inner in part:
                collect(inner)

    collect(schema)
    assert references
    assert all(ref.removeprefix("#/$defs/") in schema["$defs"] for ref in references)
    assert schema["properties"].keys() == set(File.__struct_fields__)


def test_a_retraining_may_wait_for_a_trigger_or_a_schedule() -> None:
    items = declaration_schema()["$defs"]["RetrainTable"]["properties"]["on"]["items"]

    triggers, schedule = items["anyOf"]
    assert triggers["enum"] == ["new-data", "harmful-drift"]
    assert re.search(schedule["pattern"], "schedule: 0 3 * * 1 Europe/Berlin")
