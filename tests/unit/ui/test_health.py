from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import Incident, IncidentId, IncidentKind
from mainspring.domain.rollout import Deployment, ServingReport
from mainspring.domain.service import Service
from mainspring.kernel.digests import Digest
from mainspring.testing.services import a_spec
from mainspring.ui.health import Health, health_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CHAMPION = ModelVersionId("mv_1")
SERVICE = Service(
    spec=a_spec(),
    digest=Digest("sha256:1"),
    project=Digest("sha256:2"),
    environment=Digest("sha256:3"),
    applied_at=NOW,
    applied_by="person:tester",
)
DEPLOYMENT = Deployment(
    service="demand",
    model="demand",
    champion=CHAMPION,
    previous=None,
    rollout=None,
    routing_version=1,
    updated_at=NOW,
)
REPORT = ServingReport(
    process="p", address="a", routing_version=1, ready=(CHAMPION,), failed={}, at=NOW
)
INCIDENT = Incident(
    id=IncidentId("inc_1"),
    service="demand",
    kind=IncidentKind.SERVING,
    summary="it answers nothing",
    version=None,
    findings=(),
    windows=(),
    opened_at=NOW,
)


def health(service: Service = SERVICE, **differing: Any) -> Health:
    values: dict[str, Any] = {
        "deployment": DEPLOYMENT,
        "incidents": (),
        "last_run": None,
        "reports": (REPORT,),
        "now": NOW,
        **differing,
    }
    return health_of(service, **values)


def test_a_service_whose_champion_answers_is_healthy() -> None:
    assert health().word == "healthy"


def test_a_silent_process_does_not_count() -> None:
    late = replace(REPORT, at=NOW - timedelta(minutes=2))

    assert health(reports=(late,)).word == "not served"


def test_a_model_that_fails_to_load_comes_before_everything_else() -> None:
    failed = replace(REPORT, ready=(), failed={CHAMPION: "a file was altered"})

    found = health(reports=(failed,), incidents=(INCIDENT,))

    assert found.word == "not answering"
    assert "a file was altered" in found.sentence


def test_one_process_that_answers_is_enough() -> None:
    failed = replace(REPORT, process="q", ready=(), failed={CHAMPION: "a file was altered"})

    assert health(reports=(REPORT, failed)).word == "healthy"


def test_an_open_incident_comes_before_a_pause() -> None:
    paused = replace(SERVICE, paused=True)

    assert health(paused, incidents=(INCIDENT,)).sentence == "it answers nothing"
    assert health(paused).word == "paused"


def test_a_service_without_a_model_says_so() -> None:
    assert health(deployment=None, reports=()).word == "no model yet"
