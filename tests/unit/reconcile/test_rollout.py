"""Whether a rollout goes on, is taken back or waits: one decision each."""

from dataclasses import replace
from datetime import timedelta

import pytest

from mainspring.domain.approval import Approval, ApprovalId
from mainspring.domain.attestation import Signing, SigningState
from mainspring.domain.rollout import (
    GuardOutcome,
    GuardReading,
    RolloutState,
    ServingReport,
)
from mainspring.domain.service import ApprovalPolicy
from mainspring.reconcile.actions import (
    Action,
    Advance,
    BeginRollout,
    JudgeCandidate,
    RegisterCandidate,
    ShowReadings,
    StartTraining,
    TakeBack,
)
from mainspring.reconcile.rollout import plan_rollout
from mainspring.reconcile.seen import SeenForRollout
from mainspring.reconcile.training import plan_training
from mainspring.testing.services import START
from mainspring.testing.world import GUARD, World

MINUTE = timedelta(minutes=1)


def seen(*, has_champion: bool = True, **differing: object) -> SeenForRollout:
    """A rollout in its first step, ten minutes old, with a hundred requests answered well."""
    world = World(seed=0)
    world.is_calm = True
    world.deliver()
    for expected in (StartTraining, RegisterCandidate, JudgeCandidate, BeginRollout):
        (action,) = plan_training(world.see_training(), world.now)
        assert isinstance(action, expected)
        world.carry_out(action)
        world._work()
        world._work()
    look = world.see_rollout()
    assert look is not None
    rollout = replace(
        look.rollout, champion=look.candidate.id if has_champion else None, min_requests=20
    )
    values: dict[str, object] = {
        "rollout": rollout,
        "readings": (a_reading(GuardOutcome.PASSED),),
        "request_count": 100,
        "running_since": START,
        **differing,
    }
    return replace(look, **values)  # type: ignore[arg-type]


def a_reading(outcome: GuardOutcome, observed: float | None = 0.0) -> GuardReading:
    return GuardReading(guard=GUARD, outcome=outcome, observed=observed, request_count=100)


def a_report(**differing: object) -> ServingReport:
    values: dict[str, object] = {
        "process": "srv_1",
        "address": "",
        "routing_version": 1,
        "ready": (),
        "failed": {},
        "at": START,
        **differing,
    }
    return ServingReport(**values)  # type: ignore[arg-type]


def the_only(actions: list[Action]) -> Action:
    (action,) = actions
    return action


def test_a_step_that_held_with_enough_traffic_goes_on_with_its_evidence() -> None:
    look = seen()

    action = the_only(plan_rollout(look, START + 10 * MINUTE))

    assert isinstance(action, Advance)
    assert action.step_index == 0
    assert action.why == (
        "held for 10m with 100 requests; error_rate 0 (at most 0.01, 100 requests)"
    )


def test_a_step_is_held_for_its_time() -> None:
    action = the_only(plan_rollout(seen(), START + 9 * MINUTE))

    assert isinstance(action, ShowReadings)


def test_readings_that_are_kept_already_are_not_kept_again() -> None:
    look = seen()
    look = replace(look, rollout=replace(look.rollout, readings=look.readings))

    assert plan_rollout(look, START + 9 * MINUTE) == []


def test_too_little_traffic_waits_and_in_the_end_is_taken_back() -> None:
    look = seen(request_count=19)

    waits = plan_rollout(look, START + 60 * MINUTE)
    late = the_only(plan_rollout(look, START + 360 * MINUTE))

    assert all(isinstance(action, ShowReadings) for action in waits)
    assert isinstance(late, TakeBack)
    assert "saw 19 requests and takes at least 20" in late.why


def test_the_first_model_does_not_wait_for_traffic_that_nobody_could_answer() -> None:
    look = seen(has_champion=False, request_count=0, readings=())

    action = the_only(plan_rollout(look, START + 10 * MINUTE))

    assert isinstance(action, Advance)
    assert "no champion to compare with" in action.why


def test_a_guard_that_knows_too_little_does_not_hold_a_step_up() -> None:
    look = seen(readings=(a_reading(GuardOutcome.INCONCLUSIVE, None),))

    action = the_only(plan_rollout(look, START + 10 * MINUTE))

    assert isinstance(action, Advance)
    assert "error_rate not known yet" in action.why


