"""What may happen to a rollout next: pure decisions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from mainspring.domain.attestation import Signing, SigningState
from mainspring.domain.gate import Gate, GateOutcome, GateResult
from mainspring.domain.rollout import Rollout, RolloutState, Strategy
from mainspring.domain.service import ApprovalPolicy, RolloutPolicy, ServicePolicy

WAITING_STEP = -1
"""The step of a rollout that waits for approval: the one before its first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextStep:
    """The candidate gets this share; None means that it becomes champion instead."""

    index: int
    share: float | None


def steps_of(policy: RolloutPolicy, *, has_champion: bool) -> tuple[float, ...]:
    """The shares a candidate goes through.

    Only a canary beside a champion grows. Blue-green and a service's first model get everything at once;
    a shadow has one step, at the end of which it takes over.

    >>> steps_of(RolloutPolicy(steps=(0.1, 1.0)), has_champion=True)
    (0.1, 1.0)
    >>> steps_of(RolloutPolicy(steps=(0.1, 1.0)), has_champion=False)
    (1.0,)
    """
    if has_champion and policy.strategy is Strategy.CANARY:
        return policy.steps
    return (1.0,)


def strategy_of(policy: RolloutPolicy, *, has_champion: bool) -> Strategy:
    """How a candidate comes to answer; nothing can be shadowed while nobody answers."""
    if policy.strategy is Strategy.SHADOW and not has_champion:
        return Strategy.BLUE_GREEN
    return policy.strategy


def share_at(strategy: Strategy, steps: Sequence[float], index: int) -> float:
    """The candidate's share of the answers during a step.

    >>> share_at(Strategy.CANARY, (0.05, 1.0), 0), share_at(Strategy.SHADOW, (1.0,), 0)
    (0.05, 0.0)
    """
    if index == WAITING_STEP or strategy is Strategy.SHADOW:
        return 0.0
    return steps[index]


def next_step(rollout: Rollout) -> NextStep:
    """What comes after the step that a rollout is in."""
    index = rollout.step_index + 1
    if index >= len(rollout.steps):
        return NextStep(index=rollout.step_index, share=None)
    return NextStep(index=index, share=share_at(rollout.strategy, rollout.steps, index))


def unmet_gates(gates: Sequence[Gate], results: Sequence[GateResult] | None) -> list[str]:
    """Why a version may not serve; empty if every gate passed.

    A gate that was declared after the version was judged counts as not passed.

    >>> unmet_gates([Gate(metric="rmse", max=9.0)], [])
    ['rmse was not judged by the gate that is declared now']
    """
    if results is None:
        return ["its gates were not evaluated"]
    unmet = [
        f"{result.gate.title} {result.outcome.value}"
        + (f" ({result.detail})" if result.detail else "")
        for result in results
        if result.outcome is not GateOutcome.PASSED
    ]
    judged = {result.gate for result in results}
    missing = [gate for gate in gates if gate not in judged]
    return unmet + [
        f"{gate.title} was not judged by the gate that is declared now" for gate in missing
    ]


def missing_approvals(policy: ApprovalPolicy, agreeing: Collection[str]) -> int:
    """How many more people must say yes."""
    return max(0, policy.production - len(agreeing))


def why_unsigned(policy: ServicePolicy, signing: Signing) -> str | None:
    """Why a version may not be loaded for want of a signature; None if it may.

    >>> why_unsigned(ServicePolicy(require_signed=True), Signing())
    'it is not signed, and its service asks for a signature by a trusted key'
    """
    if not policy.require_signed or signing.state is SigningState.VERIFIED:
        return None
    asked = "and its service asks for a signature by a trusted key"
    match signing.state:
        case SigningState.UNSIGNED:
            return f"it is not signed, {asked}"
        case SigningState.BROKEN:
            return f"its signature does not hold: {signing.why}"
        case _:
            return f"it is signed by no key that is trusted here, {asked}" + (
                f" ({signing.why})" if signing.why else ""
            )


def is_under_way(rollout: Rollout, step_index: int) -> bool:
    """Whether a rollout is still where the caller saw it."""
    return not rollout.state.is_final and rollout.step_index == step_index


def state_at(index: int) -> RolloutState:
    """A rollout's state while it is in a step."""
    return RolloutState.WAITING if index == WAITING_STEP else RolloutState.RUNNING
