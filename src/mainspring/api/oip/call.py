"""One request to a serving process, and the means to answer or refuse it."""

import msgspec

from mainspring.api.oip.http import (
    Headers,
    NotThisWay,
    Receive,
    Scope,
    Send,
    TooLarge,
    read_body,
    send_json,
)
from mainspring.kernel.errors import MainspringError
from mainspring.serving.answer import status_of

_JSON_TYPES = (b"application/json", b"application/octet-stream", b"application/vnd")
_encode = msgspec.json.encode


class Call:
    """One request and the means to answer it."""

    __slots__ = ("_receive", "_send", "closing", "headers", "method", "path", "route", "status")

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.headers: Headers = dict(scope["headers"])
        # With it, the caller is asked to go elsewhere with its next request.
        self.closing = False
        # Metrics name routes, not paths: callers choose paths, and each would be a series of its own.
        self.route = "other"
        self.status = 200

    def must_be(self, method: str) -> None:
        """Raise unless the request's method is that one (or HEAD for GET)."""
        if self.method != method and not (method == "GET" and self.method == "HEAD"):
            raise NotThisWay(405, f"{self.path[:200]} takes {method}", allow=method)

    async def body(self) -> bytes:
        """The body; raises for a media type that is not JSON (no type at all passes as JSON)."""
        content_type = self.headers.get(b"content-type")
        if content_type is not None and not content_type.lower().startswith(_JSON_TYPES):
            raise NotThisWay(
                415, f"the body is {content_type.decode('latin-1')[:100]!r}; send application/json"
            )
        return await read_body(self._receive, self.headers)

    @property
    def send(self) -> Send:
        return self._send

    def answering(self, status: int) -> Send:
        self.status = status
        return self._send

    async def json(self, value: object, *, status: int = 200) -> None:
        self.status = status
        await send_json(self._send, status, _encode(value), closing=self.closing)

    async def refuse(self, error: MainspringError | NotThisWay) -> None:
        """Answer with an error: `{"error": text}`, and for `/invocations` MLflow's two fields as well."""
        more: tuple[tuple[bytes, bytes], ...] = ()
        if isinstance(error, NotThisWay):
            status = error.status
            if error.allow:
                more = ((b"allow", error.allow.encode()),)
        elif isinstance(error, TooLarge):
            status = 413
        else:
            status = status_of(error)
        if status == 401:
            more = (*more, (b"www-authenticate", b"Bearer"))
        if status in (429, 503):
            more = (*more, (b"retry-after", b"1"))
        text = f"{error.message}. {error.hint}" if error.hint else error.message
        body: dict[str, object] = {"error": text}
        if self.path.endswith("/invocations"):
            body |= {"error_code": _MLFLOW.get(status, "INTERNAL_ERROR"), "message": text}
        self.status = status
        # What was not read of the body would be taken for the next request.
        closing = self.closing or status in (401, 413, 415, 421)
        await send_json(self._send, status, _encode(body), closing=closing, more=more)


_MLFLOW = {
    400: "BAD_REQUEST",
    404: "ENDPOINT_NOT_FOUND",
    413: "BAD_REQUEST",
    429: "REQUEST_LIMIT_EXCEEDED",
    503: "TEMPORARILY_UNAVAILABLE",
    504: "TEMPORARILY_UNAVAILABLE",
}
