"""Laying a version out as files again, in a new folder or over another version."""

import errno
import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from glob import escape as glob_escape
from pathlib import Path, PurePosixPath

from mainspring.blobs.port import BlobStore
from mainspring.blobs.seen import SeenFolder, SeenFolders
from mainspring.blobs.taking import PART, Stamp
from mainspring.blobs.trees import check_paths, lay_out, look_at, read_manifest
from mainspring.datasets.folders import now
from mainspring.domain.dataset import DatasetVersion, DatasetVersionState, Manifest
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Conflict, Invalid, MainspringError, NotFound, Unavailable

_NAMED = 5
_LEFTOVER_SECONDS = 86400.0


def checkout(
    blobs: BlobStore,
    version: DatasetVersion,
    target: Path,
    *,
    only: Sequence[str] = (),
    force: bool = False,
    seen: SeenFolders | None = None,
) -> bool:
    """Write a version's files to a folder; False if they were all there already.

    `only` are patterns (`*` within a name, `**` across folders) of the files to write. A new folder appears all at once.
    In a folder that holds files, those whose bytes are stored may be replaced or removed; for others it is refused with
    `Conflict`, and nothing is touched, unless `force` is given. Killed half-way, the same call finishes it.
    Raises `Corrupt` for damaged bytes, `NotFound` for patterns that match nothing.
    """
    if version.state is DatasetVersionState.REMOVED:
        raise NotFound(
            f"{version.dataset} version {version.number} was removed",
            code="version_removed",
            hint=f"`mainspring data log {version.dataset}` shows the versions that are there.",
        )
    manifest = _chosen(read_manifest(blobs, version.manifest), only)
    check_paths(manifest)
    known = seen.load(target) if seen is not None else SeenFolder(root=str(target))
    began_ns = time.time_ns()
    with _writing(target):
        if target.is_symlink() or (target.exists() and not target.is_dir()):
            raise Conflict(f"{target} is not a folder", code="target_occupied")
        _refuse_clashes(manifest, target)
        if target.is_dir() and any(target.iterdir()):
            with _alone(target):
                is_changed = _update(
                    blobs, manifest, target, known, keep_others=bool(only), force=force
                )
        else:
            _write_new(blobs, manifest, target)
            is_changed = True
    if seen is not None and not only:
        known.dataset, known.number = version.dataset, version.number
        known.manifest = version.manifest
        _remember(seen, known, manifest, target, began_ns)
    return is_changed


def _chosen(manifest: Manifest, only: Sequence[str]) -> Manifest:
    if not only:
        return manifest
    entries = tuple(
        entry
        for entry in manifest.entries
        if any(_matches(entry.path, pattern) for pattern in only)
    )
    if not entries:
        raise NotFound(
            f"no file of the version matches {' or '.join(repr(pattern) for pattern in only)}",
            code="nothing_matches",
            hint="`*` stands for any part of a name, `**` for any folders.",
        )
    return Manifest(entries=entries)


def _matches(path: str, pattern: str) -> bool:
    """Whether a path is what a pattern says, or lies below it.

    >>> _matches("cats/a.png", "cats"), _matches("cats/big/a.png", "cats/*.png")
    (True, False)
    >>> _matches("cats/big/a.png", "cats/**/*.png"), _matches("b.png", "**/*.png")
    (True, True)
    """
    return path == pattern or path.startswith(pattern.rstrip("/") + "/") or _glob(path, pattern)


def _glob(path: str, pattern: str) -> bool:
    from fnmatch import fnmatchcase

    def match(parts: tuple[str, ...], patterns: tuple[str, ...]) -> bool:
        if not patterns:
            return not parts
        if patterns[0] == "**":
            return any(match(parts[at:], patterns[1:]) for at in range(len(parts) + 1))
        return bool(parts) and fnmatchcase(parts[0], patterns[0]) and match(parts[1:], patterns[1:])

    return match(PurePosixPath(path).parts, PurePosixPath(pattern).parts)


def _write_new(blobs: BlobStore, manifest: Manifest, target: Path) -> None:
    """Write to a folder beside the target, which then takes its place."""
    target.parent.mkdir(parents=True, exist_ok=True)
    # What comes after a long name has to find room in the 255 bytes that a name may have.
    prefix = f".{target.name[:40]}-"
    for leftover in target.parent.glob(f"{glob_escape(prefix)}*{PART}"):
        _clear_if_old(leftover)
    temporary = Path(tempfile.mkdtemp(prefix=prefix, suffix=PART, dir=target.parent))
    try:
        lay_out(blobs, manifest, temporary)
        temporary.chmod(0o755)
        os.replace(temporary, target)
    except OSError as error:
        if target.is_dir() and any(target.iterdir()):
            raise Conflict(
                f"{target} was filled by somebody else meanwhile", code="target_occupied"
            ) from error
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _writing(target: Path) -> Iterator[None]:
    """Say what is wrong with a target that can't be written."""
    try:
        yield
    except OSError as error:
        raise _unwritable(error, target) from error


