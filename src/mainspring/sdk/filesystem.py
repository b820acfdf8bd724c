"""`mainspring://` addresses: dataset versions as a file system for whatever reads through fsspec.

`mainspring://rides@3/2011/q1.parquet` is a file of a version, `mainspring://rides/...` one of the newest accepted
version. Bytes are streamed from the store or the server, nothing is checked out.
"""

import errno
import io
import weakref
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO

from mainspring.datasets.requests import ListDatasets
from mainspring.kernel.errors import MainspringError, NotFound

try:
    from fsspec import AbstractFileSystem
except ImportError as error:
    raise ImportError("mainspring:// addresses need fsspec: install mainspring[fsspec]") from error

if TYPE_CHECKING:
    from mainspring.pipelines.dataset import Dataset
    from mainspring.sdk.client import Client


class MainspringFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec ships no types
    """Datasets as folders, read only. Options are those of the command line: `home`, or `url` and `token`.

    Errors are those of files (`FileNotFoundError`, `OSError`), as readers expect of a file system.
    """

    protocol = "mainspring"
    root_marker = ""

    def __init__(
        self,
        home: str | Path | None = None,
        *,
        url: str | None = None,
        token: str | None = None,
        **options: Any,  # fsspec's own, among which are those of its caches
    ) -> None:
        super().__init__(home=home, url=url, token=token, **options)
        self._home, self._url, self._token = home, url, token
        self._opened: Client | None = None
        # A version given by number never changes; where it is known it is not asked for again.
        self._known: dict[str, Dataset] = {}

    def ls(self, path: str, detail: bool = True, **options: Any) -> list[Any]:
        """What is in a folder: datasets at the top, then the files and folders of a version."""
        path = self._strip_protocol(path).strip("/")
        if not path:
            found = [_folder(dataset.name) for dataset in self._client.call(ListDatasets())]
        else:
            found = self._below(path)
        return found if detail else [entry["name"] for entry in found]

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """One file or folder: name, type, size, digest."""
        path = self._strip_protocol(path).strip("/")
        if not path:
            return _folder("")
        dataset, _, inside = path.partition("/")
        version = self._version(dataset)
        entries = version.entries()
        for entry in entries:
            if entry.path == inside:
                return _file(path, entry.size_bytes, entry.digest)
        if not inside or any(entry.path.startswith(f"{inside}/") for entry in entries):
            return _folder(path)
        raise _missing(path, f"{dataset} has no file {inside!r}")

    def created(self, path: str) -> datetime:
        """When a file's version was added."""
        dataset = self._strip_protocol(path).strip("/").partition("/")[0]
        at = self._version(dataset).created_at
        if at is None:
            raise _missing(path, f"it is not known when {dataset} was added")
        return at

    def modified(self, path: str) -> datetime:
        """When a file's version was added: it never changes after that."""
        return self.created(path)

    def _open(self, path: str, mode: str = "rb", **options: Any) -> Any:
        if mode != "rb":
            raise OSError(
                errno.EROFS, "versions never change; `mainspring data add` makes the next", path
            )
        dataset, _, inside = self._strip_protocol(path).strip("/").partition("/")
        try:
            return io.BufferedReader(_Stream(self._version(dataset).open(inside)))
        except NotFound as error:
            raise _missing(path, error.message) from error

    @property
    def _client(self) -> "Client":
        if self._opened is None:
            from mainspring.config import load_settings
            from mainspring.sdk.embedded import EmbeddedClient
            from mainspring.sdk.remote import RemoteClient

            settings = load_settings(home=self._home, url=self._url, token=self._token)
            self._opened = (
                RemoteClient(settings.url, settings.token)
                if settings.url
                else EmbeddedClient(settings)
            )
            # fsspec keeps file systems for as long as the process lives.
            weakref.finalize(self, self._opened.close)
        return self._opened

    def _version(self, given: str) -> "Dataset":
        """The version called `name` or `name@3`."""
        if given in self._known:
            return self._known[given]
        name, _, number = given.partition("@")
        if number and not number.isdecimal():
            raise _missing(given, f"{given!r} names no dataset version; write name@3")
        try:
            version = self._client.dataset(name, int(number) if number else None)
        except NotFound as error:
            raise _missing(given, error.message) from error
        except MainspringError as error:
            raise OSError(errno.EIO, str(error), given) from error
        if number:
            self._known[given] = version
        return version

    def _below(self, path: str) -> list[dict[str, Any]]:
        dataset, _, inside = path.partition("/")
        entries = self._version(dataset).entries()
        found: dict[str, dict[str, Any]] = {}
        for entry in entries:
            name = f"{dataset}/{entry.path}"
            if entry.path == inside:
                return [_file(name, entry.size_bytes, entry.digest)]
            if inside and not entry.path.startswith(f"{inside}/"):
                continue
            parts = PurePosixPath(name).parts
            child = "/".join(parts[: len(PurePosixPath(path).parts) + 1])
            found[child] = (
                _file(name, entry.size_bytes, entry.digest) if child == name else _folder(child)
            )
        if not found:
            raise _missing(path, f"{dataset} has no file {inside!r}")
        return list(found.values())


class _Stream(io.RawIOBase):
    """A stream that is closed when nobody has it any more: DuckDB closes none of its own."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def readinto(self, buffer: Any) -> int:
        data = self._stream.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _folder(name: str) -> dict[str, Any]:
    return {"name": name, "size": 0, "type": "directory"}


def _file(name: str, size: int, digest: str) -> dict[str, Any]:
    return {"name": name, "size": size, "type": "file", "digest": digest}


def _missing(path: str, why: str) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, why, path)
