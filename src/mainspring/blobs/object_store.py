"""Objects by name on S3, what speaks like it, or in a folder: the only module that imports `obstore`."""

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import urlsplit

from mainspring.kernel.errors import Denied, Invalid, NotFound, Unavailable

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_RETRY_SECONDS = 90
_REQUEST_SECONDS = 120
_CONNECT_SECONDS = 5
_SPOOL_BYTES = 8 << 20
# One request each for ranges that are nearer to each other than this.
_COALESCE_BYTES = 256 << 10


class Objects:
    """The objects below an address such as `s3://bucket/prefix` or `file:///srv/data`.

    Credentials and region come from the environment (`AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, a web
    identity or the instance's role); `endpoint` names a server that speaks like S3. What fails on the way is tried again
    for a minute and a half. Raises `Unavailable`, `Denied` or `NotFound` for what the server answers.
    """

    def __init__(self, url: str, *, endpoint: str = "") -> None:
        check_address(url, endpoint)
        self.url = url
        self._endpoint = endpoint
        self._opened: ObjectStore | None = None

    def put(self, name: str, data: bytes | Path) -> None:
        """Write an object whole; what was there is replaced."""
        import obstore

        with self._told(name):
            obstore.put(self._store, name, data, mode="overwrite")

    def put_new(self, name: str, data: bytes) -> bool:
        """Write an object unless there is one; False if there is. The server decides, so that two can't both."""
        import obstore
        from obstore.exceptions import AlreadyExistsError

        try:
            with self._told(name):
                obstore.put(self._store, name, data, mode="create")
        except AlreadyExistsError:
            return False
        return True

    def get(self, name: str) -> bytes:
        """A whole object."""
        import obstore

        with self._told(name):
            return bytes(obstore.get(self._store, name).bytes())

    def open(self, name: str) -> BinaryIO:
        """A whole object as a temporary file, of any size."""
        import obstore

        file = tempfile.SpooledTemporaryFile(_SPOOL_BYTES)  # noqa: SIM115  # the caller closes it
        try:
            with self._told(name):
                for chunk in obstore.get(self._store, name).stream():
                    file.write(chunk)
        except BaseException:
            file.close()
            raise
        file.seek(0)
        return cast(BinaryIO, file)

    def exists(self, name: str) -> bool:
        """Whether there is such an object."""
        import obstore

        try:
            with self._told(name):
                obstore.head(self._store, name)
        except NotFound:
            return False
        return True

    def size_bytes(self, name: str) -> int:
        """How large an object is; raises `NotFound`."""
        import obstore

        with self._told(name):
            return obstore.head(self._store, name)["size"]

    def get_ranges(self, name: str, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
        """Parts of an object, each by its start and length; neighbours come in one request."""
        import obstore

        with self._told(name):
            found = obstore.get_ranges(
                self._store,
                name,
                starts=[start for start, _ in ranges],
                lengths=[length for _, length in ranges],
                coalesce=_COALESCE_BYTES,
            )
            return [bytes(each) for each in found]

    def names(self, prefix: str) -> Iterator[str]:
        """The names of all objects below a prefix."""
        import obstore

        with self._told(prefix):
            for page in obstore.list(self._store, prefix):
                yield from (each["path"] for each in page)

    def delete(self, name: str) -> None:
        """Remove an object; one that is not there is fine."""
        import obstore

        with self._told(name):
            obstore.delete(self._store, name)

    @property
    def _store(self) -> "ObjectStore":
        if self._opened is None:
            self._opened = self._open()
        return self._opened

    def _open(self) -> "ObjectStore":
        try:
            from obstore.store import LocalStore, S3Store
        except ImportError as error:
            raise Invalid(
                "remotes need the library obstore, which is not installed",
                code="missing_extra",
                hint="pip install 'mainspring[s3]'",
            ) from error
        parts = urlsplit(self.url)
        if parts.scheme == "file":
            Path(parts.path).mkdir(parents=True, exist_ok=True)
            return LocalStore(parts.path)
        options: dict[str, Any] = {"bucket": parts.netloc}
        if self._endpoint:
            # A server of one's own has no region and is found by its path, not by the bucket's name.
            options |= {"endpoint": self._endpoint, "virtual_hosted_style_request": False}
            options["region"] = _region(os.environ)
        return S3Store(
            **options,
            prefix=parts.path.strip("/") or None,
            client_options={
                "allow_http": self._endpoint.startswith("http://"),
                "connect_timeout": timedelta(seconds=_CONNECT_SECONDS),
                "timeout": timedelta(seconds=_REQUEST_SECONDS),
            },
            retry_config={
                "max_retries": 60,
                "retry_timeout": timedelta(seconds=_RETRY_SECONDS),
                "backoff": {
                    "init_backoff": timedelta(milliseconds=100),
                    "max_backoff": timedelta(seconds=3),
                    "base": 2,
                },
            },
        )

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        from obstore import exceptions

        try:
            yield
        except (exceptions.NotFoundError, FileNotFoundError) as error:
            raise NotFound(f"{self.url} has no {name}", code="object_missing") from error
        except (exceptions.PermissionDeniedError, exceptions.UnauthenticatedError) as error:
            raise Denied(
                f"{self.url} refuses {name}: {_first_line(error)}",
                code="remote_denied",
                hint="Credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a role or a web identity.",
            ) from error
        except exceptions.AlreadyExistsError:
            raise
        except exceptions.BaseError as error:
            raise Unavailable(
                f"{self.url} can't be reached or failed: {_first_line(error)}",
                code="remote_unavailable",
                hint="What came across is kept: the same command goes on from there.",
            ) from error


def check_address(url: str, endpoint: str) -> None:
    """Raise `Invalid` for an address that can't name objects."""
    parts = urlsplit(url)
    is_s3 = parts.scheme == "s3" and parts.netloc
    is_folder = parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc
    if not (is_s3 or is_folder) or parts.query or parts.username or parts.password:
        raise Invalid(
            f"{parts.scheme}://{parts.hostname or ''}{parts.path} is not an address of objects",
            code="bad_remote",
            hint="Write s3://BUCKET/PREFIX or file:///FOLDER; credentials come from the environment.",
        )
    if endpoint and urlsplit(endpoint).scheme not in ("http", "https"):
        raise Invalid(
            f"{endpoint!r} is not an endpoint", hint="Write http://HOST:PORT or https://HOST."
        )


def _region(environment: Mapping[str, str]) -> str:
    return environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or "us-east-1"


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
