"""An installation to test against: a real store and real blobs in a temporary folder, a clock that you move."""

from pathlib import Path
from typing import TypeVar

from mainspring.app import App, open_app
from mainspring.config import Settings
from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.domain.event import Event, StoredEvent
from mainspring.governance.requests import ListEvents
from mainspring.kernel.clock import FakeClock

T = TypeVar("T")

TESTER = Actor(kind=ActorKind.PERSON, name="tester", role=Role.ADMIN)


def an_app(home: Path, *, database: str = "", actor: Actor = TESTER) -> App:
    """A new installation whose clock stands still until it is advanced."""
    settings = Settings(home=home, database=database)
    return open_app(settings, actor=actor, clock=FakeClock())


def clock_of(app: App) -> FakeClock:
    """The clock of an installation made by `an_app`."""
    assert isinstance(app.clock, FakeClock)
    return app.clock


def emitted(app: App, type_: type[Event]) -> list[StoredEvent]:
    """Every event of a type, oldest first."""
    page = app.call(ListEvents(type=type_.__name__, after=0, limit=1000))
    return list(page.items)
