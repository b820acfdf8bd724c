"""Months of operation in simulated time, with faults: the plans keep their promises whatever is lost.

The world has the rules of the real operations (idempotent, one rollout at a time, gates before a champion)
and nothing of their storage; `tests/conformance/test_reconcile.py` runs the same loops on the real store.
"""

import contextlib
import time
from datetime import datetime

import pytest

from mainspring.domain.monitor import (
    IncidentKind,
)
from mainspring.domain.rollout import (
    RolloutState,
)
from mainspring.kernel.errors import Conflict
from mainspring.reconcile.actions import (
    Action,
    reason_for,
)
from mainspring.reconcile.monitoring import plan_monitoring
from mainspring.reconcile.rollout import plan_rollout
from mainspring.reconcile.training import plan_training
from mainspring.testing.services import START
from mainspring.testing.world import World


def plans_of(world: World) -> list[Action]:
    actions = plan_training(world.see_training(), world.now)
    if rollout := world.see_rollout():
        actions += plan_rollout(rollout, world.now)
    return actions + plan_monitoring(world.see_monitoring())


class Controller:
    """Plans on what it saw, maybe some time ago, and carries it out with the faults of a bad day."""

    def __init__(self, world: World, *, is_slow: bool = False) -> None:
        self.world = world
        self.is_slow = is_slow
        self.held: list[Action] = []

    def tick(self) -> None:
        planned = plans_of(self.world)
        actions, self.held = (self.held, planned) if self.is_slow else (planned, [])
        for action in actions:
            chance = 1.0 if self.world.is_calm else self.world.random.random()
            if chance < 0.05:
                continue
            self._try(action)
            if chance < 0.10:
                self._try(action)
            if chance < 0.15:
                return

    def _try(self, action: Action) -> None:
        with contextlib.suppress(Conflict):
            self.world.carry_out(action)


def run(world: World, ticks: int, *, two_controllers: bool = False) -> None:
    controllers = [Controller(world)]
    if two_controllers:
        controllers.append(Controller(world, is_slow=True))
    for _ in range(ticks):
        world.live()
        for controller in controllers:
            controller.tick()
        world.check()


def settle(world: World) -> None:
    """No more faults; a day passes."""
    world.is_calm = True
    run(world, 400)


def test_ten_thousand_ticks_with_faults_keep_every_promise() -> None:
    started = time.process_time()
    world = World(seed=1)

    run(world, 10_000, two_controllers=True)
    settle(world)

    assert time.process_time() - started < 5
    assert len(world.promoted) > 20
    assert world.deployment is not None
    assert world.deployment.champion is not None
    assert any(i.kind is IncidentKind.ERROR_GROWTH for i in world.incidents)
    assert any(r.state is RolloutState.ROLLED_BACK for r in world.rollouts)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("approvals", [0, 1, 2])
def test_whatever_happened_a_champion_answers_in_the_end(seed: int, approvals: int) -> None:
    world = World(seed, approvals=approvals, failing=0.5)
    run(world, 500, two_controllers=seed % 2 == 1)

    world.deliver()
    settle(world)

    assert world.deployment is not None
    assert world.deployment.champion is not None
    assert world.active is None
    if approvals:
        champion = world.version(world.deployment.champion)
        agreed = {a.actor for a in world.approvals if a.version == champion.id and a.approved}
        assert len(agreed) >= approvals


def test_a_pipeline_that_always_fails_is_not_tried_forever() -> None:
    world = World(seed=3, failing=1.0)
    world.random.random = lambda: 0.5  # type: ignore[method-assign]  # nobody interferes

    run(world, 2000)

    assert len(world.requested) == 3
    (incident,) = world.incidents
    assert incident.kind is IncidentKind.FAILING_RUNS
    assert "3 runs in a row failed" in incident.summary


def test_each_delivery_after_that_gets_one_try() -> None:
    world = World(seed=3, failing=1.0)
    world.random.random = lambda: 0.5  # type: ignore[method-assign]  # nobody interferes
    run(world, 200)
    world.deliver()

    run(world, 200)

    assert len(world.requested) == 4


def test_the_same_state_gives_the_same_plan() -> None:
    world = World(seed=5)
    for _ in range(300):
        world.live()
        assert plans_of(world) == plans_of(world)
        Controller(world).tick()


def test_every_action_says_why() -> None:
    world = World(seed=6)
    actions: list[Action] = []
    for _ in range(2000):
        world.live()
        actions += plans_of(world)
        Controller(world).tick()

    assert actions
    assert all(reason_for(action) for action in actions)


def test_time_is_only_looked_at_through_the_argument() -> None:
    world = World(seed=7)
    world.live()
    seen = world.see_training()

    assert plan_training(seen, datetime.max.replace(tzinfo=START.tzinfo)) != []
