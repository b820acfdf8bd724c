"""The training loop's decisions: when to train, and what becomes of what was trained. Pure.

Each run has a basis: code, declaration and data versions. The same basis is trained once, unless it
failed: runs are deterministic, so that training it again would give the same model. A plan only looks at
state, so that an action that was lost is planned again and one that was doubled changes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from mainspring.domain.model import ModelVersion
from mainspring.domain.monitor import Incident, IncidentKind
from mainspring.domain.pipeline import PipelineRun, PipelineRunState
from mainspring.domain.rollout import RolloutState
from mainspring.domain.service import RetrainTrigger
from mainspring.reconcile.actions import (
    Action,
    BeginRollout,
    JudgeCandidate,
    RaiseIncident,
    RegisterCandidate,
    ResolveIncident,
    StartTraining,
    TakeBack,
)
from mainspring.reconcile.seen import SeenForTraining
from mainspring.serving.rules import unmet_gates

FIRST_RETRY = timedelta(seconds=10)
LAST_RETRY = timedelta(minutes=10)

DRIFT_INCIDENTS = (IncidentKind.HARMFUL_DRIFT, IncidentKind.ERROR_GROWTH)


def plan_training(seen: SeenForTraining, now: datetime) -> list[Action]:
    """The next actions for one service; none while it is paused."""
    if seen.service.paused:
        return []
    actions = list(_closing(seen))
    following = _following(seen)
    if following is not None:
        return [*actions, following]
    if _is_busy(seen):
        return actions
    reason = _reason(seen, now)
    if isinstance(reason, RaiseIncident):
        return [*actions, reason]
    inputs = _inputs(seen)
    if reason is None or inputs is None:
        return actions
    return [
        *actions,
        StartTraining(service=seen.name, inputs=tuple(sorted(inputs.items())), why=reason),
    ]


def candidate_of(seen: SeenForTraining) -> tuple[PipelineRun, ModelVersion | None] | None:
    """The newest run that made a model, with its version once it is registered."""
    for run in seen.runs:
        evaluation = seen.evaluations.get(run.id)
        if run.state is PipelineRunState.SUCCEEDED and evaluation and evaluation.model:
            version = next(
                (v for v in seen.versions if v.run == run.id and v.manifest == evaluation.model),
                None,
            )
            return run, version
    return None


def _following(seen: SeenForTraining) -> Action | None:
    """The next thing to be done with the newest candidate."""
    found = candidate_of(seen)
    if found is None:
        return None
    run, version = found
    if version is None:
        return _registering(seen, run)
    under_way = seen.deployment.rollout if seen.deployment else None
    if version.gate_results is None:
        if under_way and under_way.state is RolloutState.RUNNING:
            # It may end with another champion, and results are never replaced: judge against that one.
            return None
        return JudgeCandidate(
            service=seen.name,
            version=version.id,
            run=run.id,
            why=f"version {version.number} was registered and not judged yet",
        )
    if not _is_eligible(seen, version):
        return None
    if under_way is None:
        return BeginRollout(
            service=seen.name,
            version=version.id,
            why=f"version {version.number} passed its gates: {_gates_in_words(version)}",
        )
    if under_way.state is RolloutState.WAITING:
        return TakeBack(
            rollout=under_way.id,
            readings=(),
            why=f"version {version.number} passed its gates while it waited for approval",
        )
    return None


def _registering(seen: SeenForTraining, run: PipelineRun) -> Action | None:
    champion, evaluation = seen.champion, seen.evaluations[run.id]
    if champion and evaluation and evaluation.model == champion.manifest:
        # The same model came out: there is nothing to replace.
        return None
    return RegisterCandidate(
        service=seen.name, run=run.id, why=f"run {run.id} made a model: {run.why}"
    )


def _is_eligible(seen: SeenForTraining, version: ModelVersion) -> bool:
    """Whether a judged version may be rolled out and never was; one that was rolled back stays out.

    So do its bytes under another number, until somebody changes the declaration.
    """
    if unmet_gates(seen.service.spec.gates, version.gate_results):
        return False
    same = {v.id for v in seen.versions if v.manifest == version.manifest}
    for rollout in seen.rollouts:
        if rollout.candidate == version.id:
            return False
        if (
            rollout.candidate in same
            and rollout.state is RolloutState.ROLLED_BACK
            and rollout.finished_at
            and rollout.finished_at >= seen.service.applied_at
        ):
            return False
    champion = seen.champion
    if champion is None:
        return not seen.has_champion
    return version.number > champion.number and version.manifest != champion.manifest


def _is_busy(seen: SeenForTraining) -> bool:
    """Whether something under way must end before anything new is trained."""
    if any(not run.state.is_final for run in seen.runs):
        return True
    found = candidate_of(seen)
    if found is None or found[1] is None:
        return False
    # It waits for another rollout to end: a newer one would only queue behind it.
    return found[1].gate_results is None or _is_eligible(seen, found[1])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Change:
    """How what would be trained now differs from a run."""

    code: tuple[str, ...]
    data: tuple[str, ...]


def _change(seen: SeenForTraining, run: PipelineRun, inputs: dict[str, str]) -> _Change:
    service = seen.service
    code = [
        word
        for word, differs in (
            ("code", run.project != service.project),
            ("environment", run.environment != service.environment),
            ("pipeline", run.pipeline != service.spec.pipeline),
            ("parameters", _params_differ(run, service.spec.params)),
            ("datasets", run.inputs.keys() != inputs.keys()),
        )
        if differs
    ]
    data = [
        f"dataset {seen.service.spec.data[parameter]} has version "
        f"{seen.data[seen.service.spec.data[parameter]].number}"
        for parameter, version in sorted(inputs.items())
        if parameter in run.inputs and run.inputs[parameter] != version
    ]
    return _Change(code=tuple(code), data=tuple(data))


def _params_differ(run: PipelineRun, params: dict[str, object]) -> bool:
    """Compared with the graph's defaults filled in on both sides, as a run may have been asked for either way."""
    defaults = {p.name: p.default for p in run.graph.parameters if p.has_default}
    return {**defaults, **run.params} != {**defaults, **params}


