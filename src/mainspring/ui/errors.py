"""Pages for what went wrong."""

from mainspring.kernel.errors import (
    Conflict,
    Corrupt,
    Denied,
    Invalid,
    MainspringError,
    NotFound,
    Rejected,
    Unavailable,
)
from mainspring.ui.rendering import Page

STATUS: dict[type[MainspringError], int] = {
    NotFound: 404,
    Conflict: 409,
    Invalid: 400,
    Denied: 403,
    Rejected: 422,
    Unavailable: 503,
    Corrupt: 500,
}

_TITLES = {
    404: "There is no such thing",
    409: "That is not possible now",
    400: "That can't be right",
    403: "You may not do that",
    422: "A rule said no",
    503: "Not now",
    500: "Stored bytes are damaged",
}


def error_page(error: MainspringError) -> Page:
    """The page that says what happened and what to do next."""
    status = STATUS.get(type(error), 500)
    return Page(
        template="error.html",
        title=_TITLES[status],
        status=status,
        context={"message": error.message, "hint": error.hint, "code": error.code},
    )
