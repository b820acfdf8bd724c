"""From a request to a page: authority, a thread, the frame around the page, errors."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from mainspring.app import App
from mainspring.governance.requests import ListEvents
from mainspring.kernel.errors import MainspringError
from mainspring.monitoring.requests import ListIncidents
from mainspring.services.requests import ListServices
from mainspring.ui import forms
from mainspring.ui.errors import error_page
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page, render

THEMES = ("light", "dark")
THEME_COOKIE = "mainspring_theme"

Endpoint = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a page's address says: fields of its path and of its query."""

    path: Mapping[str, str]
    query: Mapping[str, str]

    def get(self, name: str) -> str | None:
        """A field of the query; None if it is absent or blank."""
        return self.query.get(name, "").strip() or None


PageFunction = Callable[[Reader, Asked], Page | str]
"""Reads a page; a string is the address of another page that should be seen instead."""

ActionFunction = Callable[[Reader, Asked, dict[str, str]], str]
"""Carries out a form; answers the address to go to."""


def page_endpoint(app: App, function: PageFunction) -> Endpoint:
    """Answer GET with a page."""

    async def answer(request: Request) -> Response:
        return await run_in_threadpool(_page, _app_for(app, request), function, request)

    return answer


def action_endpoint(app: App, function: ActionFunction) -> Endpoint:
    """Answer POST by acting, then showing the page of what was acted on."""

    async def answer(request: Request) -> Response:
        acting = _app_for(app, request)
        try:
            fields = await forms.read_form(request)
            target = await run_in_threadpool(_act, acting, function, request, fields)
        except MainspringError as error:
            return await run_in_threadpool(_framed, acting, request, error_page(error))
        return RedirectResponse(target, status_code=303)

    return answer


def _app_for(app: App, request: Request) -> App:
    """The app in the name of whom the edge recognised; its own user if nothing stands before it."""
    actor = getattr(request.state, "actor", None)
    return app.acting_as(actor) if actor is not None else app


def _page(app: App, function: PageFunction, request: Request) -> Response:
    reader = Reader(app=app, now=app.clock.now())
    try:
        page = function(reader, _asked(request))
    except MainspringError as error:
        page = error_page(error)
    if isinstance(page, str):
        return RedirectResponse(page, status_code=303)
    return _framed(app, request, page)


def _act(app: App, function: ActionFunction, request: Request, fields: dict[str, str]) -> str:
    return function(Reader(app=app, now=app.clock.now()), _asked(request), fields)


def _asked(request: Request) -> Asked:
    return Asked(path=request.path_params, query=request.query_params)


def _framed(app: App, request: Request, page: Page) -> Response:
    seed = forms.seed_of(request)
    theme = request.cookies.get(THEME_COOKIE)
    context = {
        **_frame(app),
        **page.context,
        "title": page.title,
        "section": page.section,
        "refresh_seconds": page.refresh_seconds,
        "actor": app.actor,
        "now": app.clock.now(),
        "theme": theme if theme in THEMES else None,
        "origin": str(request.base_url).rstrip("/"),
        "address": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        "form_token": lambda action: forms.token(seed, action),
    }
    response = HTMLResponse(
        render(page.template, context),
        status_code=page.status,
        headers={"Cache-Control": "no-store", "Vary": "Cookie"},
    )
    if page.status == 503:
        response.headers["Retry-After"] = "1"
    forms.keep_seed(request, response, seed)
    return response


def _frame(app: App) -> dict[str, object]:
    """What the frame around every page shows; empty when the reader may not see it or it is out of reach."""
    try:
        services = app.call(ListServices())
        incidents = app.call(ListIncidents(open_only=True))
        newest = app.call(ListEvents(limit=1)).items
    except MainspringError:
        return {"nav_services": (), "open_incidents": (), "event_seq": 0}
    return {
        "nav_services": services,
        "open_incidents": incidents,
        "event_seq": newest[0].seq if newest else 0,
    }
