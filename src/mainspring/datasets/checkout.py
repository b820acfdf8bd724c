"""Laying a version out as files again."""

import os
import shutil
import tempfile
from pathlib import Path

from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import check_relative, lay_out, read_manifest
from mainspring.domain.dataset import DatasetVersion, Manifest
from mainspring.kernel.digests import digest_stream
from mainspring.kernel.errors import Conflict, Invalid


def checkout(blobs: BlobStore, version: DatasetVersion, target: Path) -> bool:
    """Write a version's files to a folder, all or nothing; False if they were all there already.

    Raises `Conflict` if the folder holds anything else, `Corrupt` for damaged bytes.
    """
    manifest = read_manifest(blobs, version.manifest)
    for entry in manifest.entries:
        check_relative(entry.path)
    if _is_laid_out(manifest, target):
        return False
    _refuse_occupied(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        lay_out(blobs, manifest, temporary)
        temporary.chmod(0o755)
        os.replace(temporary, target)
    except OSError as error:
        # Somebody else filled the folder meanwhile: fine if with the same.
        if not target.is_dir():
            raise Invalid(f"{target} can't be written: {error.strerror}") from error
        if _is_laid_out(manifest, target):
            return False
        _refuse_occupied(target)
        raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return True


def _is_laid_out(manifest: Manifest, target: Path) -> bool:
    if not target.is_dir():
        return False
    found = {
        Path(folder, name).relative_to(target).as_posix()
        for folder, _folders, names in os.walk(target)
        for name in names
    }
    if found != {entry.path for entry in manifest.entries}:
        return False
    for entry in manifest.entries:
        path = target / entry.path
        if path.is_symlink() or path.stat().st_size != entry.size_bytes:
            return False
        with path.open("rb") as stream:
            if digest_stream(stream) != entry.digest:
                return False
    return True


def _refuse_occupied(target: Path) -> None:
    if target.is_symlink() or (target.exists() and not target.is_dir()):
        raise Conflict(f"{target} is not a folder", code="target_occupied")
    if target.is_dir() and any(target.iterdir()):
        raise Conflict(
            f"{target} holds other files",
            code="target_occupied",
            hint="Check out into a new folder; nothing there was touched.",
        )
