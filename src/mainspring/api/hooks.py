"""`POST /hooks/TRIGGER`: calls of triggers' webhooks, which prove by their signature who sent them."""

import anyio.to_thread
import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from mainspring.api.errors import answer
from mainspring.app import App
from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.triggers.hooks import HEADERS
from mainspring.triggers.requests import MAX_CALL_BYTES, CheckHook, HookCall, ReceiveHook

PREFIX = "/hooks/"


def routes(app: App) -> list[BaseRoute]:
    """Where calls come in; they carry no token, so the guard lets them pass."""

    async def receive(request: Request) -> Response:
        request.state.operation = "trigger.receive_hook"
        name = request.path_params["trigger"]
        try:
            call = await _call(request)
            body = await anyio.to_thread.run_sync(_received, app, name, call)
        except MainspringError as error:
            return answer(error, home=app.settings.home)
        return Response(body, status_code=202, media_type="application/json")

    return [Route(PREFIX + "{trigger}", receive, methods=["POST"])]


async def _call(request: Request) -> HookCall:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > MAX_CALL_BYTES:
            raise Invalid(f"the body is larger than {MAX_CALL_BYTES >> 20} MiB", code="too_large")
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise Invalid("the body is not UTF-8 text") from error
    headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
    return HookCall(body=text, headers=headers)


def _received(app: App, name: str, call: HookCall) -> bytes:
    # Never audited under another's name, and with no more rights than the call needs.
    caller = app.acting_as(Actor(kind=ActorKind.SERVICE, name="webhook", role=Role.AUTHOR))
    # Looked at first where a refusal writes nothing: anybody can send what isn't signed.
    caller.call(CheckHook(name=name, call=call))
    cause = caller.call(ReceiveHook(name=name, call=call))
    return msgspec.json.encode({"trigger": cause.trigger, "cause": cause.id})
