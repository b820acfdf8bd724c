"""Folders and files of this machine that versions were taken from or laid out in, and what they look like now."""

import os
import stat
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.blobs.port import BlobStore
from mainspring.blobs.seen import SeenFolder, SeenFolders
from mainspring.blobs.taking import Stamp
from mainspring.blobs.trees import look_at, read_manifest
from mainspring.datasets.ingest import store_source
from mainspring.datasets.requests import GetDatasetVersion
from mainspring.domain.dataset import DatasetVersion, Manifest
from mainspring.kernel.digests import Digest, digest_stream
from mainspring.kernel.errors import Invalid, NotFound

Call = Callable[[Any], Any]
"""`App.call` or a client's; `Any`, since its answer's type comes from the request's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderStatus:
    """How a folder differs from the version that it was added as or checked out from.

    `dataset`, `number` and `manifest` are None for a folder that holds no version that is known.
    """

    root: str
    dataset: str | None
    number: int | None
    manifest: Digest | None
    file_count: int
    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]

    @property
    def is_clean(self) -> bool:
        return not (self.added or self.changed or self.removed)


def take(
    blobs: BlobStore, source: Path, seen: SeenFolders | None, before: DatasetVersion | None
) -> Manifest:
    """Store a file or folder as what may be the next version after `before`.

    Raises `Invalid` for one that holds the home folder, and as `store_source` does.
    """
    if seen is not None and seen.lie_in(source):
        raise Invalid(
            f"{source} holds the home folder of Mainspring itself",
            code="holds_home",
            hint="Add the folders beside it, or keep the home elsewhere (--home, MAINSPRING_HOME).",
        )
    known = seen.load(source) if seen is not None else None
    near: dict[str, Digest] = {}
    if before is not None and (known is None or not known.files):
        near = {entry.path: entry.digest for entry in read_manifest(blobs, before.manifest).entries}
    manifest = store_source(blobs, source, seen=known, near=near)
    if seen is not None and known is not None:
        known.dataset = known.number = known.manifest = None
        seen.save(known)
    return manifest


def newest_version(call: Call, dataset: str) -> DatasetVersion | None:
    """The newest accepted version of a dataset, if there is one."""
    try:
        newest: DatasetVersion = call(GetDatasetVersion(dataset=dataset))
    except NotFound:
        return None
    return newest


def remember(seen: SeenFolders, source: Path, version: DatasetVersion) -> None:
    """Note that a folder holds a version, as its last look found it."""
    known = seen.load(source)
    known.dataset, known.number, known.manifest = version.dataset, version.number, version.manifest
    seen.save(known)


def status(blobs: BlobStore, root: Path, seen: SeenFolders) -> FolderStatus:
    """Compare a file or folder with the version it held last; only files whose stamps changed are read.

    Raises `NotFound` for a folder that was never added or checked out, or is not there any more.
    """
    known = seen.load(root)
    if known.manifest is None:
        raise NotFound(
            f"{root} was not added as a version, nor checked out from one",
            code="unknown_folder",
            hint="`mainspring data add NAME PATH` adds it; `mainspring data status` lists those that are known.",
        )
    files = now(root, known)
    then = {entry.path: entry.digest for entry in read_manifest(blobs, known.manifest).entries}
    return FolderStatus(
        root=known.root,
        dataset=known.dataset,
        number=known.number,
        manifest=known.manifest,
        file_count=len(files),
        added=tuple(sorted(files.keys() - then.keys())),
        changed=tuple(sorted(p for p in files.keys() & then.keys() if files[p] != then[p])),
        removed=tuple(sorted(then.keys() - files.keys())),
    )


def now(root: Path, known: SeenFolder) -> dict[str, Digest]:
    """The digest of every file below a folder (or of the file that is no folder) as it is now.

    Only files that changed since they were seen are read. Raises `NotFound` if there is nothing.
    """
    try:
        found_there = root.stat()
    except OSError as error:
        raise NotFound(f"there is no {root} to look at", code="source_missing") from error
    is_folder = stat.S_ISDIR(found_there.st_mode)
    stamps = look_at(root)[0] if is_folder else {root.name: Stamp.of(found_there)}
    began_ns = time.time_ns()
    found: dict[str, tuple[Digest, Stamp]] = {}
    for path, stamp in stamps.items():
        digest = known.digest_of(path, stamp)
        found[path] = (digest or _digest(root / path if is_folder else root), stamp)
    known.replace_files(found, at_ns=began_ns)
    return {path: digest for path, (digest, _) in found.items()}


def _digest(path: Path) -> Digest:
    try:
        with path.open("rb") as stream:
            return digest_stream(stream)
    except OSError as error:
        raise Invalid(f"{path} can't be read: {os.strerror(error.errno or 0)}") from error
