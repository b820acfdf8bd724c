"""The choice between light and dark, kept in a cookie so that a page arrives as it is to look."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from mainspring.ui import forms
from mainspring.ui.answering import THEME_COOKIE, THEMES

_YEAR_SECONDS = 365 * 24 * 3600


async def choose(request: Request) -> Response:
    """Keep the choice and go back to where it was made."""
    fields = await forms.read_form(request)
    back = fields.get("back", "/")
    # Only ever back to a path of our own, never to another site.
    is_ours = back.startswith("/") and not back.startswith(("//", "/\\")) and back.isprintable()
    response = RedirectResponse(back if is_ours else "/", status_code=303)
    if (theme := fields.get("theme", "")) in THEMES:
        response.set_cookie(
            THEME_COOKIE, theme, max_age=_YEAR_SECONDS, samesite="lax", httponly=True
        )
    return response


ROUTES = [Route("/theme", choose, methods=["POST"])]
