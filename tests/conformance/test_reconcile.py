"""The loops keep their promises on the real store, on both databases: only runs and traffic are made by hand."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from mainspring.app import App, loop_actor
from mainspring.blobs.trees import put_manifest
from mainspring.datasets.requests import AddDatasetVersion
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.domain.evaluation import Evaluation
from mainspring.domain.event import ChampionChanged, RolloutRolledBack, RunRequested
from mainspring.domain.gate import Gate
from mainspring.domain.model import ModelVersion
from mainspring.domain.monitor import IncidentKind
from mainspring.domain.pipeline import PipelineRun, PipelineRunState, StoredValue, ValueKind
from mainspring.domain.rollout import Deployment, Guard, GuardMetric, RolloutState, ServingReport
from mainspring.domain.service import (
    ApprovalPolicy,
    MonitorPolicy,
    RetrainPolicy,
    RetrainTrigger,
    RolloutPolicy,
)
from mainspring.governance.requests import VerifyAudit
from mainspring.kernel.codec import encode
from mainspring.monitoring.requests import ListIncidents, OpenIncident
from mainspring.pipelines.requests import FinishRun, ListPipelineRuns, TakeRun
from mainspring.pipelines.snapshot import take_snapshot
from mainspring.reconcile.loops import Duty, Monitoring, Rollouts, Training
from mainspring.registry.requests import GiveApproval, ListModelVersions
from mainspring.services.requests import (
    ApplyService,
    HoldControl,
    ListServices,
    PauseService,
    ReleaseControl,
)
from mainspring.serving.log.frames import Answered, microseconds
from mainspring.serving.log.writer import PredictionLog
from mainspring.serving.requests import GetDeployment, ListRollouts, ReportServing
from mainspring.testing.apps import clock_of, emitted
from mainspring.testing.services import a_reference, a_spec

FLOW = """
import mainspring as ms

@ms.step
def train(rides: ms.Dataset) -> int:
    return 1

@ms.pipeline
def demand(rides: ms.Dataset):
    return train(rides)
