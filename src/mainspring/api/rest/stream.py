"""Events as they happen, as server-sent events.

One task looks for new events while somebody listens, and hands them to every listener; a listener that
does not keep up is let go and comes back by itself, with the number of the last event it saw.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

import anyio.to_thread
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from mainspring.app import App
from mainspring.domain.actor import Permission
from mainspring.domain.event import StoredEvent
from mainspring.governance.requests import ListEvents
from mainspring.governance.rules import may
from mainspring.kernel.codec import encode_text
from mainspring.kernel.errors import Denied, Invalid, MainspringError, Unavailable

log = logging.getLogger("mainspring.api")

_POLL_SECONDS = 0.4
_HEARTBEAT_SECONDS = 15.0
# A stream ends after a while, so that whoever comes back is authenticated again.
_LIFETIME_SECONDS = 600.0
_PAGE = 500
_BACKLOG = 1000
_MAX_LISTENERS = 200


@dataclass(eq=False)
class _Listener:
    """Events handed to one client and not sent yet; None wakes it for nothing."""

    queue: asyncio.Queue[StoredEvent | None] = field(
        default_factory=lambda: asyncio.Queue(_BACKLOG)
    )
    ended: bool = False


class EventHub:
    """Watches the store for new events on behalf of all listeners of this process."""

    def __init__(self, app: App, *, poll_seconds: float = _POLL_SECONDS) -> None:
        self._app = app
        self._poll_seconds = poll_seconds
        self._listeners: set[_Listener] = set()
        self._watcher: asyncio.Task[None] | None = None
        self._closed = False

    @property
    def listener_count(self) -> int:
        return len(self._listeners)

    async def listen(self, after: int | None) -> AsyncIterator[StoredEvent | None]:
        """Events after `after` (None: from now on), in order, each once; None now and then, as a heartbeat."""
        deadline = asyncio.get_running_loop().time() + _LIFETIME_SECONDS
        listener = _Listener()
        # First in the set, then looking back: what comes in between is seen twice and skipped once.
        self._listeners.add(listener)
        try:
            head = await self._head()
            seen = head if after is None else after
            if self._watcher is None or self._watcher.done():
                self._watcher = asyncio.create_task(self._watch(head))
            yield None
            while page := await self._after(seen):
                for event in page:
                    yield event
                seen = page[-1].seq
            while not (self._closed or listener.ended or deadline < _now()):
                latest = await _next(listener)
                if latest is None or latest.seq > seen:
                    yield latest
                    seen = latest.seq if latest else seen
        finally:
            self._listeners.discard(listener)

    def close(self) -> None:
        """End every stream; called in the event loop when the process is about to end."""
        self._closed = True
        for listener in self._listeners:
            with contextlib.suppress(asyncio.QueueFull):
                listener.queue.put_nowait(None)
        if self._watcher:
            self._watcher.cancel()

    async def _watch(self, seen: int) -> None:
        while self._listeners:
            try:
                page = await self._after(seen)
            except Exception:
                # The store may be away for a moment; whatever it is, the listeners keep their place.
                log.exception("events.unreadable")
                page = []
            for event in page:
                seen = event.seq
                self._hand_out(event)
            if len(page) < _PAGE:
                await asyncio.sleep(self._poll_seconds)

    def _hand_out(self, event: StoredEvent) -> None:
        for listener in self._listeners:
            try:
                listener.queue.put_nowait(event)
            except asyncio.QueueFull:
                listener.ended = True

    async def _after(self, seq: int) -> list[StoredEvent]:
        asked = ListEvents(after=seq, limit=_PAGE)
        return list((await anyio.to_thread.run_sync(self._app.call, asked)).items)

    async def _head(self) -> int:
        page = await anyio.to_thread.run_sync(self._app.call, ListEvents(limit=1))
        return page.items[0].seq if page.items else 0


def stream_handler(hub: EventHub) -> Callable[[Request, dict[str, str]], Awaitable[Response]]:
    """What answers `GET /events/stream?after=&service=`."""

    async def handler(request: Request, fields: dict[str, str]) -> Response:
        actor = request.state.actor
        if not may(actor, Permission.READ):
            raise Denied(f"{actor} may not read events")
        if hub.listener_count >= _MAX_LISTENERS:
            raise Unavailable(f"{_MAX_LISTENERS} listen already", code="too_many_listeners")
        service = request.query_params.get("service")
        events = hub.listen(_position(request))
        return StreamingResponse(
            _lines(events, service),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return handler


def _position(request: Request) -> int | None:
    # A browser that comes back says what it saw last; that is newer than the address it came to first.
    text = request.headers.get("last-event-id") or request.query_params.get("after")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise Invalid(f"after is {text[:40]!r}; it is the number of an event", code="bad_position")
    return int(text)


async def _lines(
    events: AsyncIterator[StoredEvent | None], service: str | None
) -> AsyncIterator[str]:
    yield "retry: 2000\n\n"
    try:
        async for event in events:
            if event is None:
                yield ": still here\n\n"
            elif service is None or event.service == service:
                yield f"id: {event.seq}\ndata: {encode_text(event)}\n\n"
    except MainspringError as error:
        # Too late for an answer that says so; whoever listens comes back by itself.
        log.warning("events.broken_off %s", error)


async def _next(listener: _Listener) -> StoredEvent | None:
    try:
        async with asyncio.timeout(_HEARTBEAT_SECONDS):
            return await listener.queue.get()
    except TimeoutError:
        return None


def _now() -> float:
    return asyncio.get_running_loop().time()
