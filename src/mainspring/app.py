"""The composition root: decides which store and blobs this installation uses, and builds the rest on them."""

import getpass
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from mainspring.blobs.local import LocalBlobs
from mainspring.config import Settings
from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.domain.request import Request
from mainspring.governance.tokens import authenticate
from mainspring.kernel.clock import Clock, SystemClock
from mainspring.operations.dispatch import Dispatcher
from mainspring.store.tx import Store, open_store

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """An open installation. `call` acts as `actor`; `acting_as` gives the same installation to another."""

    settings: Settings
    blobs: LocalBlobs
    store: Store
    clock: Clock
    dispatcher: Dispatcher
    actor: Actor

    def call(self, request: Request[T]) -> T:
        """Carry out a request as this app's actor; see `Dispatcher.call`."""
        return self.dispatcher.call(self.actor, request)

    def report(self, request: Request[T]) -> Future[T]:
        """Carry out a report together with others; see `Dispatcher.report`."""
        return self.dispatcher.report(self.actor, request)

    def acting_as(self, actor: Actor) -> "App":
        return App(
            settings=self.settings,
            blobs=self.blobs,
            store=self.store,
            clock=self.clock,
            dispatcher=self.dispatcher,
            actor=actor,
        )

    def authenticate(self, secret: str) -> Actor:
        """The actor behind a token; raises `Denied`."""
        with self.store.read(self.actor, "token.authenticate") as tx:
            return authenticate(tx, secret)

    def close(self) -> None:
        self.dispatcher.close()
        self.store.close()


def local_user() -> Actor:
    """Whoever runs this process: on their own machine they may do everything."""
    return Actor(kind=ActorKind.PERSON, name=getpass.getuser(), role=Role.ADMIN)


def loop_actor(name: str) -> Actor:
    """One of our own loops; it may do what operators may, and never approve."""
    return Actor(kind=ActorKind.LOOP, name=name, role=Role.OPERATOR)


def open_app(settings: Settings, *, actor: Actor | None = None, clock: Clock | None = None) -> App:
    """Open the installation in `settings.home`, making it if it is new.

    Raises `Invalid` for a store of a newer version, `Unavailable` if the disk or database is out of reach.
    """
    clock = clock or SystemClock()
    blobs = LocalBlobs(settings.blobs_path)
    store = open_store(settings.database_url, blobs, clock, settings.trusted_keys_path)
    return App(
        settings=settings,
        blobs=blobs,
        store=store,
        clock=clock,
        dispatcher=Dispatcher(store),
        actor=actor or local_user(),
    )


@contextmanager
def opened_app(settings: Settings, *, actor: Actor | None = None) -> Iterator[App]:
    """An open installation that is closed at the end of the block."""
    app = open_app(settings, actor=actor)
    try:
        yield app
    finally:
        app.close()
