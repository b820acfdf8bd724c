"""Who asks, and whether a browser was tricked into asking: checked before anything else is looked at.

- Host: a server on loopback answers only to loopback's names, or a hostile page could rebind its own name
  to 127.0.0.1 and become same-origin with us.
- Origin: a request that changes something and comes from a browser must come from our own pages.
- Actor: a token (Bearer; or as the password of Basic, which MLflow's clients send; or in the cookie that
  `/login` sets). Without one, only on loopback and only while no token was ever issued, requests act as the
  user who runs the server.
"""

import base64
import binascii
import hmac
import re
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

import anyio.to_thread
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mainspring.api.address import STEPS, LocalSecrets
from mainspring.api.errors import answer
from mainspring.api.hooks import PREFIX as HOOKS
from mainspring.api.mlflow import errors as mlflow
from mainspring.api.mlflow.tickets import SIGNED
from mainspring.app import App
from mainspring.domain.actor import Actor
from mainspring.governance.requests import ListTokens
from mainspring.kernel.errors import Denied, Invalid, MainspringError

COOKIE = "mainspring_token"
LOGIN = "/login"
STYLE = "/login.css"
MAX_BODY_BYTES = 32 << 20

_SAFE = ("GET", "HEAD", "OPTIONS")
_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_PUBLIC = ("/health", LOGIN, STYLE)
# Signed addresses and calls bring their own proof, and the clients that use them no login.
_PUBLIC_PREFIXES = ("/assets/", SIGNED, HOOKS)
# Bodies that are streamed to disk; everything else is read into memory.
_UPLOADS = ("/api/v1/blobs/", "/api/2.0/mlflow-artifacts/", "/ajax-api/2.0/mlflow-artifacts/")
# Where MLflow's clients expect errors in their own words.
_MLFLOW = ("/api/2.0/", "/api/3.0/", "/ajax-api/")
# A proxy in front means that the one who asks is elsewhere, whatever address we listen on.
_PROXY_HEADERS = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")

HEADERS = {
    "Content-Security-Policy": "default-src 'self'; object-src 'none'; base-uri 'none'; "
    "frame-ancestors 'none'; form-action 'self'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the guard looks at of a request."""

    method: str
    path: str
    headers: Headers

    @property
    def is_from_page(self) -> bool:
        """Whether a person in a browser waits for a page."""
        return self.method in _SAFE and "text/html" in self.headers.get("accept", "")


class Guard:
    """ASGI middleware; what is inside it finds the actor in `request.state.actor`."""

    def __init__(self, inner: ASGIApp, *, app: App, local: LocalSecrets) -> None:
        self._inner = inner
        self._app = app
        self._local = {local.user: app.actor, local.steps: STEPS}
        self._is_open = app.settings.is_loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._inner(scope, receive, send)
            return
        guarded = _with_headers(send)
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1008})
            return
        asked = Asked(scope["method"], scope["path"], Headers(scope=scope))
        try:
            check_host(asked.headers.get("host", ""), self._app.settings.host)
            check_origin(asked)
            check_workspace(asked)
            actor = await self._actor(asked)
            receive = limited(asked, receive)
        except MainspringError as error:
            await self._refusal(asked, error)(scope, receive, guarded)
            return
        if actor is not None:
            scope.setdefault("state", {})["actor"] = actor
        await self._inner(scope, receive, guarded)

    async def _actor(self, asked: Asked) -> Actor | None:
        """Who asks; None where nobody need say."""
        if asked.path in _PUBLIC or asked.path.startswith(_PUBLIC_PREFIXES):
            return None
        secret = secret_in(asked.headers)
        if secret is None and not asked_through_proxy(asked.headers) and await self._open():
            return self._app.actor
        secret = secret or _cookie(asked.headers)
        if secret is None:
            raise Denied(
                "this server asks for a token",
                code="no_token",
                hint="Send `Authorization: Bearer <token>`, or log in at /login. "
                "`mainspring token issue` on the server's machine makes one.",
            )
        for known, actor in self._local.items():
            if hmac.compare_digest(known.encode(), secret.encode()):
                return actor
        return await anyio.to_thread.run_sync(self._app.authenticate, secret)

    async def _open(self) -> bool:
        """Whether requests without a token act as the user who runs the server."""
        if not self._is_open:
            return False
        # Asked each time, so that the first token shuts the door at once. Tokens are never deleted, so
        # it stays shut.
        self._is_open = not await anyio.to_thread.run_sync(self._app.call, ListTokens())
        return self._is_open

    def _refusal(self, asked: Asked, error: MainspringError) -> Response:
        if error.code in ("no_token", "bad_token") and asked.is_from_page:
            return RedirectResponse(f"{LOGIN}?to={quote(asked.path, safe='/')}", status_code=303)
        if asked.path.startswith(_MLFLOW):
            return mlflow.answer(error, self._app.settings.home)
        return answer(error, home=self._app.settings.home)


