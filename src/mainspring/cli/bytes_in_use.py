"""Walking from rows to bytes and through manifests: what is referenced, missing or damaged."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mainspring.blobs.index import named
from mainspring.domain.dataset import Manifest
from mainspring.domain.evaluation import Evaluation
from mainspring.domain.pipeline import StoredValue
from mainspring.kernel.codec import decode
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Corrupt, Invalid, NotFound
from mainspring.store.references import Kind, Reference, references, results

if TYPE_CHECKING:
    from mainspring.app import App


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Bytes that are not as they should be, and the first row that needs them (None: no row does)."""

    digest: Digest
    what: str
    needed_by: str | None


@dataclass(slots=True)
class Findings:
    """What a walk found. `needed` maps every digest that a row needs, however far, to that row; `pieces`, what those
    are made of.
    """

    needed: dict[Digest, str] = field(default_factory=dict)
    pieces: dict[Digest, str] = field(default_factory=dict)
    followed: set[tuple[Digest, Kind]] = field(default_factory=set)
    problems: list[Problem] = field(default_factory=list)


def walk(app: "App") -> Findings:
    """Follow every reference of every row; bytes that others are found through are read and verified."""
    found = Findings()
    with app.store.read(app.actor, "fsck") as tx:
        waiting = list(references(tx))
    for reference in waiting:
        _follow(app, reference, found)
    return found


def _follow(app: "App", reference: Reference, found: Findings) -> None:
    """Note a reference, and what the bytes behind it name; the same bytes may be met as several kinds."""
    if (reference.digest, reference.kind) in found.followed:
        return
    found.followed.add((reference.digest, reference.kind))
    if reference.digest not in found.needed:
        found.needed[reference.digest] = reference.place
        if not _is_there(app, reference.digest, found, reference.place):
            found.problems.append(
                Problem(digest=reference.digest, what="missing", needed_by=reference.place)
            )
    if reference.kind is not Kind.PLAIN:
        for inner in _named_in(app, reference, found):
            _follow(app, inner, found)


def _is_there(app: "App", digest: Digest, found: Findings, place: str) -> bool:
    """Whether bytes are there, with all the pieces that they are made of; which are noted."""
    try:
        recipe = app.blobs.recipe(digest) or ()
    except Corrupt:
        return True  # told as damaged by whoever reads it
    for piece, _ in recipe:
        if named(piece) != digest:
            found.pieces.setdefault(named(piece), place)
    return app.blobs.is_whole(digest)


def _named_in(app: "App", reference: Reference, found: Findings) -> list[Reference]:
    """What an index names; one that can't be read names nothing, and is a problem."""
    place = reference.place
    try:
        content = app.blobs.read(reference.digest)
        match reference.kind:
            case Kind.MANIFEST:
                entries = decode(content, Manifest, what="manifest").entries
                return [_plain(place, entry.digest) for entry in entries]
            case Kind.EVALUATION:
                return list(_of_evaluation(decode(content, Evaluation, what="evaluation"), place))
            case _:
                return list(results(decode(content, tuple[StoredValue, ...], what="list"), place))
    except NotFound:
        return []  # noted as missing
    except (Corrupt, Invalid):
        found.problems.append(Problem(digest=reference.digest, what="damaged", needed_by=place))
        return []


def _of_evaluation(evaluation: Evaluation, place: str) -> Iterator[Reference]:
    if evaluation.model is not None:
        yield Reference(place=place, digest=evaluation.model, kind=Kind.MANIFEST)
    for digest in (evaluation.table, evaluation.reference):
        if digest is not None:
            yield _plain(place, digest)


def _plain(place: str, digest: Digest) -> Reference:
    return Reference(place=place, digest=digest, kind=Kind.PLAIN)
