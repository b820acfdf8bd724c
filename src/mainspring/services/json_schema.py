"""The JSON Schema of `mainspring.toml`, for completion and checks in editors."""

from typing import Any

import msgspec

from mainspring.domain.service import RetrainTrigger
from mainspring.services.file_format import File


def declaration_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) that accepts what `read_declaration` accepts, but for its cross-checks.

    >>> declaration_schema()["title"]
    'mainspring.toml'
    """
    (_,), parts = msgspec.json.schema_components([File], ref_template="#/$defs/{name}")
    root = parts.pop("File")
    parts["RetrainTable"]["properties"]["on"]["items"] = {
        "anyOf": [
            {"enum": [trigger.value for trigger in RetrainTrigger]},
            {"type": "string", "pattern": r"^schedule\s*:"},
        ]
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mainspring.toml",
        **{key: value for key, value in root.items() if key != "title"},
        "$defs": parts,
    }
