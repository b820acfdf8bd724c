"""A server's operations over HTTP: the same `call`, and no database loaded.

What may safely be asked twice is retried for a few seconds: queries whenever the server is away or busy,
anything else only while no connection can be made, since then it was certainly not done.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from threading import Lock
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar
from urllib.parse import urlsplit

import msgspec

from mainspring.api.rest.decode import has_body
from mainspring.api.rest.paths import filled
from mainspring.domain.request import Request
from mainspring.kernel.errors import KINDS, Invalid, MainspringError, NotFound, Unavailable
from mainspring.operations.operation import Kind, Operation
from mainspring.operations.table import BY_REQUEST
from mainspring.sdk.client import Client
from mainspring.sdk.remote_blobs import RemoteBlobs

if TYPE_CHECKING:
    import httpx

T = TypeVar("T")

_PREFIX = "/api/v1"
_MSGPACK = "application/msgpack"
_DELAYS_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6)
_CONNECT_SECONDS = 5.0
_READ_SECONDS = 120.0


class RemoteClient(Client):
    """A Mainspring server behind a URL.

    `token` is what `mainspring token issue` printed; a server on this machine may not ask for one.
    """

    def __init__(self, url: str, token: str = "") -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise Invalid(
                f"{url!r} is not the address of a server",
                hint="It looks like http://127.0.0.1:5000.",
            )
        self.url = url.rstrip("/")
        self._token = token
        self._is_local = _is_loopback(parts.hostname)
        self.blobs = RemoteBlobs(self)
        self._opening = Lock()
        self._opened: httpx.Client | None = None

    def call(self, request: Request[T]) -> T:
        operation = BY_REQUEST[type(request)]
        path, query, body = wire_form(operation, request)
        content = msgspec.msgpack.encode(body) if body is not None else None
        headers = {"Accept": _MSGPACK} | ({"Content-Type": _MSGPACK} if body is not None else {})
        response = self.request(
            operation.method,
            path,
            params=query,
            content=content,
            headers=headers,
            repeatable=operation.kind is Kind.QUERY,
        )
        answer: T = msgspec.msgpack.decode(response.content, type=operation.result)
        return answer

    def request(
        self, method: str, path: str, *, repeatable: bool, **given: Any
    ) -> "httpx.Response":
        """Send one HTTP request below `/api/v1`; raises the error that the answer tells of."""
        return _patiently(lambda: self._once(method, path, **given), repeatable)

    def download(self, path: str, target: BinaryIO) -> None:
        """Write the body of an answer to a file, whatever its size."""

        def attempt() -> None:
            target.seek(0)
            target.truncate()
            with self._explaining(), self._http.stream("GET", _PREFIX + path) as response:
                if not response.is_success:
                    raise error_of(response.read(), response.status_code, self.url)
                for chunk in response.iter_bytes():
                    target.write(chunk)

        _patiently(attempt, repeatable=True)

    def close(self) -> None:
        if self._opened is not None:
            self._opened.close()

    @property
    def _http(self) -> "httpx.Client":
        # Many threads may ask first; a second connection pool would be closed by nobody.
        with self._opening:
            if self._opened is None:
                self._opened = self._open()
            return self._opened

    def _open(self) -> "httpx.Client":
        import httpx

        headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
        timeout = httpx.Timeout(_READ_SECONDS, connect=_CONNECT_SECONDS)
        # A proxy for the world outside is not for this machine.
        return httpx.Client(
            base_url=self.url, headers=headers, timeout=timeout, trust_env=not self._is_local
        )

    def _once(self, method: str, path: str, **given: Any) -> "httpx.Response":
        with self._explaining():
            response = self._http.request(method, _PREFIX + path, **given)
        if response.is_success:
            return response
        raise error_of(response.content, response.status_code, self.url)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        import httpx

        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise Unavailable(
                f"no server answers at {self.url}",
                code="server_unreachable",
                hint="Is it running? `mainspring up` starts one.",
            ) from error
        except httpx.TransportError as error:
            raise Unavailable(
                f"the connection to {self.url} broke: {error}",
                code="connection_lost",
                hint="Whether it was done is not known.",
            ) from error


def _patiently(attempt: Callable[[], T], repeatable: bool) -> T:
    """Try again while the server is away; what isn't repeatable, only if nothing was sent."""
    for delay in _DELAYS_SECONDS:
        try:
            return attempt()
        except Unavailable as error:
            if not repeatable and error.code != "server_unreachable":
                raise
        time.sleep(delay)
    return attempt()


def wire_form(
    operation: Operation, request: Request[Any]
) -> tuple[str, list[tuple[str, str]], dict[str, Any] | None]:
    """A request's path, query and body (None if its method has none), as `api/rest/decode.py` reads them."""
    plain: dict[str, Any] = msgspec.to_builtins(request)
    names = [part[1:-1] for part in operation.path.split("/") if part.startswith("{")]
    path = filled(operation.path, {name: _text(plain.pop(name)) for name in names})
    if has_body(operation):
        return path, [], plain
    return path, list(_pairs(plain)), None


def error_of(content: bytes, status: int, url: str) -> MainspringError:
    """Our exception for an answer that tells of an error."""
    if status == 404 and not content:
        # HEAD has no body to tell more.
        return NotFound("there is no such thing", code="not_found")
    try:
        told = msgspec.json.decode(content)["error"]
        kind = KINDS.get(told["kind"], MainspringError)
        return kind(told["message"], code=told["code"], hint=told["hint"], where=told["where"])
    except (msgspec.DecodeError, KeyError, TypeError):
        # Not from us: a proxy on the way, or another program on that port.
        if status >= 500:
            return Unavailable(f"{url} answered {status}", code="bad_gateway")
        return Invalid(
            f"{url} answered {status}, and not as Mainspring does",
            code="not_mainspring",
            hint="Is the address right?",
        )


def _pairs(plain: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, value in plain.items():
        for item in value if isinstance(value, (list, tuple)) else (value,):
            if item is not None:
                yield name, _text(item)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