def _unwritable(error: OSError, target: Path) -> MainspringError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(
            f"the disk that holds {target} is full",
            code="disk_full",
            hint="Free some space; the same command goes on from there.",
        )
    what = target if error.filename is None else os.fsdecode(error.filename)
    if error.errno in (errno.EISDIR, errno.ENOTDIR, errno.EEXIST):
        return Conflict(
            f"a folder and a file would stand in one place: {what}",
            code="target_occupied",
            hint="Check out elsewhere, or all of the version.",
        )
    return Invalid(f"{what} can't be written: {error.strerror}", code="target_unwritable")


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Wait for other checkouts of the same folder."""
    handle = os.open(target, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _clear_if_old(leftover: Path) -> None:
    """Remove the folder of a checkout that died; a young one may be another's work."""
    with suppress(FileNotFoundError):
        if leftover.lstat().st_mtime < time.time() - _LEFTOVER_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)


def _update(
    blobs: BlobStore,
    manifest: Manifest,
    target: Path,
    known: SeenFolder,
    *,
    keep_others: bool,
    force: bool,
) -> bool:
    """Make a folder that holds files what the manifest says; whether anything had to be done."""
    there = now(target, known)
    wanted = {entry.path: entry.digest for entry in manifest.entries}
    write = [entry for entry in manifest.entries if there.get(entry.path) != entry.digest]
    gone = [] if keep_others else [path for path in there if path not in wanted]
    if not force:
        _refuse_loss(blobs, target, there, [*gone, *(e.path for e in write if e.path in there)])
    _, empty = look_at(target)
    missing = [folder for folder in manifest.empty_folders if not (target / folder).is_dir()]
    for leftover in list(target.rglob(f".*{PART}")):
        if leftover.is_dir() and not leftover.is_symlink():
            _clear_if_old(leftover)
        else:
            leftover.unlink(missing_ok=True)
    for path in gone:
        (target / path).unlink(missing_ok=True)
        _drop_empty_folders(target, path)
    if not keep_others:
        for folder in empty:
            if folder not in manifest.empty_folders:
                _drop_empty_folders(target, folder + "/x")
    lay_out(
        blobs,
        Manifest(entries=tuple(write), empty_folders=manifest.empty_folders),
        target,
        replace=True,
    )
    return bool(write or gone or missing)


def _refuse_loss(blobs: BlobStore, target: Path, there: dict[str, Digest], lost: list[str]) -> None:
    """Raise `Conflict` for files whose only copy would be overwritten or removed."""
    stored = blobs.touch({there[path] for path in lost})
    unsaved = sorted(path for path in lost if there[path] not in stored)
    if unsaved:
        more = f" and {len(unsaved) - _NAMED} more" if len(unsaved) > _NAMED else ""
        raise Conflict(
            f"{target} holds other files, which are stored nowhere: {', '.join(unsaved[:_NAMED])}{more}",
            code="target_occupied",
            hint="Add them as a version, check out elsewhere, or give them up with --force; nothing was touched.",
        )


def _drop_empty_folders(target: Path, path: str) -> None:
    for parent in PurePosixPath(path).parents:
        if parent.name:
            with suppress(OSError):
                (target / parent).rmdir()


def _refuse_clashes(manifest: Manifest, target: Path) -> None:
    """Raise `Conflict` if names that the file system takes for one would overwrite each other or be mixed."""
    paths = [*(entry.path for entry in manifest.entries), *manifest.empty_folders]
    parents = {path.rpartition("/")[0] for path in paths}
    # Of `Cats/a` and `cats/b` the folders clash, and may do so at any depth.
    parents |= {str(above) for path in parents for above in PurePosixPath(path).parents}
    folded: dict[str, str] = {}
    clashes = [
        (folded[path.casefold()], path)
        for path in (*paths, *sorted(parents))
        if folded.setdefault(path.casefold(), path) != path
    ]
    if clashes and _ignores_case(target):
        one, two = clashes[0]
        raise Conflict(
            f"{one} and {two} would be one: the file system of {target} ignores case",
            code="names_clash",
            hint="Check out on another file system, or only some of the files.",
        )


def _ignores_case(target: Path) -> bool:
    folder = next(each for each in (target, *target.absolute().parents) if each.is_dir())
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".mainspring-Case") as file:
        path = Path(file.name)
        return path.with_name(path.name.lower()).exists()


def _remember(
    seen: SeenFolders, known: SeenFolder, manifest: Manifest, target: Path, began_ns: int
) -> None:
    stamps, _ = look_at(target)
    digests = {entry.path: entry.digest for entry in manifest.entries}
    if stamps.keys() != digests.keys():
        return  # somebody writes there: the next look reads all
    found: dict[str, tuple[Digest, Stamp]] = {
        path: (digests[path], stamp) for path, stamp in stamps.items()
    }
    known.replace_files(found, at_ns=began_ns)
    seen.save(known)