def check_host(host: str, bound_to: str) -> None:
    """Raise `Invalid` unless a request to a server on loopback names loopback."""
    name = host_name(host)
    if bound_to not in _LOOPBACK or name in _LOOPBACK:
        return
    raise Invalid(
        f"this server is not {name[:100]!r}",
        code="wrong_host",
        hint="It listens on this machine only: use http://127.0.0.1 or http://localhost. "
        "To be reached from elsewhere, start it with --host.",
    )


def check_origin(asked: Asked) -> None:
    """Raise `Denied` for a change that another site's page asks for."""
    if asked.method in _SAFE:
        return
    origin = asked.headers.get("origin")
    site = asked.headers.get("sec-fetch-site", "none")
    same = origin is None or urlsplit(origin).netloc == asked.headers.get("host")
    if not same or site not in ("same-origin", "none"):
        raise Denied(
            "a page of another site may not change anything here",
            code="cross_site",
            hint="Programs need not send `Origin` or `Sec-Fetch-Site`.",
        )


def check_workspace(asked: Asked) -> None:
    """Raise `Invalid` for a request that would be kept apart in a workspace of MLflow's: there are none.

    To pass over the header would mix what its sender believes to be apart.
    """
    workspace = asked.headers.get("x-mlflow-workspace", "").strip()
    if workspace and not asked.path.rstrip("/").endswith("/mlflow/server-info"):
        raise Invalid(
            "Workspace APIs are not available: workspaces are not enabled on this server",
            code="no_workspaces",
            hint="Leave X-MLFLOW-WORKSPACE out; a home of its own keeps a team's work apart.",
        )


def host_name(host: str) -> str:
    """The name in a Host header, without its port.

    >>> host_name("localhost:5000"), host_name("[::1]:5000"), host_name("a.example")
    ('localhost', '::1', 'a.example')
    """
    bracketed = re.fullmatch(r"\[([^\]]*)\](:\d+)?", host)
    if bracketed:
        return bracketed[1].lower()
    return host.partition(":")[0].lower()


def secret_in(headers: Headers) -> str | None:
    """The token in an Authorization header, or None; raises `Denied` for one that can't be read."""
    given = headers.get("authorization")
    if given is None:
        return None
    scheme, _, rest = given.partition(" ")
    match scheme.lower():
        case "bearer" if rest.strip():
            return rest.strip()
        case "basic":
            try:
                return base64.b64decode(rest, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError) as error:
                raise _unreadable() from error
        case _:
            raise _unreadable()


def asked_through_proxy(headers: Headers) -> bool:
    """Whether somebody passed this request on."""
    return any(name in headers for name in _PROXY_HEADERS)


def limited(asked: Asked, receive: Receive) -> Receive:
    """`receive` that raises `Invalid` (`too_large`) before a body in memory could hurt us."""
    if asked.method == "PUT" and asked.path.startswith(_UPLOADS):
        return receive
    length = asked.headers.get("content-length", "0")
    if not length.isdigit() or int(length) > MAX_BODY_BYTES:
        raise _too_large()
    count = 0

    async def counted() -> Message:
        nonlocal count
        message = await receive()
        count += len(message.get("body", b""))
        if count > MAX_BODY_BYTES:
            raise _too_large()
        return message

    return counted


def _cookie(headers: Headers) -> str | None:
    return cookie_parser(headers.get("cookie", "")).get(COOKIE) or None


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in HEADERS.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _unreadable() -> Denied:
    return Denied(
        "the Authorization header can't be read",
        code="bad_token",
        hint="Send `Authorization: Bearer <token>`.",
    )


def _too_large() -> Invalid:
    return Invalid(
        f"the body is larger than {MAX_BODY_BYTES >> 20} MiB",
        code="too_large",
        hint="Send it in parts; files go to /api/v1/blobs or as artifacts, at any size.",
    )
