"""Folders as manifests: storing one, and laying one out again."""

import os
import stat
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from mainspring.blobs.port import BlobStore
from mainspring.blobs.seen import SeenFolder
from mainspring.blobs.taking import PART, Stamp, changed
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.kernel.codec import canonical, decode
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Corrupt, Invalid


@dataclass(frozen=True, slots=True)
class _Look:
    """Files as they were found below a folder, or the one file that is no folder; nanoseconds since the epoch."""

    root: Path
    files: dict[str, Stamp]
    began_ns: int


def put_manifest(blobs: BlobStore, manifest: Manifest) -> Digest:
    """Store a manifest; its digest names the whole tree."""
    return blobs.put_bytes(canonical(manifest))


class _Reads(Protocol):
    def read(self, digest: Digest) -> bytes: ...


def read_manifest(blobs: _Reads, digest: Digest) -> Manifest:
    """Read a manifest back, verified; raises `NotFound` or `Corrupt`."""
    try:
        return decode(blobs.read(digest), Manifest, what="manifest")
    except Invalid as error:
        raise Corrupt(f"{digest} is not a manifest") from error


def put_folder(
    blobs: BlobStore,
    root: Path,
    *,
    seen: SeenFolder | None = None,
    near: Mapping[str, Digest] | None = None,
) -> Manifest:
    """Store every file below a folder.

    Files that `seen` knows to be unchanged are not read again, and it remembers what was found. `near` gives, by
    path, stored bytes that a file may be a later version of. Raises `Invalid` for links, special files and names that
    could not be laid out again, `Conflict` if the folder changes meanwhile.
    """
    began_ns = time.time_ns()
    files, empty_folders = look_at(root)
    look = _Look(root, files, began_ns)
    entries, was_read = _put(blobs, look, seen or SeenFolder(root=str(root)), near)
    if was_read and look_at(root) != (files, empty_folders):
        raise changed(root)
    return Manifest(entries=entries, empty_folders=tuple(empty_folders))


def put_alone(
    blobs: BlobStore,
    path: Path,
    *,
    seen: SeenFolder | None = None,
    near: Mapping[str, Digest] | None = None,
) -> Manifest:
    """Store one file as a tree of its own, as `put_folder` does; a link to it is followed."""
    check_storable(path.name)
    began_ns = time.time_ns()
    real = Path(os.path.realpath(path))
    status = real.stat()
    if not stat.S_ISREG(status.st_mode):
        raise _special(path)
    stamp = Stamp.of(status)
    look = _Look(real, {path.name: stamp}, began_ns)
    entries, was_read = _put(blobs, look, seen or SeenFolder(root=str(path)), near)
    if was_read and Stamp.of(real.stat()) != stamp:
        raise changed(path)
    return Manifest(entries=entries)


def put_files(blobs: BlobStore, root: Path, paths: Sequence[str]) -> Manifest:
    """Store some files below a folder, named by their paths relative to it; links are followed."""
    for path in paths:
        check_storable(path)
    ordered = sorted(paths)
    stored = blobs.put_files([os.path.realpath(root / path) for path in ordered])
    return Manifest(
        entries=tuple(
            ManifestEntry(path=path, digest=digest, size_bytes=stamp.size_bytes)
            for path, (digest, stamp) in zip(ordered, stored, strict=True)
        )
    )


def lay_out(blobs: BlobStore, manifest: Manifest, target: Path, *, replace: bool = False) -> None:
    """Write a manifest's files below `target`, which is made; every file is verified as it is copied.

    A file that is there already is in the way, unless it may be replaced. Raises `Invalid` for a path that would leave
    the folder, `Corrupt` for bytes that changed.
    """
    check_paths(manifest)
    folders = {path.rpartition("/")[0] for path in (entry.path for entry in manifest.entries)}
    for folder in sorted({"", *folders, *manifest.empty_folders}):
        (target / folder).mkdir(parents=True, exist_ok=True)
    blobs.copy_out([(e.digest, e.path) for e in manifest.entries], target, replace=replace)