def _inputs(seen: SeenForTraining) -> dict[str, str] | None:
    """The newest accepted version for each dataset parameter; None while one has no version."""
    data = seen.service.spec.data
    if any(dataset not in seen.data for dataset in data.values()):
        return None
    return {parameter: seen.data[dataset].id for parameter, dataset in data.items()}


def _reason(seen: SeenForTraining, now: datetime) -> str | RaiseIncident | None:
    """Why to train now, or the incident that says why not."""
    inputs = _inputs(seen)
    if inputs is None:
        return None
    ended = [run for run in seen.runs if run.state.is_final]
    if not ended:
        if _is_blocked(seen):
            return None
        return "the service has no model yet"
    last = ended[0]
    change = _change(seen, last, inputs)
    if is_failure(seen, last) and not change.code and not change.data:
        return _retrying(seen, last, len(_failures_in_a_row(seen, ended)), now)
    if _is_blocked(seen):
        return None
    if change.code:
        return f"its {' and '.join(change.code)} changed since run {last.id}"
    if reason := _gates_changed(seen, last):
        return reason
    if not change.data:
        return None
    told = f"{'; '.join(change.data)}, newer than what run {last.id} read"
    if not seen.has_champion:
        return f"the service has no model yet, and {told}"
    return _triggered(seen, last, told, now)


def _triggered(seen: SeenForTraining, last: PipelineRun, told: str, now: datetime) -> str | None:
    """Why new data is trained on, by the declared triggers.

    Not while a rollout runs: its candidate may be what cures the incident, and a newer one would only queue.
    """
    policy = seen.service.spec.retrain
    under_way = seen.deployment.rollout if seen.deployment else None
    if under_way and under_way.state is RolloutState.RUNNING:
        return None
    if last.finished_at and now < last.finished_at + timedelta(seconds=policy.cooldown_seconds):
        return None
    incident = _drift_incident(seen)
    if incident and RetrainTrigger.HARMFUL_DRIFT in policy.on:
        return f"{incident.kind.value} is open ({incident.summary}), and {told}"
    if RetrainTrigger.NEW_DATA in policy.on:
        return told
    for schedule in policy.schedules:
        due = schedule.next_after(last.requested_at)
        if due <= now:
            return f"its schedule ({schedule}) came round at {due:%Y-%m-%d %H:%M}Z, and {told}"
    return None


def _drift_incident(seen: SeenForTraining) -> Incident | None:
    return next((i for i in seen.incidents if i.is_open and i.kind in DRIFT_INCIDENTS), None)


