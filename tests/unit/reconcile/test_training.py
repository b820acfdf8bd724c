"""When a model is trained, and what becomes of it: one decision each."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mainspring.domain.dataset import DatasetVersionId
from mainspring.domain.evaluation import Evaluation
from mainspring.domain.gate import Gate
from mainspring.domain.model import ModelVersion
from mainspring.domain.monitor import IncidentKind
from mainspring.domain.pipeline import PipelineRunState
from mainspring.domain.rollout import RolloutState
from mainspring.domain.service import RetrainPolicy, RetrainTrigger
from mainspring.kernel.digests import Digest
from mainspring.kernel.schedules import parse_schedule
from mainspring.reconcile.actions import (
    Action,
    BeginRollout,
    JudgeCandidate,
    RaiseIncident,
    RegisterCandidate,
    StartTraining,
    TakeBack,
)
from mainspring.reconcile.training import plan_training
from mainspring.testing.world import World


class Calm(World):
    """A world in which nothing happens by itself."""

    def __init__(self, *, approvals: int = 0) -> None:
        super().__init__(seed=0, approvals=approvals)
        self.is_calm = True
        self.deliver()

    def plan(self) -> list[Action]:
        return plan_training(self.see_training(), self.now)

    def follow(self) -> list[Action]:
        """Do all that is planned, and give what was done."""
        actions = self.plan()
        for action in actions:
            self.carry_out(action)
        return actions

    def finish(self, state: PipelineRunState = PipelineRunState.SUCCEEDED) -> None:
        self.now += timedelta(seconds=1)
        run = self.runs[0]
        self.runs[0] = replace(run, state=state, error="boom", finished_at=self.now)
        if state is PipelineRunState.SUCCEEDED:
            model = Digest(self.id("sha256:model"))
            self.evaluations[run.id] = Evaluation(model=model, values={"rmse": 50.0})

    def candidate(self) -> ModelVersion:
        """Train, register and judge a candidate, whose rollout has not begun."""
        self.follow()
        self.finish()
        self.follow()
        self.follow()
        return self.versions[0]

    def champion(self) -> ModelVersion:
        version = self.candidate()
        self.follow()
        self.promote()
        return version

    def promote(self) -> None:
        assert self.deployment is not None
        assert self.active is not None
        candidate = self.active.candidate
        self._end(self.active.id, RolloutState.PROMOTED)
        self.deployment = replace(
            self.deployment, champion=candidate, previous=self.deployment.champion
        )

    def declare(self, **differing: object) -> None:
        self.now += timedelta(seconds=1)
        spec = replace(self.service.spec, **differing)  # type: ignore[arg-type]
        self.service = replace(self.service, spec=spec, applied_at=self.now)


@pytest.fixture
def calm() -> Calm:
    return Calm()


def why_of(actions: list[Action]) -> str:
    (action,) = actions
    assert isinstance(action, StartTraining)
    return action.why


def test_the_first_model_needs_no_trigger(calm: Calm) -> None:
    calm.declare(retrain=RetrainPolicy())

    assert why_of(calm.plan()) == "the service has no model yet"


def test_without_data_nothing_is_trained(calm: Calm) -> None:
    calm.data = []

    assert calm.plan() == []


def test_a_candidate_goes_step_by_step(calm: Calm) -> None:
    steps = [calm.follow()]
    calm.finish()
    steps += [calm.follow(), calm.follow(), calm.follow(), calm.follow()]

    kinds = [type(action) for actions in steps for action in actions]
    assert kinds == [StartTraining, RegisterCandidate, JudgeCandidate, BeginRollout]


def test_new_data_without_its_trigger_changes_nothing(calm: Calm) -> None:
    calm.champion()
    calm.declare(retrain=RetrainPolicy())
    calm.deliver()

    assert calm.plan() == []


def test_new_data_waits_for_the_cooldown(calm: Calm) -> None:
    calm.champion()
    policy = RetrainPolicy(on=(RetrainTrigger.NEW_DATA,), cooldown_seconds=3600)
    calm.declare(retrain=policy)
    calm.deliver()
    assert calm.plan() == []

    calm.now += timedelta(hours=1)

    assert "dataset rides has version 2" in why_of(calm.plan())


def test_new_data_waits_for_the_schedule(calm: Calm) -> None:
    calm.champion()
    calm.declare(retrain=RetrainPolicy(schedules=(parse_schedule("0 3 * * 1"),)))
    calm.deliver()
    monday = parse_schedule("0 3 * * 1").next_after(calm.now)
    calm.now = monday - timedelta(seconds=1)
    assert calm.plan() == []

    # The controller may have been away when it came round.
    calm.now = monday + timedelta(hours=5)

    why = why_of(calm.plan())
    assert f"its schedule (0 3 * * 1) came round at {monday:%Y-%m-%d} 03:00Z" in why
    assert "dataset rides has version 2" in why


def test_a_schedule_without_new_data_trains_nothing(calm: Calm) -> None:
    calm.champion()
    calm.declare(retrain=RetrainPolicy(schedules=(parse_schedule("@hourly"),)))
    calm.now += timedelta(days=3)

    assert calm.plan() == []


def test_a_schedule_trains_once_each_time_it_comes_round(calm: Calm) -> None:
    calm.champion()
    calm.declare(retrain=RetrainPolicy(schedules=(parse_schedule("@hourly"),)))
    calm.deliver()
    calm.now += timedelta(hours=2)
    calm.follow()
    calm.finish()
    calm.follow()
    calm.follow()
    calm.follow()
    calm.promote()
    calm.deliver()
    assert calm.plan() == []

    calm.now += timedelta(hours=1)

    assert "its schedule" in why_of(calm.plan())


@pytest.mark.parametrize(
    ("differing", "word"),
    [({"params": {"depth": 3}}, "parameters"), ({"pipeline": "flow:other"}, "pipeline")],
)
def test_a_changed_declaration_is_trained(calm: Calm, differing: dict, word: str) -> None:  # type: ignore[type-arg]
    calm.champion()
    calm.declare(**differing)

    assert f"its {word} changed" in why_of(calm.plan())


def test_a_changed_environment_is_trained(calm: Calm) -> None:
    calm.champion()
    calm.service = replace(calm.service, environment=Digest("sha256:" + "1" * 64))

    assert "its environment changed" in why_of(calm.plan())


def test_changed_guards_need_no_training(calm: Calm) -> None:
    calm.champion()
    calm.declare(rollout=replace(calm.service.spec.rollout, hold_seconds=1))

    assert calm.plan() == []


def test_gates_that_changed_are_asked_of_another_version(calm: Calm) -> None:
    calm.candidate()
    calm.declare(gates=(Gate(metric="rmse", max=55.0),))

    assert "the gates changed since version 1 was judged" in why_of(calm.plan())


def test_a_cancelled_run_is_not_started_again_by_itself(calm: Calm) -> None:
    calm.follow()
    calm.finish(PipelineRunState.CANCELLED)
    calm.now += timedelta(days=1)

    assert calm.plan() == []


def test_a_run_without_an_evaluated_model_counts_as_failed(calm: Calm) -> None:
    for _ in range(3):
        calm.follow()
        calm.finish()
        calm.evaluations[calm.runs[0].id] = None
        calm.now += timedelta(hours=1)

    (action,) = calm.plan()

    assert isinstance(action, RaiseIncident)
    assert action.kind is IncidentKind.FAILING_RUNS
    assert "no result of ms.evaluate" in action.summary


def test_closing_the_incident_by_hand_asks_for_another_try(calm: Calm) -> None:
    for _ in range(3):
        calm.follow()
        calm.finish(PipelineRunState.FAILED)
        calm.now += timedelta(hours=1)
    calm.follow()
    assert calm.plan() == []

    incident = calm.incidents[0]
    calm.incidents[0] = replace(incident, closed_at=calm.now, resolution="the disk was full")

    assert "the incident about failing runs was closed" in why_of(calm.plan())


def test_a_waiting_rollout_gives_way_to_a_newer_candidate() -> None:
    calm = Calm(approvals=1)
    calm.candidate()
    calm.follow()
    assert calm.active is not None
    waiting = calm.active
    calm.deliver()
    newer = calm.candidate()
    assert newer.number == 2

    (action,) = calm.follow()

    assert isinstance(action, TakeBack)
    assert action.rollout == waiting.id
    (following,) = calm.plan()
    assert isinstance(following, BeginRollout)
    assert following.version == newer.id


def test_a_candidate_is_not_judged_while_the_champion_may_still_change(calm: Calm) -> None:
    calm.champion()
    calm.deliver()
    calm.candidate()
    calm.follow()
    assert calm.active is not None
    calm.deliver()
    calm.follow()
    calm.finish()
    calm.follow()
    assert calm.versions[0].gate_results is None

    assert calm.plan() == []
    calm.promote()

    (action,) = calm.plan()
    assert isinstance(action, JudgeCandidate)


def test_the_bytes_of_a_candidate_that_was_taken_back_stay_out(calm: Calm) -> None:
    calm.champion()
    calm.deliver()
    bad = calm.candidate()
    calm.follow()
    assert calm.active is not None
    calm._end(calm.active.id, RolloutState.ROLLED_BACK)
    calm.deliver()
    calm.follow()
    calm.finish()
    calm.evaluations[calm.runs[0].id] = Evaluation(model=bad.manifest, values={"rmse": 50.0})
    calm.follow()
    calm.follow()
    assert calm.versions[0].manifest == bad.manifest

    assert calm.plan() == []
    calm.declare(rollout=replace(calm.service.spec.rollout, guards=()))

    (action,) = calm.plan()
    assert isinstance(action, BeginRollout)


def test_an_incident_without_newer_data_trains_nothing(calm: Calm) -> None:
    calm.champion()
    calm.declare(retrain=RetrainPolicy(on=(RetrainTrigger.HARMFUL_DRIFT,)))
    calm.carry_out(
        RaiseIncident(service="demand", kind=IncidentKind.HARMFUL_DRIFT, summary="it drifted")
    )
    assert calm.plan() == []

    calm.deliver()

    assert "harmful-drift is open (it drifted)" in why_of(calm.plan())


def test_the_inputs_are_the_newest_accepted_versions(calm: Calm) -> None:
    (action,) = calm.plan()

    assert isinstance(action, StartTraining)
    assert action.inputs == (("rides", DatasetVersionId(calm.data[0].id)),)


def test_nothing_is_trained_on_new_data_while_a_rollout_runs(calm: Calm) -> None:
    calm.champion()
    calm.declare(retrain=RetrainPolicy(on=(RetrainTrigger.NEW_DATA,)))
    calm.deliver()
    calm.candidate()
    calm.follow()
    assert calm.active is not None
    assert calm.active.state is RolloutState.RUNNING
    calm.deliver()
    calm.now += timedelta(hours=1)
    assert calm.plan() == []

    calm.promote()

    assert "dataset rides has version 3" in why_of(calm.plan())


def test_an_open_incident_trains_nothing_while_its_cure_is_rolled_out(calm: Calm) -> None:
    calm.champion()
    calm.declare(retrain=RetrainPolicy(on=(RetrainTrigger.HARMFUL_DRIFT,)))
    calm.carry_out(
        RaiseIncident(service="demand", kind=IncidentKind.HARMFUL_DRIFT, summary="it drifted")
    )
    calm.deliver()
    calm.candidate()
    calm.follow()
    assert calm.active is not None
    calm.deliver()
    calm.now += timedelta(days=30)

    assert calm.plan() == []
    calm.promote()
    assert "harmful-drift is open (it drifted)" in why_of(calm.plan())
