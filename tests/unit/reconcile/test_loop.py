"""A loop goes on whatever happens, and does not hammer at what fails."""

import logging
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

import pytest

from mainspring.domain.monitor import IncidentId
from mainspring.domain.service import Service
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Conflict, Invalid, Unavailable
from mainspring.reconcile.actions import Action, ResolveIncident
from mainspring.reconcile.loop import Loop
from mainspring.testing.services import START, a_spec

DIGEST = Digest("sha256:" + "0" * 64)


def a_service(name: str) -> Service:
    return Service(
        spec=a_spec(name),
        digest=DIGEST,
        project=DIGEST,
        environment=DIGEST,
        applied_at=START,
        applied_by="person:ann",
    )


def an_action(name: str) -> Action:
    return ResolveIncident(incident=IncidentId(name), resolution="done")


def always(service: Service, now: datetime) -> Iterable[Action]:
    return [an_action(service.spec.name)]


def failing_with(error: Exception, done: list[str]) -> Callable[[Action], None]:
    def carry_out(action: Action) -> None:
        assert isinstance(action, ResolveIncident)
        if action.incident == "bad":
            done.append("tried")
            raise error
        done.append(action.incident)

    return carry_out


@pytest.mark.parametrize("error", [Invalid("no"), Unavailable("busy"), Conflict("late"), OSError()])
def test_what_fails_is_tried_again_ever_more_seldom(error: Exception) -> None:
    tried: list[str] = []
    loop = Loop("test", always, failing_with(error, tried))

    for second in range(100):
        loop.tick([a_service("bad")], START + timedelta(seconds=second))

    # After 2, 4, 8, 16 and 32 seconds.
    assert len(tried) == 6


def test_one_service_s_trouble_is_not_another_s(caplog: pytest.LogCaptureFixture) -> None:
    def plan(service: Service, now: datetime) -> Iterable[Action]:
        if service.spec.name == "broken":
            raise RuntimeError("can't look")
        return always(service, now)

    done: list[str] = []
    loop = Loop("test", plan, failing_with(Invalid("no"), done))

    acted = loop.tick([a_service("broken"), a_service("bad"), a_service("good")], START)

    assert acted
    assert done == ["tried", "good"]
    assert [r.levelno for r in caplog.records if r.levelno >= logging.ERROR] == [logging.ERROR] * 2


def test_a_loop_that_did_nothing_says_so() -> None:
    loop = Loop("test", lambda *_: [], failing_with(Invalid("no"), []))

    assert loop.tick([a_service("good")], START) is False