@pytest.mark.parametrize("paused", [False, True])
def test_a_failed_guard_takes_back_at_once_even_while_paused(paused: bool) -> None:
    look = seen(readings=(a_reading(GuardOutcome.FAILED, 0.5),))
    look = replace(look, service=replace(look.service, paused=paused))

    action = the_only(plan_rollout(look, START))

    assert isinstance(action, TakeBack)
    assert action.why == "guard failed: error_rate 0.5 (at most 0.01, 100 requests)"


def test_a_paused_rollout_neither_goes_on_nor_runs_out_of_time() -> None:
    look = seen()
    look = replace(look, service=replace(look.service, paused=True))

    actions = plan_rollout(look, START + timedelta(days=30))

    assert all(isinstance(action, ShowReadings) for action in actions)


def test_a_candidate_that_a_process_can_t_load_is_taken_back() -> None:
    look = seen()
    look = replace(look, reports=(a_report(failed={look.rollout.candidate: "altered"}),))

    action = the_only(plan_rollout(look, START))

    assert isinstance(action, TakeBack)
    assert "can't load it: altered" in action.why


def test_a_process_that_is_not_ready_yet_is_waited_for() -> None:
    look = seen(has_champion=False)
    ready = a_report(ready=(look.rollout.candidate,))

    waits = plan_rollout(replace(look, reports=(ready, a_report())), START + 10 * MINUTE)
    goes_on = plan_rollout(replace(look, reports=(ready,)), START + 10 * MINUTE)

    assert all(isinstance(action, ShowReadings) for action in waits)
    assert isinstance(the_only(goes_on), Advance)


def waiting(policy: ApprovalPolicy, *approvals: tuple[str, bool]) -> SeenForRollout:
    look = seen()
    spec = replace(look.service.spec, retrain=replace(look.service.spec.retrain, approvals=policy))
    given = tuple(
        Approval(
            id=ApprovalId(f"apr_{n}"),
            service="demand",
            version=look.candidate.id,
            subject=look.candidate.manifest,
            approved=approved,
            reason="because",
            actor=actor,
            at=START,
        )
        for n, (actor, approved) in enumerate(approvals)
    )
    return replace(
        look,
        service=replace(look.service, spec=spec),
        rollout=replace(look.rollout, state=RolloutState.WAITING, step_index=-1),
        approvals=given,
    )


def test_a_rollout_waits_for_as_many_people_as_are_asked_for() -> None:
    two = ApprovalPolicy(production=2)

    assert plan_rollout(waiting(two, ("person:bob", True)), START) == []
    action = the_only(plan_rollout(waiting(two, ("person:bob", True), ("person:eve", True)), START))
    assert isinstance(action, Advance)
    assert action.why == "approved by person:bob, person:eve"


def test_an_author_s_own_word_may_not_count() -> None:
    policy = ApprovalPolicy(production=1, not_by_author=True)

    assert plan_rollout(waiting(policy, ("person:ann", True)), START) == []
    assert plan_rollout(waiting(policy, ("person:bob", True)), START) != []


def test_a_no_takes_the_rollout_back_with_its_reason() -> None:
    action = the_only(
        plan_rollout(waiting(ApprovalPolicy(production=1), ("person:bob", False)), START)
    )

    assert isinstance(action, TakeBack)
    assert action.why == "person:bob said no: because"


@pytest.mark.parametrize(
    ("signing", "expected"),
    [
        (Signing(), None),
        (Signing(state=SigningState.SIGNED), None),
        (Signing(state=SigningState.VERIFIED, signed_by=("release",)), "signed by release"),
        (Signing(state=SigningState.BROKEN, why="other files"), "does not hold: other files"),
    ],
)
def test_a_rollout_that_waits_goes_on_when_a_trusted_key_has_signed(
    signing: Signing, expected: str | None
) -> None:
    look = seen()
    policy = replace(look.service.spec.serve, require_signed=True)
    service = replace(look.service, spec=replace(look.service.spec, serve=policy))
    waiting = replace(look.rollout, state=RolloutState.WAITING, step_index=-1)
    look = replace(
        look,
        service=service,
        rollout=waiting,
        candidate=replace(look.candidate, signing=signing),
    )

    actions = plan_rollout(look, START)

    if expected is None:
        assert actions == []
        return
    action = the_only(actions)
    assert isinstance(action, TakeBack if signing.state is SigningState.BROKEN else Advance)
    assert expected in action.why
