"""Logging in for people: a token becomes a cookie that only our own pages can send."""

from html import escape
from urllib.parse import parse_qs, urlsplit

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from mainspring.api.security import COOKIE, LOGIN, STYLE
from mainspring.app import App
from mainspring.kernel.errors import Denied, Invalid

_MAX_AGE_SECONDS = 7 * 24 * 3600
_MAX_FORM_BYTES = 4096

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Log in · Mainspring</title>
{styles}
</head>
<body class="login">
<main class="card">
<h1>Log in to Mainspring</h1>
<p>This server asks for a token. An administrator makes one with <code>mainspring token issue</code>.</p>
{problem}
<form method="post" action="{action}">
<input type="hidden" name="to" value="{to}">
<p><label for="token">Token</label>
<input id="token" name="token" type="password" autocomplete="current-password" required autofocus></p>
<p><button type="submit" class="primary">Log in</button></p>
</form>
</main>
</body>
</html>
"""

# Beside the pages' own sheet, whose colours it uses.
_STYLE = """body.login { display: grid; grid-template-columns: minmax(0, 1fr); place-items: center; min-height: 100vh; margin: 0; padding: 16px; }
body.login main { width: 100%; max-width: 420px; padding: 24px 28px; }
body.login label { display: block; margin-bottom: 4px; font-weight: 600; }
body.login input { width: 100%; box-sizing: border-box; padding: 7px 10px; border: 1px solid var(--line-strong, #999);
  border-radius: 7px; background: var(--surface, Field); color: var(--ink, FieldText); font: inherit; }
body.login p { margin: 12px 0; }
body.login [role="alert"] { color: var(--bad, #a00); font-weight: 600; }
"""


def routes(app: App, styles: tuple[str, ...] = ()) -> list[BaseRoute]:
    """`/login` and `/logout`; `styles` are the addresses of the pages' style sheets."""

    sheets = (*styles, STYLE)

    async def style(request: Request) -> Response:
        return Response(_STYLE, media_type="text/css")

    async def show(request: Request) -> Response:
        return _page(sheets, to=request.query_params.get("to", "/"))

    async def log_in(request: Request) -> Response:
        fields = await _form(request)
        secret, to = fields.get("token", "").strip(), fields.get("to", "/")
        try:
            await anyio.to_thread.run_sync(app.authenticate, secret)
        except Denied as error:
            return _page(sheets, to=to, problem=error.message, status=401)
        response = RedirectResponse(_own_path(to), status_code=303)
        response.set_cookie(
            COOKIE,
            secret,
            max_age=_MAX_AGE_SECONDS,
            httponly=True,
            samesite="lax",
            secure=request.url.scheme == "https",
        )
        return response

    async def log_out(request: Request) -> Response:
        response = RedirectResponse(LOGIN, status_code=303)
        response.delete_cookie(COOKIE, httponly=True, samesite="lax")
        return response

    return [
        Route(STYLE, style),
        Route(LOGIN, show, methods=["GET"]),
        Route(LOGIN, log_in, methods=["POST"]),
        Route("/logout", log_out, methods=["POST"]),
    ]


def _page(
    styles: tuple[str, ...], *, to: str, problem: str = "", status: int = 200
) -> HTMLResponse:
    content = _PAGE.format(
        styles="\n".join(f'<link rel="stylesheet" href="{escape(url)}">' for url in styles),
        action=LOGIN,
        to=escape(_own_path(to)),
        problem=f'<p role="alert">{escape(problem)}</p>' if problem else "",
    )
    return HTMLResponse(content, status_code=status)


def _own_path(to: str) -> str:
    """Where to go afterwards: a path of ours, never another site."""
    parts = urlsplit(to)
    outside = parts.scheme or parts.netloc or not to.startswith("/") or "\\" in to
    return "/" if outside or to.startswith("//") or any(ord(c) < 32 for c in to) else to


async def _form(request: Request) -> dict[str, str]:
    body = await request.body()
    if len(body) > _MAX_FORM_BYTES:
        raise Invalid("this form is larger than ours", code="too_large")
    try:
        fields = parse_qs(body.decode("ascii"), max_num_fields=10)
    except ValueError as error:
        raise Invalid("this form can't be read", code="bad_form") from error
    return {name: values[0] for name, values in fields.items()}
