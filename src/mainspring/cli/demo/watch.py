"""Waiting for something to become true of the installation, as it shows through its API."""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from mainspring.cli.demo.town import Pace
from mainspring.domain.event import StoredEvent
from mainspring.governance.requests import ListEvents
from mainspring.kernel.errors import Unavailable
from mainspring.monitoring.requests import ListIncidents
from mainspring.pipelines.requests import ListPipelineRuns
from mainspring.registry.requests import ListModelVersions
from mainspring.serving.requests import GetDeployment

if TYPE_CHECKING:
    from mainspring.sdk.client import Client

T = TypeVar("T")

POLL_SECONDS = 0.25


def wait_for(
    look: Callable[[], T | None],
    what: str,
    *,
    seconds: float,
    meanwhile: Callable[[], None] = lambda: None,
) -> T:
    """The first thing that `look` finds; raises `Unavailable` if it finds none in time."""
    ends = time.monotonic() + seconds
    while True:
        found = look()
        if found is not None:
            return found
        if time.monotonic() > ends:
            raise Unavailable(
                f"{what} did not happen within {seconds:g} seconds",
                code="demo_timeout",
                hint="`mainspring status` and the logs in the home say what happened instead.",
            )
        meanwhile()
        time.sleep(POLL_SECONDS)


def all_events(client: "Client", service: str | None = None) -> list[StoredEvent]:
    """Every event, oldest first."""
    found: list[StoredEvent] = []
    while True:
        after = found[-1].seq if found else 0
        page = client.call(ListEvents(service=service, after=after, limit=1000))
        found += page.items
        if len(page.items) < 1000:
            return found


def first_event(
    client: "Client", type_: str, *, service: str, after: int = 0, **fields: object
) -> StoredEvent | None:
    """The oldest event of a type after `after` whose payload has these fields."""
    page = client.call(ListEvents(service=service, type=type_, after=after, limit=1000))
    for event in page.items:
        if all(event.payload.get(name) == value for name, value in fields.items()):
            return event
    return None


def pace_for(client: "Client", service: str) -> Pace:
    """How fast time may run in the town, by what is under way for the service."""
    deployment = client.call(GetDeployment(service=service))
    if deployment is not None and deployment.rollout is not None:
        return Pace.ROLLOUT
    runs = client.call(ListPipelineRuns(service=service, limit=3))
    if any(not run.state.is_final for run in runs):
        return Pace.TRAINING
    versions = client.call(ListModelVersions(model=service, limit=1))
    if versions and versions[0].gate_results is None:
        return Pace.TRAINING
    incidents = client.call(ListIncidents(service=service, open_only=True))
    if deployment is not None and any(i.version == deployment.champion for i in incidents):
        return Pace.TRAINING
    return Pace.QUIET