"""

SPEC = {
    "gates": (Gate(metric="rmse", max=60.0),),
    "rollout": RolloutPolicy(
        steps=(0.1, 1.0),
        hold_seconds=60,
        min_requests=5,
        guards=(Guard(metric=GuardMetric.ERROR_RATE, max=0.1, min_requests=5),),
    ),
    "monitor": MonitorPolicy(min_rows=10),
    "retrain": RetrainPolicy(on=(RetrainTrigger.NEW_DATA,), max_failures=2),
}


class House:
    """An installation with one service, whose runs and traffic are made by hand."""

    def __init__(self, app: App, folder: Path) -> None:
        self.app = app
        self.folder = folder
        self.duties: list[Duty] = [
            duty(app.acting_as(loop_actor(duty.name)).call, app.blobs, app.settings)
            for duty in (Training, Rollouts, Monitoring)
        ]
        self.log = PredictionLog(app.settings.predictions_path)
        self.count = 0

    def apply(self, flow: str = FLOW, **differing: Any) -> None:
        self.folder.mkdir(exist_ok=True)
        (self.folder / "flow.py").write_text(flow)
        self.app.call(
            ApplyService(
                spec=a_spec(**{**SPEC, **differing}),
                project=take_snapshot(self.app.blobs, self.folder),
                environment=self.app.blobs.put_bytes(b"{}"),
            )
        )

    def deliver(self) -> None:
        self.count += 1
        digest = self.app.blobs.put_bytes(f"a\n{self.count}\n".encode())
        entry = ManifestEntry(path="data.csv", digest=digest, size_bytes=5)
        manifest = put_manifest(self.app.blobs, Manifest(entries=(entry,)))
        self.app.call(
            AddDatasetVersion(dataset="rides", manifest=manifest, file_count=1, size_bytes=5)
        )

    def tick(self, seconds: float = 0.0) -> None:
        """Let time pass, then let every loop act until it has nothing more to do."""
        clock_of(self.app).advance(timedelta(seconds=seconds))
        services = self.app.call(ListServices())
        for _ in range(20):
            for duty in self.duties:
                duty.look_again()
            if not any([d.tick(services, self.app.clock.now()) for d in self.duties]):  # noqa: C419
                return
        raise AssertionError("the loops never come to rest")

    def finish(self, *, rmse: float = 50.0, error: str | None = None, model: str = "") -> None:
        """End the run that waits, with a model of its own unless it failed."""
        lease = self.app.call(TakeRun(holder="worker"))
        assert lease is not None
        clock_of(self.app).advance(timedelta(seconds=1))
        outputs: tuple[StoredValue, ...] = ()
        if error is None:
            digest = self.app.blobs.put_bytes(encode(self._evaluation(rmse, model or lease.run)))
            outputs = (StoredValue(kind=ValueKind.METRICS, digest=digest),)
        state = PipelineRunState.FAILED if error else PipelineRunState.SUCCEEDED
        self.app.call(FinishRun(lease=lease, state=state, outputs=outputs, error=error))

    def _evaluation(self, rmse: float, name: str) -> Evaluation:
        text = f"flavors:\n  python_function:\n    loader_module: {name}\n".encode()
        digest = self.app.blobs.put_bytes(text)
        entry = ManifestEntry(path="MLmodel", digest=digest, size_bytes=len(text))
        return Evaluation(
            values={"rmse": rmse},
            model=put_manifest(self.app.blobs, Manifest(entries=(entry,))),
            reference=self.app.blobs.put_bytes(encode(a_reference())),
        )

    def serve(
        self, version: str, *, code: int = 200, count: int = 10, arm: str = "candidate"
    ) -> None:
        """Answer some requests with a version."""
        self.count += 1
        now = microseconds(self.app.clock.now())
        failed = code != 200
        answered = Answered(
            ids=[f"prd_{self.count}_{n}" for n in range(count)],  # type: ignore[misc]
            version=version,
            arm=arm,
            keys=None,
            at=now,
            event_at=None,
            names=["temp"],
            columns=[[5.0 + 10 * (n % 4) for n in range(count)]],
            outputs=None if failed else [5.0 + 10 * (n % 4) for n in range(count)],
            latency_ms=1.0,
            code=code,
            error="boom" if failed else None,
        )
        self.log.append("demand", answered, count)
        self.log.write(self.log.take())

    @property
    def runs(self) -> tuple[PipelineRun, ...]:
        return self.app.call(ListPipelineRuns(service="demand"))

    @property
    def versions(self) -> tuple[ModelVersion, ...]:
        return self.app.call(ListModelVersions(model="demand"))

    @property
    def deployment(self) -> Deployment:
        found = self.app.call(GetDeployment(service="demand"))
        assert found is not None
        return found

    def with_champion(self) -> ModelVersion:
        """Bring the first model into service."""
        self.apply()
        self.deliver()
        self.tick()
        self.finish()
        self.tick()
        self.tick(61)
        champion = self.versions[0]
        assert self.deployment.champion == champion.id
        return champion


@pytest.fixture
def house(any_app: App, tmp_path: Path) -> Iterator[House]:
    house = House(any_app, tmp_path / "project")
    yield house
    house.log.close()
    assert any_app.call(VerifyAudit()).intact


def test_a_declared_service_gets_its_first_model(house: House) -> None:
    house.apply()
    house.tick()
    assert house.runs == ()
    house.deliver()

    house.tick()
    (run,) = house.runs
    assert (run.state, run.why) == (PipelineRunState.REQUESTED, "the service has no model yet")
    assert run.requested_by == "loop:training"
    house.finish()
    house.tick()
    (version,) = house.versions
    assert version.gate_results is not None
    assert house.deployment.champion is None
    rollout = house.deployment.rollout
    assert rollout is not None
    assert (rollout.candidate, rollout.share) == (version.id, 1.0)
    house.tick(61)

    assert house.deployment.champion == version.id
    (event,) = emitted(house.app, ChampionChanged)
    assert "held for 1m" in event.why
    assert event.actor == "loop:rollout"


def test_nothing_is_done_twice_once_all_is_well(house: House) -> None:
    house.with_champion()

    for _ in range(5):
        house.tick(3600)

    assert len(house.runs) == len(house.versions) == 1


def test_new_data_is_trained_on_and_goes_through_the_canary(house: House) -> None:
    champion = house.with_champion()
    house.deliver()

    house.tick()
    assert "dataset rides has version 2" in house.runs[0].why
    house.finish()
    house.tick()
    candidate = house.versions[0]
    house.tick(61)
    assert house.deployment.rollout is not None
    assert house.deployment.rollout.share == 0.1  # no traffic yet, so it stays

    house.serve(candidate.id)
    house.tick(1)
    assert house.deployment.rollout.share == 1.0
    house.serve(candidate.id)
    house.tick(61)

    assert house.deployment.champion == candidate.id
    assert house.deployment.previous == champion.id
    assert "error_rate 0 (at most 0.1, 10 requests)" in emitted(house.app, ChampionChanged)[-1].why


def test_a_candidate_that_fails_its_gates_never_serves(house: House) -> None:
    champion = house.with_champion()
    house.deliver()
    house.tick()
    house.finish(rmse=99.0)

    house.tick()
    house.tick(3600)

    assert len(house.versions) == 2
    assert house.deployment.champion == champion.id
    assert len(house.app.call(ListRollouts(service="demand"))) == 1


def test_a_candidate_that_fails_on_live_traffic_is_taken_back_and_never_tried_again(
    house: House,
) -> None:
    champion = house.with_champion()
    house.deliver()
    house.tick()
    house.finish()
    house.tick()
    candidate = house.versions[0]

    house.serve(candidate.id, code=500)
    house.tick(1)
    house.tick(3600)

    assert house.deployment.champion == champion.id
    assert house.deployment.rollout is None
    (event,) = emitted(house.app, RolloutRolledBack)
    assert "error_rate 1 (at most 0.1, 10 requests)" in event.why
    assert len(house.app.call(ListRollouts(service="demand"))) == 2


def test_a_candidate_that_can_t_be_loaded_never_answers(house: House) -> None:
    house.apply()
    house.deliver()
    house.tick()
    house.finish()
    house.tick()
    candidate = house.versions[0]
    house.app.call(
        ReportServing(
            report=ServingReport(
                process="srv_1",
                address="http://127.0.0.1:1",
                routing_version=1,
                ready=(),
                failed={candidate.id: "a file was altered"},
                at=house.app.clock.now(),
            )
        )
    )

    house.tick(30)

    assert house.deployment.champion is None
    assert "a file was altered" in emitted(house.app, RolloutRolledBack)[0].why


def test_failed_runs_are_retried_later_then_told(house: House) -> None:
    house.apply()
    house.deliver()
    house.tick()
    house.finish(error="boom")
    house.tick()
    assert len(house.runs) == 1
    house.tick(11)
    assert "try 2 of 2" in house.runs[0].why
    house.finish(error="boom again")

    house.tick(3600)

    assert len(house.runs) == 2
    (incident,) = house.app.call(ListIncidents(service="demand", open_only=True))
    assert incident.kind is IncidentKind.FAILING_RUNS
    assert "boom again" in incident.summary


def test_mended_code_is_trained_again_and_closes_the_incident(house: House) -> None:
    test_failed_runs_are_retried_later_then_told(house)
    clock_of(house.app).advance(timedelta(seconds=5))
    house.apply(FLOW + "\n# mended\nX = 1\n")

    house.tick()
    assert "its code changed" in house.runs[0].why
    house.finish()
    house.tick()

    assert house.app.call(ListIncidents(open_only=True)) == ()
    assert len(house.versions) == 1


def test_a_pipeline_that_can_t_be_drawn_up_is_an_incident_not_a_busy_loop(house: House) -> None:
    house.apply("import nothing_like_it\n")
    house.deliver()

    house.tick()
    house.tick(1)
    house.tick(3600)

    assert house.runs == ()
    (incident,) = house.app.call(ListIncidents(open_only=True))
    assert "nothing_like_it" in incident.summary


def test_a_rollout_waits_for_approval_and_begins_with_it(house: House) -> None:
    house.apply(retrain=RetrainPolicy(approvals=ApprovalPolicy(production=1)))
    house.deliver()
    house.tick()
    house.finish()
    house.tick(100_000)
    assert house.deployment.rollout is not None
    assert house.deployment.rollout.state is RolloutState.WAITING

    house.app.call(GiveApproval(service="demand", model="demand", number=1))
    house.tick()
    assert house.deployment.rollout.state is RolloutState.RUNNING
    house.tick(61)

    assert house.deployment.champion == house.versions[0].id


def test_a_no_ends_the_wait(house: House) -> None:
    house.apply(retrain=RetrainPolicy(approvals=ApprovalPolicy(production=1)))
    house.deliver()
    house.tick()
    house.finish()
    house.tick()

    house.app.call(
        GiveApproval(
            service="demand", model="demand", number=1, approved=False, reason="not on a Friday"
        )
    )
    house.tick()

    assert house.deployment.rollout is None
    assert "not on a Friday" in emitted(house.app, RolloutRolledBack)[0].why


def test_a_paused_service_is_left_alone_but_guarded(house: House) -> None:
    champion = house.with_champion()
    house.deliver()
    house.tick()
    house.finish()
    house.tick()
    candidate = house.versions[0]
    house.app.call(PauseService(name="demand"))
    house.serve(candidate.id, count=4)
    house.deliver()
    house.tick(120)
    assert house.deployment.rollout is not None
    assert house.deployment.rollout.share == 0.1
    assert len(house.runs) == 2

    house.serve(candidate.id, code=500)
    house.tick()

    assert house.deployment.rollout is None
    assert house.deployment.champion == champion.id


def test_the_same_model_again_is_no_candidate(house: House) -> None:
    house.apply()
    house.deliver()
    house.tick()
    house.finish(model="same")
    house.tick()
    house.tick(61)
    house.deliver()
    house.tick()

    house.finish(model="same")
    house.tick(61)

    assert len(house.runs) == 2
    assert len(house.versions) == 1


def test_an_open_incident_asks_for_training_only_on_newer_data(house: House) -> None:
    house.with_champion()
    house.apply(retrain=RetrainPolicy(on=(RetrainTrigger.HARMFUL_DRIFT,)))
    house.deliver()
    house.tick()
    assert len(house.runs) == 1

    house.app.call(
        OpenIncident(service="demand", kind=IncidentKind.ERROR_GROWTH, summary="it got worse")
    )
    house.tick()

    assert len(house.runs) == 2
    assert "error-growth is open (it got worse)" in house.runs[0].why


def test_predictions_are_watched_from_the_log_and_windows_judged(house: House) -> None:
    champion = house.with_champion()
    house.serve(champion.id, arm="champion", count=40)
    house.tick()

    house.tick(3 * 3600)

    from mainspring.monitoring.requests import ListWindows

    (window,) = house.app.call(ListWindows(service="demand"))
    assert (window.row_count, window.is_closed, window.version) == (40, True, champion.id)
    assert [d.feature for d in window.drift] == ["temp"]


def test_two_sets_of_loops_on_one_store_do_everything_once(house: House) -> None:
    second = House(house.app, house.folder)
    house.duties = [*house.duties, *second.duties]

    house.with_champion()
    house.deliver()
    house.tick()

    assert len(house.runs) == len(emitted(house.app, RunRequested)) == 2
    second.log.close()


def test_one_controller_at_a_time_holds_control(any_app: App) -> None:
    first = any_app.call(HoldControl(holder="a"))
    assert first is not None
    assert any_app.call(HoldControl(holder="b")) is None
    assert any_app.call(HoldControl(holder="a", fence=first.fence)) == first

    any_app.call(ReleaseControl(holder=first.holder, fence=first.fence))
    second = any_app.call(HoldControl(holder="b"))

    assert second is not None
    assert second.fence == first.fence + 1
    assert any_app.call(HoldControl(holder="a", fence=first.fence)) is None
    clock_of(any_app).advance(timedelta(seconds=16))
    assert any_app.call(HoldControl(holder="a", fence=first.fence)) is not None
