"""Bringing a candidate into service, step by step, or taking it out again."""

from dataclasses import replace

from mainspring.domain.event import RolloutAdvanced, RolloutRolledBack, RolloutStarted
from mainspring.domain.model import ModelVersion
from mainspring.domain.rollout import (
    Deployment,
    GuardReading,
    Rollout,
    RolloutId,
    RolloutState,
)
from mainspring.domain.service import Service
from mainspring.kernel.errors import Conflict, Invalid
from mainspring.services.read import service_named
from mainspring.serving import queries, rules
from mainspring.serving.champion import make_champion, save_routing
from mainspring.serving.permission import approvals_wanted, check_gates, signature_wanted
from mainspring.serving.read import rollout_named
from mainspring.serving.requests import (
    AdvanceRollout,
    RecordGuardReadings,
    RollBackRollout,
    StartRollout,
)
from mainspring.serving.versions import version_by_id
from mainspring.store.tx import Tx


def start_rollout(tx: Tx, request: StartRollout) -> Rollout:
    """Start a rollout; asking again for the version that is under way gives the same rollout."""
    service = service_named(tx, request.service)
    version = version_by_id(tx, request.version)
    deployment = _deployment_of(tx, service)
    if deployment.rollout and deployment.rollout.candidate == version.id:
        return deployment.rollout
    _check_startable(service, version, deployment)
    check_gates(service, version)
    missing = _missing(tx, service, version)
    rollout = _new_rollout(tx, service, version, deployment, why=request.why, waits=bool(missing))
    save_routing(tx, deployment)
    queries.add_rollout(tx, rollout)
    waiting = f"waits for {missing}" if missing else ""
    tx.emit(
        RolloutStarted(
            service=rollout.service,
            rollout=rollout.id,
            candidate=rollout.candidate,
            champion=rollout.champion,
            strategy=rollout.strategy.value,
            share=rollout.share,
            why="; ".join(part for part in (rollout.why, waiting) if part),
        )
    )
    return rollout


def advance_rollout(tx: Tx, request: AdvanceRollout) -> Rollout:
    """Go on to the next step, if the rollout is still in the step that the caller saw.

    Gates, approvals and signatures are checked again at every step: they may have changed since the start.
    """
    rollout = rollout_named(tx, request.rollout)
    if not rules.is_under_way(rollout, request.step_index):
        return rollout
    service = service_named(tx, rollout.service)
    version = version_by_id(tx, rollout.candidate)
    check_gates(service, version)
    if missing := _missing(tx, service, version):
        raise Conflict(
            f"version {version.number} of {version.model} waits for {missing}",
            code="approvals_missing" if "approval" in missing else "signature_missing",
            hint="`mainspring approve` gives an approval, `mainspring model sign` a signature.",
        )
    readings = request.readings or rollout.readings
    step = rules.next_step(rollout)
    if step.share is None:
        return _promote(tx, rollout, version, readings, why=request.why)
    return _go_on(tx, rollout, step.index, step.share, readings, why=request.why)


def roll_back_rollout(tx: Tx, request: RollBackRollout) -> Rollout:
    """Take a candidate out of service; a finished rollout is left as it is."""
    rollout = rollout_named(tx, request.rollout)
    if rollout.state.is_final:
        return rollout
    return end_rollout(
        tx,
        rollout,
        readings=request.readings,
        why=request.why or f"asked for by {tx.actor}",
    )


def record_guard_readings(tx: Tx, request: RecordGuardReadings) -> Rollout:
    """Keep the latest readings of a rollout that is under way."""
    rollout = rollout_named(tx, request.rollout)
    if rollout.state.is_final:
        return rollout
    queries.save_readings(tx, rollout.id, request.readings)
    return replace(rollout, readings=request.readings)


def end_rollout(
    tx: Tx, rollout: Rollout, *, readings: tuple[GuardReading, ...], why: str
) -> Rollout:
    """Roll a rollout back, within a use case: the champion gets all of the traffic again."""
    ended = replace(
        rollout,
        state=RolloutState.ROLLED_BACK,
        share=0.0,
        readings=readings or rollout.readings,
        finished_at=tx.now,
        reason=why,
    )
    queries.save_rollout(tx, ended)
    deployment = queries.deployment(tx, rollout.service)
    if deployment is not None:
        save_routing(tx, deployment)
    tx.emit(
        RolloutRolledBack(
            service=rollout.service,
            rollout=rollout.id,
            candidate=rollout.candidate,
            readings=_spoken(ended.readings),
            why=why,
        )
    )
    return ended


