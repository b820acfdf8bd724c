"""Pointer files: a small text that names a dataset version, for git to keep beside the code.

The manifest's digest is what counts: it names the same bytes in every installation, whatever number the version
has there. The rest is for people, and for the diff of two commits.
"""

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

from mainspring.datasets.requests import NAME_PATTERN
from mainspring.domain.dataset import DatasetVersion
from mainspring.kernel.digests import Digest, parse_digest
from mainspring.kernel.errors import Conflict, Invalid, NotFound

ENDING = ".msdata"
_MARKERS = ("<<<<<<<", "=======", ">>>>>>>")
_MOST_BYTES = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """What a pointer file says."""

    dataset: str
    number: int
    manifest: Digest
    file_count: int
    size_bytes: int
    row_count: int | None = None

    def __str__(self) -> str:
        return f"{self.dataset} {self.number} ({self.manifest[:19]})"

    def names_the_same(self, other: "Pointer | None") -> bool:
        """Whether both name the same data; the numbers may differ, where it was added in two places."""
        return (
            other is not None and self.dataset == other.dataset and self.manifest == other.manifest
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """What became of two pointers that were changed apart: the text to keep, and why people must decide, if so."""

    text: str
    conflict: str | None = None


def pointer_to(version: DatasetVersion) -> Pointer:
    """The pointer that names a version."""
    return Pointer(
        dataset=version.dataset,
        number=version.number,
        manifest=version.manifest,
        file_count=version.file_count,
        size_bytes=version.size_bytes,
        row_count=version.row_count,
    )


def pointer_text(pointer: Pointer) -> str:
    """A pointer as the text of its file; the same version always gives the same text."""
    # Without gaps between the lines, so that two versions can't be blended by a merge that goes by lines.
    lines = [
        "# Names a version of a dataset; `mainspring data checkout` with this file lays it out.",
        f'dataset = "{pointer.dataset}"',
        f"number = {pointer.number}",
        f'manifest = "{pointer.manifest}"',
        f"files = {pointer.file_count}",
        f"size_bytes = {pointer.size_bytes}",
    ]
    if pointer.row_count is not None:
        lines.append(f"rows = {pointer.row_count}")
    return "\n".join(lines) + "\n"


def read_pointer(path: Path) -> Pointer:
    """Read a pointer file; raises `NotFound`, `Conflict` for an unresolved merge, `Invalid` for what is none."""
    try:
        # A pointer is small; what is large under such a name is something else.
        with path.open("rb") as stream:
            data = stream.read(_MOST_BYTES)
        text = data.decode()
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFound(f"there is no pointer file {path}", code="no_pointer") from error
    except UnicodeDecodeError as error:
        raise _no_pointer(path, "it is no text") from error
    except OSError as error:
        raise Invalid(f"{path} can't be read: {error.strerror}", code="unreadable_file") from error
    return parse_pointer(text, path)


def parse_pointer(text: str, path: Path | str) -> Pointer:
    """Read the text of a pointer file; raises `Conflict` or `Invalid`, which name `path`."""
    if any(line.startswith(_MARKERS) for line in text.splitlines()):
        raise Conflict(
            f"{path} holds two versions that a merge could not choose between",
            code="pointer_conflict",
            hint=f"Choose one: git checkout --ours {path}, or --theirs; then git add {path}.",
        )
    try:
        found = tomllib.loads(text)
        number, rows = found["number"], found.get("rows")
        counts = (number, found["files"], found["size_bytes"], *([] if rows is None else [rows]))
        if not all(type(each) is int and each >= 0 for each in counts):
            raise ValueError("a count is no whole number")
        if not re.fullmatch(NAME_PATTERN, str(found["dataset"])):
            raise ValueError(f"{str(found['dataset'])[:80]!r} can't name a dataset")
        return Pointer(
            dataset=found["dataset"],
            number=number,
            manifest=parse_digest(str(found["manifest"])),
            file_count=found["files"],
            size_bytes=found["size_bytes"],
            row_count=rows,
        )
    except KeyError as error:
        raise _no_pointer(path, f"it says nothing of {error.args[0]!r}") from error
    except Invalid as error:
        raise _no_pointer(path, error.message) from error
    except ValueError as error:
        raise _no_pointer(path, str(error)) from error


def merge(base: str, ours: str, theirs: str, path: str) -> Merge:
    """Choose between two texts of a pointer file that come from one; never between two that both changed.

    A base that is empty or no pointer counts as another version than both.
    """
    mine, other = parse_pointer(ours, f"our {path}"), parse_pointer(theirs, f"their {path}")
    if mine.names_the_same(other):
        return Merge(text=ours)
    before = _before(base, path)
    if mine.names_the_same(before):
        return Merge(text=theirs)
    if other.names_the_same(before):
        return Merge(text=ours)
    was = f"both came from {before}" if before else "there was none before"
    return Merge(
        text=f"<<<<<<< ours\n{ours.rstrip()}\n=======\n{theirs.rstrip()}\n>>>>>>> theirs\n",
        conflict=f"{path}: ours names {mine}, theirs {other}, and {was}",
    )


def _before(base: str, path: str) -> Pointer | None:
    try:
        return parse_pointer(base, path)
    except (Invalid, Conflict):
        return None


def _no_pointer(path: Path | str, reason: str) -> Invalid:
    return Invalid(
        f"{path} is no pointer file: {reason}",
        code="bad_pointer",
        hint="`mainspring data pointer NAME` writes one.",
    )
