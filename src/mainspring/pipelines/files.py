"""Files that steps hand on: kept by content like everything else, read when they are asked for."""

import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Self

from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import check_relative, lay_out, put_folder, put_manifest, read_manifest
from mainspring.domain.dataset import Manifest
from mainspring.kernel.digests import Digest


class Files(Mapping[str, bytes]):
    """Files by their paths, as a step returns them and others are given them.

    `Files({"report.txt": b"..."})` makes some, `ms.workspace()` takes what a command left. They lie on disk, not in
    memory: `files["report.txt"]` reads one, `files.lay_out(folder)` writes them all.
    """

    def __init__(self, content: Mapping[str, bytes] | None = None) -> None:
        self._blobs: BlobStore | None = None
        self._manifest: Manifest | None = None
        for path, data in (content or {}).items():
            target = self._place_for(path)
            target.write_bytes(data)

    @classmethod
    def taken(cls, root: Path, paths: Sequence[str], folders: Sequence[str] = ()) -> Self:
        """Files of a folder that goes away; of its folders also those that hold nothing."""
        files = cls()
        for path in folders:
            (files._folder / path).mkdir(parents=True, exist_ok=True)
        for path in paths:
            target = files._place_for(path)
            try:
                os.link(root / path, target)
            except OSError:
                shutil.copyfile(root / path, target)
        return files

    @classmethod
    def stored(cls, blobs: BlobStore, digest: Digest) -> Self:
        """Files that were kept before."""
        files = cls()
        files._blobs, files._manifest = blobs, read_manifest(blobs, digest)
        return files

    def __getitem__(self, path: str) -> bytes:
        if self._blobs is not None:
            return self._blobs.read(self._digests[path])
        check_relative(path)
        try:
            return (self._folder / path).read_bytes()
        except (FileNotFoundError, IsADirectoryError) as error:
            raise KeyError(path) from error

    def __iter__(self) -> Iterator[str]:
        if self._manifest is not None:
            return iter([entry.path for entry in self._manifest.entries])
        found = (path for path in self._folder.rglob("*") if path.is_file())
        return iter(sorted(path.relative_to(self._folder).as_posix() for path in found))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __repr__(self) -> str:
        return f"<{self.summary}>"

    def __reduce__(self) -> tuple[Any, ...]:
        # Inside other values they go along as bytes.
        return Files, (dict(self),)

    @property
    def summary(self) -> str:
        """How many there are, and how large they are together."""
        count = len(self)
        return f"{count:,} {'file' if count == 1 else 'files'}, {self._size_bytes:,} bytes"

    def lay_out(self, target: Path | str) -> Path:
        """Write the files below a folder, in the place of any that are there; gives that folder back."""
        folder = Path(target)
        if self._blobs is not None and self._manifest is not None:
            lay_out(self._blobs, self._manifest, folder, replace=True)
        else:
            shutil.copytree(self._folder, folder, dirs_exist_ok=True)
        return folder

    def store(self, blobs: BlobStore) -> Digest:
        """Keep the files; gives the digest that names them all."""
        manifest = self._manifest or put_folder(blobs, self._folder)
        return put_manifest(blobs, manifest)

    @cached_property
    def _digests(self) -> dict[str, Digest]:
        entries = self._manifest.entries if self._manifest is not None else ()
        return {entry.path: entry.digest for entry in entries}

    @cached_property
    def _folder(self) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="mainspring-files-"))
        # Gone when nothing holds these files any more.
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return folder

    @property
    def _size_bytes(self) -> int:
        if self._manifest is not None:
            return self._manifest.size_bytes
        return sum((self._folder / path).stat().st_size for path in self)

    def _place_for(self, path: str) -> Path:
        check_relative(path)
        target = self._folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        return target