def _deployment_of(tx: Tx, service: Service) -> Deployment:
    found = queries.deployment(tx, service.spec.name)
    if found is not None:
        return replace(found, model=service.spec.model)
    return Deployment(
        service=service.spec.name,
        model=service.spec.model,
        champion=None,
        previous=None,
        rollout=None,
        routing_version=0,
        updated_at=tx.now,
    )


def _check_startable(service: Service, version: ModelVersion, deployment: Deployment) -> None:
    name = service.spec.name
    if version.model != service.spec.model:
        raise Invalid(
            f"{version.id} is a version of {version.model}, but {name} serves {service.spec.model}",
            hint=f"Give a version of {service.spec.model}.",
        )
    if deployment.champion == version.id:
        raise Conflict(
            f"version {version.number} of {version.model} answers for {name} already",
            code="already_champion",
        )
    if deployment.rollout:
        raise Conflict(
            f"the rollout {deployment.rollout.id} of {name} is under way",
            code="rollout_under_way",
            hint="Wait for its end, or end it with `mainspring rollout stop`.",
        )


def _missing(tx: Tx, service: Service, version: ModelVersion) -> str:
    """What people still have to give, in words; raises `Rejected` for what they can't give any more."""
    approvals = approvals_wanted(tx, service, version)
    wanted = [f"{approvals} more approval{'s' if approvals > 1 else ''}"] if approvals else []
    if signature_wanted(service, version):
        wanted.append("a signature by a trusted key")
    return " and ".join(wanted)


def _new_rollout(
    tx: Tx,
    service: Service,
    version: ModelVersion,
    deployment: Deployment,
    *,
    why: str,
    waits: bool,
) -> Rollout:
    policy = service.spec.rollout
    has_champion = deployment.champion is not None
    strategy = rules.strategy_of(policy, has_champion=has_champion)
    steps = rules.steps_of(policy, has_champion=has_champion)
    index = rules.WAITING_STEP if waits else 0
    return Rollout(
        id=RolloutId(tx.new_id("rol")),
        service=service.spec.name,
        strategy=strategy,
        candidate=version.id,
        champion=deployment.champion,
        steps=steps,
        step_index=index,
        share=rules.share_at(strategy, steps, index),
        state=rules.state_at(index),
        hold_seconds=policy.hold_seconds,
        min_requests=policy.min_requests,
        max_seconds=policy.max_seconds,
        guards=policy.guards,
        readings=(),
        why=why or f"asked for by {tx.actor}",
        started_at=tx.now,
        step_started_at=tx.now,
    )


def _go_on(
    tx: Tx,
    rollout: Rollout,
    index: int,
    share: float,
    readings: tuple[GuardReading, ...],
    *,
    why: str,
) -> Rollout:
    changed = replace(
        rollout,
        step_index=index,
        share=share,
        state=RolloutState.RUNNING,
        readings=readings,
        step_started_at=tx.now,
    )
    queries.save_rollout(tx, changed)
    deployment = queries.deployment(tx, rollout.service)
    if deployment is not None:
        save_routing(tx, deployment)
    _tell_advance(tx, changed, why or f"asked for by {tx.actor}")
    return changed


def _promote(
    tx: Tx,
    rollout: Rollout,
    version: ModelVersion,
    readings: tuple[GuardReading, ...],
    *,
    why: str,
) -> Rollout:
    deployment = queries.deployment(tx, rollout.service)
    if deployment is None or deployment.champion != rollout.champion:
        raise Conflict(
            f"the champion of {rollout.service} changed since the rollout {rollout.id} began",
            code="champion_changed",
            hint="Roll this one back and start another.",
        )
    why = why or f"asked for by {tx.actor}"
    promoted = replace(
        rollout,
        state=RolloutState.PROMOTED,
        share=1.0,
        readings=readings,
        finished_at=tx.now,
        reason=why,
    )
    queries.save_rollout(tx, promoted)
    make_champion(tx, deployment, version, previous=deployment.champion, why=why)
    return promoted


def _tell_advance(tx: Tx, rollout: Rollout, why: str) -> None:
    tx.emit(
        RolloutAdvanced(
            service=rollout.service,
            rollout=rollout.id,
            candidate=rollout.candidate,
            share=rollout.share,
            readings=_spoken(rollout.readings),
            why=why,
        )
    )


def _spoken(readings: tuple[GuardReading, ...]) -> tuple[str, ...]:
    return tuple(
        f"{r.guard.metric.value} {r.outcome.value}: "
        + ("unknown" if r.observed is None else f"{r.observed:.4g}")
        + f" (at most {r.guard.max:g}, {r.request_count} requests)"
        for r in readings
    )
