"""Errors in MLflow's words: a status, an error code, a message.

Its clients repeat what failed with 408, 429 or 5xx, and take a 400 for final; so overload must be 503, or
metrics would be lost.
"""

from pathlib import Path

from starlette.responses import Response

from mainspring.api.errors import RETRY_AFTER_SECONDS
from mainspring.kernel.codec import encode
from mainspring.kernel.errors import MainspringError

# Kind of our error -> HTTP status, MLflow's code.
BY_KIND = {
    "invalid": (400, "INVALID_PARAMETER_VALUE"),
    "denied": (403, "PERMISSION_DENIED"),
    "not_found": (404, "RESOURCE_DOES_NOT_EXIST"),
    "conflict": (409, "RESOURCE_CONFLICT"),
    "rejected": (400, "BAD_REQUEST"),
    "corrupt": (500, "DATA_LOSS"),
    "unavailable": (503, "TEMPORARILY_UNAVAILABLE"),
}
# Codes that MLflow tells in other words than their kind.
BY_CODE = {
    "experiment_exists": (400, "RESOURCE_ALREADY_EXISTS"),
    "model_exists": (400, "RESOURCE_ALREADY_EXISTS"),
    "run_exists": (400, "RESOURCE_ALREADY_EXISTS"),
    "param_changed": (400, "INVALID_PARAMETER_VALUE"),
    "deleted": (400, "INVALID_PARAMETER_VALUE"),
    "no_such_alias": (400, "INVALID_PARAMETER_VALUE"),
    "no_such_endpoint": (404, "ENDPOINT_NOT_FOUND"),
    "not_implemented": (501, "NOT_IMPLEMENTED"),
    "no_workspaces": (400, "FEATURE_DISABLED"),
    "bad_ticket": (403, "PERMISSION_DENIED"),
    "too_large": (413, "INVALID_PARAMETER_VALUE"),
    "no_token": (401, "UNAUTHENTICATED"),
    "bad_token": (401, "UNAUTHENTICATED"),
}


def answer(error: MainspringError, home: Path) -> Response:
    """The answer that tells an MLflow client of an error; nothing of the server's inside is in it."""
    status, code = BY_CODE.get(error.code) or BY_KIND.get(error.kind, (500, "INTERNAL_ERROR"))
    message = str(error).replace(str(home), "<home>")
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else None
    return Response(
        encode({"error_code": code, "message": message}),
        status_code=status,
        headers=headers,
        media_type="application/json",
    )
