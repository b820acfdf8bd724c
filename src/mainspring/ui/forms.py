"""Forms: reading what was sent, and telling our own forms from a stranger's.

Against requests forged by other sites stand the edge's Origin check, a cookie that is not sent across
sites, and this: a form carries a token made of a random cookie and its own address. Another site can
neither read the cookie nor set it, so it can't make the token.
"""

import hashlib
import hmac
import secrets
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response

from mainspring.kernel.errors import Denied, Invalid

COOKIE = "mainspring_form"
FIELD = "form_token"
_LIMIT_BYTES = 64 * 1024


def seed_of(request: Request) -> str:
    """The browser's random cookie, or a new one, which `keep_seed` must then set."""
    seed = request.cookies.get(COOKIE, "")
    return seed if len(seed) >= 32 else secrets.token_urlsafe(32)


def token(seed: str, action: str) -> str:
    """What a form that posts to `action` carries."""
    return hmac.new(seed.encode(), action.encode(), hashlib.sha256).hexdigest()


def keep_seed(request: Request, response: Response, seed: str) -> None:
    """Set the cookie, if the browser has not got it."""
    if request.cookies.get(COOKIE) != seed:
        response.set_cookie(
            COOKIE, seed, httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )


async def read_form(request: Request) -> dict[str, str]:
    """The fields of one of our own forms. Raises `Denied` if it isn't ours, `Invalid` if it is malformed."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip()
    if kind != "application/x-www-form-urlencoded":
        raise Invalid(f"a form can't be sent as {kind or 'nothing'}", code="bad_form")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _LIMIT_BYTES:
            raise Invalid("this form is larger than any of ours", code="form_too_large")
    try:
        fields = dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50))
    except ValueError as error:
        raise Invalid(f"this form is malformed: {error}", code="bad_form") from error
    seed = request.cookies.get(COOKIE, "")
    wanted = token(seed, request.url.path)
    if not seed or not hmac.compare_digest(wanted.encode(), fields.pop(FIELD, "").encode()):
        raise Denied(
            "this form is not from this page, or the page is too old",
            code="bad_form_token",
            hint="Go back, load the page again and repeat it.",
        )
    return fields
