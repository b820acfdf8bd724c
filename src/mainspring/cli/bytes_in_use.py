"""Walking from rows to bytes and through manifests: what is referenced, missing or damaged."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Corrupt, NotFound
from mainspring.store.references import DIGEST, Kind, Reference, references

if TYPE_CHECKING:
    from mainspring.app import App

# Manifests, evaluations and references are JSON; what is larger is data, which names no other bytes.
_LARGEST_INDEX_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Bytes that are not as they should be, and the first row that needs them (None: no row does)."""

    digest: Digest
    what: str
    needed_by: str | None


@dataclass(slots=True)
class Findings:
    """What a walk found. `needed` maps every digest that a row needs, however far, to that row."""

    needed: dict[Digest, str] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def walk(app: "App") -> Findings:
    """Follow every reference of every row; bytes that others are found through are read and verified."""
    found = Findings()
    with app.store.read(app.actor, "fsck") as tx:
        waiting = list(references(tx))
    for reference in waiting:
        _follow(app, reference, found)
    return found


def unreferenced(app: "App", found: Findings) -> Iterator[Digest]:
    """Stored bytes that no row needs."""
    for digest in app.blobs.digests():
        if digest not in found.needed:
            yield digest


def _follow(app: "App", reference: Reference, found: Findings) -> None:
    if reference.digest in found.needed:
        return
    found.needed[reference.digest] = reference.place
    if not app.blobs.exists(reference.digest):
        found.problems.append(
            Problem(digest=reference.digest, what="missing", needed_by=reference.place)
        )
        return
    if reference.kind is Kind.PLAIN:
        return
    inside = _named_in(app, reference, found)
    for digest in inside:
        # A model in an evaluation is a manifest: whatever is inside an index is looked into as well.
        kind = Kind.OUTPUTS if reference.kind is Kind.OUTPUTS else Kind.PLAIN
        _follow(app, Reference(place=reference.place, digest=digest, kind=kind), found)


def _named_in(app: "App", reference: Reference, found: Findings) -> list[Digest]:
    """The digests that an index (manifest or evaluation) names; none for data."""
    try:
        if app.blobs.size_bytes(reference.digest) > _LARGEST_INDEX_BYTES:
            return []
        with app.blobs.open(reference.digest) as stream:
            if stream.read(1) not in (b"{", b"["):
                return []
        content = app.blobs.read(reference.digest)
    except Corrupt:
        found.problems.append(
            Problem(digest=reference.digest, what="damaged", needed_by=reference.place)
        )
        return []
    except NotFound:
        return []  # deleted since we looked; the caller said that it is missing
    try:
        index = json.loads(content)
    except ValueError:
        return []
    if reference.kind is Kind.OUTPUTS and not _is_index(index):
        return []  # a step's own JSON, which may say whatever it likes
    return [Digest(each) for each in DIGEST.findall(content.decode())]


def _is_index(index: Any) -> bool:
    """Whether JSON is a manifest, an evaluation, or a list of results that are kept one by one."""
    if isinstance(index, list):
        return all(isinstance(each, dict) and each.keys() == _RESULT_FIELDS for each in index)
    return isinstance(index, dict) and index.keys() <= _INDEX_FIELDS


# The fields of a manifest and of an evaluation (`domain/dataset.py`, `domain/evaluation.py`).
_INDEX_FIELDS = {"entries", "values", "model", "table", "target", "reference"}
_RESULT_FIELDS = {"kind", "digest", "summary"}
