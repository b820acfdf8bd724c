"""`POST /v1/traces`: where OpenTelemetry's exporters send their spans.

The headers `x-mlflow-experiment-id` and `x-mlflow-run-id` say where they belong; without the first they go to
the default experiment. A success says how many spans could not be kept; a failure is a `google.rpc.Status` in
the encoding of the request. Exporters repeat what fails with 429 or 503, and nothing else.
"""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from mainspring.api.errors import RETRY_AFTER_SECONDS, status_of
from mainspring.api.otlp import binary, text
from mainspring.api.otlp.bodies import unpack
from mainspring.api.otlp.spans import batches_of
from mainspring.app import App
from mainspring.kernel.codec import encode
from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.traces.requests import Ingested, IngestSpans

PATH = "/v1/traces"
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"
_DEFAULT_EXPERIMENT = "0"
_MAX_REASONS = 5
# google.rpc.Code for the status of HTTP.
_RPC_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 9, 413: 8, 415: 3, 429: 8, 503: 14}
_UNKNOWN = 2


def routes(app: App) -> list[BaseRoute]:
    """What the control server mounts at its root, behind its guard."""

    async def export(request: Request) -> Response:
        media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if media_type not in (_PROTOBUF, _JSON):
                raise Invalid(
                    f"traces come as {_PROTOBUF} or {_JSON}, not as {media_type[:60]!r}",
                    code="unsupported_media_type",
                )
            body = await request.body()
            return await run_in_threadpool(_keep, app, request, media_type, body)
        except MainspringError as error:
            return _failure(app, media_type, error)

    return [Route(PATH, export, methods=["POST"])]


def _keep(app: App, request: Request, media_type: str, body: bytes) -> Response:
    data = unpack(body, request.headers.get("content-encoding", ""))
    read = text.read_export if media_type == _JSON else binary.read_export
    batches, refused = batches_of(read(data))
    actor = getattr(request.state, "actor", None)
    acting = app.acting_as(actor) if actor is not None else app
    kept = acting.call(
        IngestSpans(
            experiment=request.headers.get("x-mlflow-experiment-id") or _DEFAULT_EXPERIMENT,
            batches=batches,
            run=request.headers.get("x-mlflow-run-id") or None,
        )
    )
    return _success(media_type, kept, refused)


def _success(media_type: str, kept: Ingested, refused: list[str]) -> Response:
    rejected = kept.rejected + len(refused)
    reasons = list(dict.fromkeys([*kept.why, *refused]))
    why = "; ".join(reasons[:_MAX_REASONS])
    if media_type == _JSON:
        return Response(encode(text.partial_success(rejected, why)), media_type=_JSON)
    return Response(binary.write_partial_success(rejected, why), media_type=_PROTOBUF)


def _failure(app: App, media_type: str, error: MainspringError) -> Response:
    status = status_of(error)
    if status == 409:
        # A deleted experiment stays deleted however often an exporter repeats itself.
        status = 400
    why = str(error).replace(str(app.settings.home), "<home>")
    code = _RPC_CODES.get(status, _UNKNOWN)
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if status == 503 else None
    if media_type == _PROTOBUF:
        content = binary.write_status(code, why)
        return Response(content, status_code=status, headers=headers, media_type=_PROTOBUF)
    content = encode({"code": code, "message": why})
    return Response(content, status_code=status, headers=headers, media_type=_JSON)
