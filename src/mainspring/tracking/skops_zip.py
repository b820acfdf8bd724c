"""Making skops' files repeatable: it names parts by memory addresses and stamps them with the time."""

import json
from io import BytesIO
from typing import Any
from zipfile import ZipFile, ZipInfo

_SCHEMA = "schema.json"
# The earliest time that a zip archive can state.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def settle(data: bytes) -> bytes:
    """The same archive with ids and file names counted in order of appearance, and without times.

    So equal models give equal bytes, and a digest names a model rather than one saving of it.
    """
    with ZipFile(BytesIO(data)) as archive:
        schema = json.loads(archive.read(_SCHEMA))
        names: dict[str, str] = {}
        _renumber(schema, {}, names)
        kept = BytesIO()
        with ZipFile(kept, "w") as settled:
            settled.writestr(ZipInfo(_SCHEMA, _NO_TIME), json.dumps(schema, indent=1))
            for old, new in names.items():
                settled.writestr(ZipInfo(new, _NO_TIME), archive.read(old))
    return kept.getvalue()


def _renumber(node: Any, ids: dict[int, int], names: dict[str, str]) -> None:
    if isinstance(node, list):
        for item in node:
            _renumber(item, ids, names)
        return
    if not isinstance(node, dict):
        return
    if "__loader__" in node and isinstance(node.get("__id__"), int):
        node["__id__"] = ids.setdefault(node["__id__"], len(ids) + 1)
    if "__loader__" in node and isinstance(node.get("file"), str):
        suffix = node["file"].rpartition(".")[2]
        node["file"] = names.setdefault(node["file"], f"{len(names)}.{suffix}")
    for value in node.values():
        _renumber(value, ids, names)
