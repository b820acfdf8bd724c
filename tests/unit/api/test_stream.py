import asyncio
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from mainspring.api.rest.stream import EventHub
from mainspring.app import App
from mainspring.domain.actor import Role
from mainspring.domain.event import StoredEvent
from mainspring.governance.requests import IssueToken, ListEvents
from mainspring.kernel.errors import Unavailable
from mainspring.server.control import create_app_on
from mainspring.testing.web import served


def issue(app: App, name: str) -> None:
    app.call(IssueToken(name=name, role=Role.ADMIN))


def names(events: list[StoredEvent]) -> list[object]:
    return [event.payload["name"] for event in events]


async def take(
    hub: EventHub, count: int, after: int | None, ready: asyncio.Event
) -> list[StoredEvent]:
    taken: list[StoredEvent] = []
    events = hub.listen(after)
    async for event in events:
        ready.set()
        if event is not None:
            taken.append(event)
        if len(taken) == count:
            break
    return taken


def test_listeners_see_what_was_and_what_comes_each_once_in_order(app: App) -> None:
    for number in range(3):
        issue(app, f"before{number}")
    hub = EventHub(app, poll_seconds=0.02)

    async def scene() -> tuple[list[StoredEvent], list[StoredEvent]]:
        readies = asyncio.Event(), asyncio.Event()
        early = asyncio.create_task(take(hub, 4, 1, readies[0]))
        late = asyncio.create_task(take(hub, 2, None, readies[1]))
        await readies[0].wait()
        await readies[1].wait()
        for number in range(2):
            await asyncio.to_thread(issue, app, f"after{number}")
        return await asyncio.wait_for(early, 10), await asyncio.wait_for(late, 10)

    early, late = asyncio.run(scene())

    assert names(early) == ["before1", "before2", "after0", "after1"]
    assert names(late) == ["after0", "after1"]


def test_nobody_watches_while_nobody_listens(app: App) -> None:
    hub = EventHub(app, poll_seconds=0.01)
    issue(app, "a")

    async def scene() -> bool:
        await take(hub, 1, 0, asyncio.Event())
        await asyncio.sleep(1)
        assert hub._watcher is not None
        return hub._watcher.done()

    assert asyncio.run(scene())
    assert hub.listener_count == 0


def test_a_store_that_is_away_for_a_moment_loses_no_event(
    app: App, caplog: pytest.LogCaptureFixture
) -> None:
    hub = EventHub(app, poll_seconds=0.01)
    real = hub._after
    faults = iter([Unavailable("away")] * 3)

    async def faulty(seq: int) -> list[StoredEvent]:
        if fault := next(faults, None):
            raise fault
        return await real(seq)

    async def scene() -> list[StoredEvent]:
        listening = asyncio.create_task(take(hub, 1, None, asyncio.Event()))
        await asyncio.sleep(1)
        hub._after = faulty  # type: ignore[method-assign]
        await asyncio.to_thread(issue, app, "meanwhile")
        return await asyncio.wait_for(listening, 10)

    assert names(asyncio.run(scene())) == ["meanwhile"]
    assert "events.unreadable" in caplog.text


def test_one_that_does_not_keep_up_is_let_go_and_the_others_stay(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.api.rest.stream._BACKLOG", 2)
    hub = EventHub(app, poll_seconds=0.01)

    async def scene() -> tuple[int, bool]:
        slow = hub.listen(0)
        await anext(slow)
        for number in range(5):
            await asyncio.to_thread(issue, app, f"n{number}")
        await asyncio.sleep(1)
        seen = 0
        ended = False
        while not ended:
            try:
                seen += (await asyncio.wait_for(anext(slow), 5)) is not None
            except StopAsyncIteration:
                ended = True
        return seen, ended

    seen, ended = asyncio.run(scene())

    assert ended
    assert seen == 5  # from its look back; what it missed live, it asks for when it comes again


@contextmanager
def listening(url: str, **headers: str) -> Iterator[Iterator[str]]:
    with httpx.stream("GET", url, headers=headers, timeout=10) as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        yield response.iter_lines()


def test_events_stream_over_http_and_go_on_from_the_last_one_seen(app: App) -> None:
    issue(app, "a")
    issue(app, "b")
    seq = app.call(ListEvents(limit=1)).items[0].seq
    secret = app.call(IssueToken(name="reader", role=Role.VIEWER)).secret
    with served(create_app_on(app)) as base:
        url = f"{base}/api/v1/events/stream?after=0"
        authorization = {"Authorization": f"Bearer {secret}"}
        with listening(url, **authorization, **{"Last-Event-ID": str(seq)}) as lines:
            found = [next(lines) for _ in range(6)]

    data = [json.loads(line.removeprefix("data: ")) for line in found if line.startswith("data")]
    assert found[0] == "retry: 2000"
    assert data[0]["payload"]["name"] == "reader"


def test_an_open_stream_does_not_hold_up_the_end_of_the_server(app: App) -> None:
    server = create_app_on(app)
    ended = threading.Event()
    with served(server) as base:

        def listen() -> None:
            with listening(f"{base}/api/v1/events/stream") as lines:
                for _ in lines:
                    pass
            ended.set()

        thread = threading.Thread(target=listen)
        thread.start()
        deadline = time.monotonic() + 5
        while server.state.hub.listener_count == 0 and time.monotonic() < deadline:
            time.sleep(0.01)
        server.state.hub.close()
        thread.join(timeout=20)

    assert ended.is_set()


def test_a_wrong_position_is_refused(app: App) -> None:
    with served(create_app_on(app)) as base:
        response = httpx.get(f"{base}/api/v1/events/stream?after=now")

    assert response.status_code == 400


def test_too_many_listeners_are_asked_to_come_later(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mainspring.api.rest.stream._MAX_LISTENERS", 0)
    with served(create_app_on(app)) as base:
        response = httpx.get(f"{base}/api/v1/events/stream")

    assert (response.status_code, response.headers["retry-after"]) == (503, "1")


def test_a_page_that_is_closed_is_forgotten(app: App) -> None:
    server = create_app_on(app)
    with served(server) as base:
        with listening(f"{base}/api/v1/events/stream") as lines:
            next(lines)
            while_open = server.state.hub.listener_count
        deadline = time.monotonic() + 5
        while server.state.hub.listener_count and time.monotonic() < deadline:
            time.sleep(0.01)

        assert (while_open, server.state.hub.listener_count) == (1, 0)