def look_at(root: Path) -> tuple[dict[str, Stamp], list[str]]:
    """Every file below a folder with its stamp, sorted by path, and the folders that hold nothing.

    Raises `Invalid` for what can't be stored: links, sockets, names that are not text.
    """
    files: dict[str, Stamp] = {}
    empty_folders: list[str] = []
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        is_empty = True
        with _scandir(root / folder) as entries:
            for entry in entries:
                if entry.name.endswith(PART):
                    continue
                is_empty = False
                path = folder + entry.name
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISDIR(status.st_mode):
                    waiting.append(path + "/")
                    continue
                if not stat.S_ISREG(status.st_mode):
                    raise _special(root / path)
                _check_name(path)
                files[path] = Stamp.of(status)
        if is_empty and folder:
            _check_name(folder[:-1])
            empty_folders.append(folder[:-1])
    return dict(sorted(files.items())), sorted(empty_folders)


def check_relative(path: str) -> None:
    """Raise `Invalid` unless a path stays below its root whatever the system makes of it."""
    pure = PurePosixPath(path)
    if (
        not path
        or pure.is_absolute()
        or ".." in pure.parts
        or "\\" in path
        or "\0" in path
        or str(pure) != path
    ):
        raise Invalid(
            f"{path!r} is not a plain relative path",
            code="bad_path",
            hint="Give a path below the root, with / between folders and no '..'.",
        )


def check_paths(manifest: Manifest) -> None:
    """Raise `Invalid` if anything of a manifest would leave its folder, or be taken for what is not written whole yet."""
    for path in (*(entry.path for entry in manifest.entries), *manifest.empty_folders):
        check_relative(path)
        if PART in path:
            _check_finished(path)


def check_storable(path: str) -> None:
    """Raise `Invalid` for a name that could not be laid out again, before a byte is stored."""
    _check_name(path)
    check_relative(path)
    _check_finished(path)


def _check_finished(path: str) -> None:
    if any(part.endswith(PART) for part in path.split("/")):
        raise Invalid(
            f"{path!r} has the name of an unfinished checkout",
            code="bad_path",
            hint=f"Names that end in {PART} are not kept; rename it.",
        )


def _check_name(path: str) -> None:
    # Nothing else can be wrong with a path that a folder was walked to.
    try:
        path.encode()
    except UnicodeEncodeError:
        raise Invalid(
            f"the file name {path!r} is not UTF-8",
            code="bad_path",
            hint="Rename the file; a manifest keeps names as text.",
        ) from None
    if "\\" in path:
        check_relative(path)


def _special(path: Path) -> Invalid:
    return Invalid(
        f"{path} is not a regular file",
        code="special_file",
        hint="Links, sockets and devices are not kept; copy the real file in.",
    )


def _put(
    blobs: BlobStore, look: "_Look", seen: SeenFolder, near: Mapping[str, Digest] | None
) -> tuple[tuple[ManifestEntry, ...], bool]:
    """Store the files of a look; whether any was read."""
    root, files = look.root, look.files
    known = {
        path: digest for path, stamp in files.items() if (digest := seen.digest_of(path, stamp))
    }
    there = blobs.touch(set(known.values()))
    found = {path: (digest, files[path]) for path, digest in known.items() if digest in there}
    unread = [path for path in files if path not in found]
    before = {path: each.digest for path, each in seen.files.items()} | dict(near or {})
    is_alone = not root.is_dir()
    stored = blobs.put_files(
        [root if is_alone else f"{root}/{path}" for path in unread],
        _neighbours(unread, files, before),
    )
    for path, (digest, stamp) in zip(unread, stored, strict=True):
        if stamp != files[path]:
            raise changed(root if is_alone else root / path)
        found[path] = (digest, stamp)
    seen.replace_files(found, at_ns=look.began_ns)
    entries = tuple(
        ManifestEntry(path=path, digest=found[path][0], size_bytes=found[path][1].size_bytes)
        for path in files
    )
    return entries, bool(unread)


def _scandir(folder: Path) -> "os._ScandirIterator[str]":
    try:
        return os.scandir(folder)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise changed(folder) from error
    except PermissionError as error:
        raise Invalid(f"{folder} can't be read: permission denied", code="unreadable") from error


def _neighbours(
    unread: list[str], files: dict[str, Stamp], before: dict[str, Digest]
) -> list[Digest | None]:
    """For each file, what was at its path; a file that is new, what is gone from another of its kind."""
    gone = {
        PurePosixPath(path).suffix: digest for path, digest in before.items() if path not in files
    }
    return [before.get(path) or gone.get(PurePosixPath(path).suffix) for path in unread]
