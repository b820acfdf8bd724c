"""Folders as manifests: storing one, and laying one out again."""

import hashlib
import os
import stat
from pathlib import Path, PurePosixPath

from mainspring.blobs.port import BlobStore
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.kernel.codec import canonical, decode
from mainspring.kernel.digests import CHUNK_BYTES, Digest
from mainspring.kernel.errors import Corrupt, Invalid


def put_manifest(blobs: BlobStore, manifest: Manifest) -> Digest:
    """Store a manifest; its digest names the whole tree."""
    return blobs.put_bytes(canonical(manifest))


def read_manifest(blobs: BlobStore, digest: Digest) -> Manifest:
    """Read a manifest back, verified; raises `NotFound` or `Corrupt`."""
    try:
        return decode(blobs.read(digest), Manifest, what="manifest")
    except Invalid as error:
        raise Corrupt(f"{digest} is not a manifest") from error


def put_folder(blobs: BlobStore, root: Path) -> Manifest:
    """Store every file below a folder; raises `Invalid` for links, special files and names that could
    not be laid out again.

    Empty folders are not kept.
    """
    entries = [
        ManifestEntry(path=path, digest=blobs.put_file(root / path), size_bytes=size)
        for path, size in sorted(_files_below(root))
    ]
    return Manifest(entries=tuple(entries))


def put_files(blobs: BlobStore, root: Path, paths: list[str]) -> Manifest:
    """Store some files below a folder, named by their paths relative to it."""
    entries = []
    for path in sorted(paths):
        _check_storable(path)
        digest = blobs.put_file(root / path)
        entries.append(ManifestEntry(path=path, digest=digest, size_bytes=blobs.size_bytes(digest)))
    return Manifest(entries=tuple(entries))


def lay_out(blobs: BlobStore, manifest: Manifest, target: Path) -> None:
    """Write a manifest's files below `target`, which is made; every file is verified as it is copied.

    Raises `Invalid` for a path that would leave the folder, `Corrupt` for bytes that changed.
    """
    target.mkdir(parents=True, exist_ok=True)
    for entry in manifest.entries:
        check_relative(entry.path)
        destination = target / entry.path
        destination.parent.mkdir(parents=True, exist_ok=True)
        _copy(blobs, entry, destination)


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


def _copy(blobs: BlobStore, entry: ManifestEntry, destination: Path) -> None:
    state = hashlib.sha256()
    temporary = destination.with_name(destination.name + ".part")
    with blobs.open(entry.digest) as source, temporary.open("wb") as sink:
        while chunk := source.read(CHUNK_BYTES):
            state.update(chunk)
            sink.write(chunk)
    if "sha256:" + state.hexdigest() != entry.digest:
        temporary.unlink()
        raise Corrupt(
            f"the stored bytes of {entry.path} are damaged ({entry.digest})",
            hint="`mainspring fsck` lists all that is damaged.",
        )
    os.replace(temporary, destination)


def _files_below(root: Path) -> list[tuple[str, int]]:
    found = []
    for folder, _folders, files in os.walk(root):
        for name in files:
            path = Path(folder) / name
            mode = path.lstat()
            if not stat.S_ISREG(mode.st_mode):
                raise Invalid(
                    f"{path} is not a regular file",
                    code="special_file",
                    hint="Links, sockets and devices are not kept; copy the real file in.",
                )
            relative = path.relative_to(root).as_posix()
            _check_storable(relative)
            found.append((relative, mode.st_size))
    return found


def _check_storable(path: str) -> None:
    # Refused before a byte is stored: a version that can't be checked out again would be lost data.
    try:
        path.encode()
    except UnicodeEncodeError:
        raise Invalid(
            f"the file name {path!r} is not UTF-8",
            code="bad_path",
            hint="Rename the file; a manifest keeps names as text.",
        ) from None
    check_relative(path)
