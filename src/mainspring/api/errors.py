"""Errors as HTTP answers: one table from kinds and codes to statuses, one shape of body.

    {"error": {"kind": "not_found", "code": "no_model", "message": "...", "hint": null, "where": null}}

Nothing of the server's inside (SQL, paths, tracebacks) is ever in an answer: what we raise on purpose has
the home's path replaced, and anything else becomes an id that is written to the log beside the traceback.
"""

import logging
import secrets
from pathlib import Path

from starlette.responses import Response

from mainspring.kernel.codec import encode
from mainspring.kernel.errors import MainspringError

log = logging.getLogger("mainspring.api")

STATUS_OF_KIND = {
    "invalid": 400,
    "denied": 403,
    "not_found": 404,
    "conflict": 409,
    "rejected": 422,
    "corrupt": 500,
    "unavailable": 503,
}
# Codes that HTTP has a status of its own for.
STATUS_OF_CODE = {
    "no_token": 401,
    "bad_token": 401,
    "method_not_allowed": 405,
    "too_large": 413,
    "unsupported_media_type": 415,
    "wrong_host": 421,
}
RETRY_AFTER_SECONDS = 1


def status_of(error: MainspringError) -> int:
    """The HTTP status for an error."""
    return STATUS_OF_CODE.get(error.code) or STATUS_OF_KIND.get(error.kind, 500)


def answer(
    error: MainspringError, *, home: Path | None = None, headers: dict[str, str] | None = None
) -> Response:
    """The answer that tells of an error raised on purpose."""
    status = status_of(error)
    sent = dict(headers or {})
    if status == 503:
        sent["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if status == 401:
        sent["WWW-Authenticate"] = 'Bearer realm="mainspring"'
    body = {
        "kind": error.kind,
        "code": error.code,
        "message": _without(home, error.message),
        "hint": _without(home, error.hint),
        "where": _without(home, error.where),
    }
    return _json(status, body, sent)


def unexpected(error: BaseException, *, method: str, path: str) -> Response:
    """The answer to an error that is our fault; its traceback goes to the log under the same id."""
    error_id = secrets.token_hex(4)
    log.error("request.failed id=%s %s %s", error_id, method, path, exc_info=error)
    body = {
        "kind": "unexpected",
        "code": "unexpected",
        "message": f"this should not have happened (error {error_id})",
        "hint": "The server's log has the details under this id. Please report it.",
        "where": None,
    }
    return _json(500, body, {})


def _without(home: Path | None, text: str | None) -> str | None:
    return text.replace(str(home), "<home>") if text and home else text


def _json(status: int, body: dict[str, str | None], headers: dict[str, str]) -> Response:
    return Response(
        encode({"error": body}), status_code=status, headers=headers, media_type="application/json"
    )