def _gates_changed(seen: SeenForTraining, last: PipelineRun) -> str | None:
    """Whether the newest candidate was held to other gates than are declared now.

    Results are never replaced, so that only another version can be judged by the new ones.
    """
    found = candidate_of(seen)
    if found is None or found[1] is None or found[1].gate_results is None:
        return None
    champion = seen.champion
    if champion is not None and champion.number >= found[1].number:
        return None
    if any(rollout.candidate == found[1].id for rollout in seen.rollouts):
        return None
    judged = {result.gate for result in found[1].gate_results}
    if set(seen.service.spec.gates) == judged or seen.service.applied_at <= last.requested_at:
        return None
    return f"the gates changed since version {found[1].number} was judged"


def _failures_in_a_row(seen: SeenForTraining, ended: list[PipelineRun]) -> list[PipelineRun]:
    """The newest runs up to the last good one, since a person last closed the incident about them."""
    closed = max(
        (
            incident.closed_at
            for incident in seen.incidents
            if incident.kind is IncidentKind.FAILING_RUNS and incident.closed_at
        ),
        default=None,
    )
    failures = []
    for run in ended:
        if run.state is PipelineRunState.CANCELLED or not is_failure(seen, run):
            break
        if closed and run.finished_at and run.finished_at <= closed:
            break
        failures.append(run)
    return failures


def is_failure(seen: SeenForTraining, run: PipelineRun) -> bool:
    """Whether a run failed, or gave nothing that could be served."""
    if run.state is PipelineRunState.SUCCEEDED and run.id in seen.evaluations:
        evaluation = seen.evaluations[run.id]
        return evaluation is None or evaluation.model is None
    return run.state is PipelineRunState.FAILED


def _retrying(
    seen: SeenForTraining, last: PipelineRun, count: int, now: datetime
) -> str | RaiseIncident | None:
    policy = seen.service.spec.retrain
    error = _error_of(last)
    if count == 0:
        return f"the incident about failing runs was closed; run {last.id} had failed with: {error}"
    if count >= policy.max_failures:
        if _failing_incident(seen):
            return None
        return RaiseIncident(
            service=seen.name,
            kind=IncidentKind.FAILING_RUNS,
            summary=(
                f"{count} run{'s' if count > 1 else ''} in a row failed, the last one ({last.id}) "
                f"with: {error}. Nothing is trained until code or data change, or this is closed."
            ),
        )
    ended = last.finished_at or last.requested_at
    if now < ended + retry_delay(count):
        return None
    return f"try {count + 1} of {policy.max_failures} after run {last.id} failed: {error}"


def _error_of(run: PipelineRun) -> str:
    if run.state is PipelineRunState.SUCCEEDED:
        return "it returned no result of ms.evaluate with a model"
    return run.error or "no reason was given"


def retry_delay(failure_count: int) -> timedelta:
    """How long to wait after that many failures in a row.

    >>> from mainspring.kernel.durations import format_duration
    >>> [format_duration(retry_delay(n)) for n in (1, 2, 3, 20)]
    ['10s', '20s', '40s', '10m']
    """
    return min(FIRST_RETRY * (1 << min(failure_count - 1, 30)), LAST_RETRY)


def _failing_incident(seen: SeenForTraining) -> Incident | None:
    return next(
        (i for i in seen.incidents if i.is_open and i.kind is IncidentKind.FAILING_RUNS), None
    )


def _is_blocked(seen: SeenForTraining) -> bool:
    """Whether runs kept failing and nothing changed since: neither the declaration nor the data."""
    incident = _failing_incident(seen)
    if incident is None:
        return False
    newest = max((v.created_at for v in seen.data.values()), default=seen.service.applied_at)
    return max(newest, seen.service.applied_at) <= incident.opened_at


def _closing(seen: SeenForTraining) -> Iterator[Action]:
    """Failing runs are over once one succeeds."""
    incident = _failing_incident(seen)
    if incident is None:
        return
    ended = next((run for run in seen.runs if run.state.is_final), None)
    if (
        ended
        and ended.state is PipelineRunState.SUCCEEDED
        and not is_failure(seen, ended)
        and ended.finished_at
        and ended.finished_at > incident.opened_at
    ):
        yield ResolveIncident(incident=incident.id, resolution=f"run {ended.id} succeeded")


def _gates_in_words(version: ModelVersion) -> str:
    results = version.gate_results or ()
    return "; ".join(r.detail or r.gate.metric for r in results) or "none are declared"
