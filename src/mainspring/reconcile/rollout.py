"""The rollout loop's decisions: go on, take back, or wait. Pure."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from mainspring.domain.attestation import SigningState
from mainspring.domain.rollout import GuardOutcome, GuardReading, Rollout, RolloutState
from mainspring.governance.approvals import agreeing, refusing
from mainspring.kernel.durations import format_duration
from mainspring.reconcile.actions import Action, Advance, ShowReadings, TakeBack
from mainspring.reconcile.seen import SeenForRollout
from mainspring.serving.rules import missing_approvals, unmet_gates, why_unsigned


def plan_rollout(seen: SeenForRollout, now: datetime) -> list[Action]:
    """The next action for a rollout that is under way.

    While the service is paused nothing goes on, but a candidate that fails its guards is still taken back:
    a pause must not leave users with it.
    """
    rollout = seen.rollout
    if rollout.state is RolloutState.WAITING:
        return _waiting(seen)
    if rollout.state is not RolloutState.RUNNING:
        return []
    if why := _failure(seen):
        return [TakeBack(rollout=rollout.id, readings=seen.readings, why=why)]
    if seen.service.paused:
        return _showing(seen)
    if now - seen.running_since >= timedelta(seconds=rollout.max_seconds):
        return [TakeBack(rollout=rollout.id, readings=seen.readings, why=_too_late(seen))]
    if not _may_go_on(seen, now):
        return _showing(seen)
    return [
        Advance(
            rollout=rollout.id,
            step_index=rollout.step_index,
            readings=seen.readings,
            why=_evidence(seen, now),
        )
    ]


def _waiting(seen: SeenForRollout) -> list[Action]:
    """Start when enough people said yes; end when one said no, or the gates ask for more than was shown."""
    rollout, candidate = seen.rollout, seen.candidate
    given = [a for a in seen.approvals if a.service == seen.service.spec.name]
    if against := refusing(given, candidate.manifest):
        said = ", ".join(sorted(against))
        reasons = "; ".join(a.reason for a in given if a.actor in against and a.reason)
        why = f"{said} said no" + (f": {reasons}" if reasons else "")
        return [TakeBack(rollout=rollout.id, readings=(), why=why)]
    if unmet := unmet_gates(seen.service.spec.gates, candidate.gate_results):
        return [TakeBack(rollout=rollout.id, readings=(), why="; ".join(unmet))]
    if seen.service.paused:
        return []
    policy = seen.service.spec.retrain.approvals
    authors = (
        {seen.service.applied_by, candidate.created_by} if policy.not_by_author else set[str]()
    )
    agreed = agreeing(given, candidate.manifest) - authors
    signing = candidate.signing
    if unsigned := why_unsigned(seen.service.spec.serve, signing):
        if signing.state is SigningState.BROKEN:
            return [TakeBack(rollout=rollout.id, readings=(), why=unsigned)]
        return []
    if missing_approvals(policy, agreed):
        return []
    told = [f"approved by {', '.join(sorted(agreed))}"] if agreed else []
    told += [f"signed by {', '.join(signing.signed_by)}"] if signing.signed_by else []
    why = "; ".join(told) or "nothing is asked for any more"
    return [
        Advance(rollout=rollout.id, step_index=rollout.step_index, readings=(), why=why),
    ]


def _failure(seen: SeenForRollout) -> str | None:
    """Why the candidate must not answer any more."""
    failed = [r for r in seen.readings if r.outcome is GuardOutcome.FAILED]
    if failed:
        return f"guard failed: {'; '.join(reading_in_words(r) for r in failed)}"
    for report in seen.reports:
        if reason := report.failed.get(seen.rollout.candidate):
            return f"serving process {report.process} can't load it: {reason}"
    if unmet := unmet_gates(seen.service.spec.gates, seen.candidate.gate_results):
        return f"its gates no longer hold: {'; '.join(unmet)}"
    if seen.candidate.signing.state is SigningState.BROKEN:
        return why_unsigned(seen.service.spec.serve, seen.candidate.signing)
    return None


def _may_go_on(seen: SeenForRollout, now: datetime) -> bool:
    rollout = seen.rollout
    if now - rollout.step_started_at < timedelta(seconds=rollout.hold_seconds):
        return False
    # Serving processes that are up must be able to answer with it.
    if any(rollout.candidate not in report.ready for report in seen.reports):
        return False
    if rollout.champion is None:
        # Nobody answers without it: waiting for traffic would wait for what can't be answered.
        return True
    return seen.request_count >= rollout.min_requests


def _too_late(seen: SeenForRollout) -> str:
    rollout = seen.rollout
    limit = format_duration(timedelta(seconds=rollout.max_seconds))
    return (
        f"not done after {limit}: step {rollout.step_index + 1} of {len(rollout.steps)} saw "
        f"{seen.request_count} requests and takes at least {rollout.min_requests}"
    )


def _evidence(seen: SeenForRollout, now: datetime) -> str:
    rollout = seen.rollout
    held = format_duration(timedelta(seconds=int((now - rollout.step_started_at).total_seconds())))
    told = [f"held for {held} with {seen.request_count} requests"]
    told += [reading_in_words(reading) for reading in seen.readings]
    if rollout.champion is None:
        told.append("there is no champion to compare with")
    return "; ".join(told)


def reading_in_words(reading: GuardReading) -> str:
    """A reading in one line."""
    name, limit = reading.guard.metric.value, f"at most {reading.guard.max:g}"
    if reading.observed is None:
        return f"{name} not known yet ({limit})"
    unsure = "" if reading.outcome is not GuardOutcome.INCONCLUSIVE else ", too few to tell"
    return f"{name} {reading.observed:.4g} ({limit}, {reading.request_count} requests{unsure})"


def _showing(seen: SeenForRollout) -> list[Action]:
    """Keep readings that tell something else than those that are kept."""
    if not seen.readings or not _differ(seen.readings, seen.rollout):
        return []
    return [ShowReadings(rollout=seen.rollout.id, readings=seen.readings)]


def _differ(readings: Sequence[GuardReading], rollout: Rollout) -> bool:
    return tuple(readings) != rollout.readings
