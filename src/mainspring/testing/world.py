"""One service in simulated time: its users, workers and traffic, with the rules of the real operations."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import assert_never

from mainspring.domain.approval import Approval, ApprovalId
from mainspring.domain.dataset import DatasetVersion, DatasetVersionId, DatasetVersionState
from mainspring.domain.evaluation import Evaluation
from mainspring.domain.gate import Gate, GateOutcome, GateResult
from mainspring.domain.model import ModelVersion, ModelVersionId
from mainspring.domain.monitor import (
    Incident,
    IncidentId,
    VersionPerformance,
    Window,
    WindowId,
)
from mainspring.domain.pipeline import Graph, PipelineRun, PipelineRunState
from mainspring.domain.rollout import (
    Deployment,
    Guard,
    GuardMetric,
    GuardOutcome,
    GuardReading,
    Rollout,
    RolloutId,
    RolloutState,
    Strategy,
)
from mainspring.domain.run import RunId
from mainspring.domain.service import (
    ApprovalPolicy,
    MonitorPolicy,
    RetrainPolicy,
    RetrainTrigger,
    RolloutPolicy,
    Service,
    ServiceSpec,
)
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Conflict
from mainspring.monitoring.judge import findings_of
from mainspring.reconcile.actions import (
    Action,
    Advance,
    BeginRollout,
    JudgeCandidate,
    RaiseIncident,
    RegisterCandidate,
    ResolveIncident,
    ShowReadings,
    StartTraining,
    TakeBack,
)
from mainspring.reconcile.seen import SeenForMonitoring, SeenForRollout, SeenForTraining
from mainspring.serving import rules
from mainspring.testing.services import START

TICK = timedelta(minutes=5)
GATE = Gate(metric="rmse", max=60.0)
GUARD = Guard(metric=GuardMetric.ERROR_RATE, max=0.01)
GRAPH = Graph(pipeline="flow:demand", parameters=(), nodes=(), outputs=())
DIGEST = Digest("sha256:" + "0" * 64)


class World:
    """One service's state, its users, its traffic and its luck."""

    def __init__(self, seed: int, *, approvals: int = 0, failing: float = 0.1) -> None:
        self.random = random.Random(seed)
        self.now = START
        self.failing = failing
        self.count = 0
        self.service = self._service(approvals)
        self.data: list[DatasetVersion] = []
        self.runs: list[PipelineRun] = []
        self.evaluations: dict[RunId, Evaluation | None] = {}
        self.versions: list[ModelVersion] = []
        self.deployment: Deployment | None = None
        self.rollouts: list[Rollout] = []
        self.incidents: list[Incident] = []
        self.windows: list[Window] = []
        self.approvals: list[Approval] = []
        self.bad_live: set[ModelVersionId] = set()
        self.stale: set[ModelVersionId] = set()
        self.promoted: list[ModelVersionId] = []
        self.requested: list[StartTraining] = []
        self.is_calm = False

    def _service(self, approvals: int) -> Service:
        return Service(
            spec=ServiceSpec(
                name="demand",
                pipeline="flow:demand",
                model="demand",
                data={"rides": "rides"},
                gates=(GATE,),
                rollout=RolloutPolicy(
                    steps=(0.1, 1.0),
                    hold_seconds=600,
                    max_seconds=6 * 3600,
                    guards=(GUARD,),
                ),
                monitor=MonitorPolicy(min_rows=10),
                retrain=RetrainPolicy(
                    on=(RetrainTrigger.NEW_DATA, RetrainTrigger.HARMFUL_DRIFT),
                    approvals=ApprovalPolicy(production=approvals),
                    max_failures=3,
                ),
            ),
            digest=DIGEST,
            project=DIGEST,
            environment=DIGEST,
            applied_at=START,
            applied_by="person:ann",
        )

    def id(self, prefix: str) -> str:
        self.count += 1
        return f"{prefix}_{self.count:06}"

    # What users, workers and traffic do by themselves.

    def live(self) -> None:
        """Let five minutes pass."""
        self.now += TICK
        chance = self.random.random
        if not self.data or (not self.is_calm and chance() < 0.01):
            self.deliver()
        if not self.is_calm and chance() < 0.002:
            self.service = replace(
                self.service, project=Digest(self.id("sha256:code")), applied_at=self.now
            )
        self._work()
        self._approve()
        self._drift()
        self._act_by_hand()

    def deliver(self) -> None:
        self.data.insert(
            0,
            DatasetVersion(
                id=DatasetVersionId(self.id("dv")),
                dataset="rides",
                number=len(self.data) + 1,
                manifest=DIGEST,
                state=DatasetVersionState.ACCEPTED,
                file_count=1,
                size_bytes=1,
                row_count=1,
                columns=None,
                profile=None,
                parent=None,
                producer=None,
                note="",
                created_at=self.now,
                created_by="person:ann",
            ),
        )

    def _work(self) -> None:
        """Workers go on with runs; some fail, some give nothing that could be served."""
        for place, run in enumerate(self.runs[:30]):
            if run.state.is_final:
                continue
            if run.state is PipelineRunState.REQUESTED:
                self.runs[place] = replace(run, state=PipelineRunState.RUNNING)
            elif self.random.random() < (0 if self.is_calm else self.failing):
                self.runs[place] = replace(
                    run, state=PipelineRunState.FAILED, error="boom", finished_at=self.now
                )
            else:
                gives_model = self.is_calm or self.random.random() < 0.95
                self.runs[place] = replace(
                    run, state=PipelineRunState.SUCCEEDED, finished_at=self.now
                )
                self.evaluations[run.id] = (
                    Evaluation(model=Digest(self.id("sha256:model")), values={"rmse": 50.0})
                    if gives_model
                    else None
                )

    def _approve(self) -> None:
        rollout = self.active
        if rollout and rollout.state is RolloutState.WAITING and self.random.random() < 0.1:
            version = self.version(rollout.candidate)
            self.approvals.append(
                Approval(
                    id=ApprovalId(self.id("apr")),
                    service="demand",
                    version=version.id,
                    subject=version.manifest,
                    approved=self.is_calm or self.random.random() < 0.8,
                    reason="",
                    actor=self.random.choice(["person:bob", "person:eve"]),
                    at=self.now,
                )
            )

    def _drift(self) -> None:
        """A champion may go stale, for good; its windows then show it."""
        champion = self.deployment.champion if self.deployment else None
        if champion is None:
            return
        if not self.is_calm and self.random.random() < 0.003:
            self.stale.add(champion)
        error = 9.0 if champion in self.stale else 4.0
        window = Window(
            id=WindowId(self.id("win")),
            service="demand",
            start=self.now - TICK,
            end=self.now,
            is_closed=True,
            row_count=100,
            labelled_count=100,
            drift=(),
            performance=(
                VersionPerformance(
                    version=champion,
                    row_count=100,
                    labelled_count=100,
                    mae=error,
                    rmse=error,
                    bias=0.0,
                    expected_error=4.0,
                    error=error,
                    standard_error=0.1,
                ),
            ),
            expected_error=4.0,
            estimated_error=4.0,
            findings=(),
            updated_at=self.now,
            version=champion,
        )
        findings = findings_of(window, self.service.spec.monitor)
        self.windows = [replace(window, findings=findings), *self.windows[:9]]

    def _act_by_hand(self) -> None:
        """People close incidents, roll back and pause, whenever they like."""
        chance = self.random.random()
        if self.is_calm:
            self.service = replace(self.service, paused=False)
        elif chance < 0.002:
            self.service = replace(self.service, paused=not self.service.paused)
        for place, incident in enumerate(self.incidents[:30]):
            if incident.is_open and self.random.random() < (0.2 if self.is_calm else 0.005):
                self.incidents[place] = replace(
                    incident, closed_at=self.now, resolution="closed by hand"
                )

    # What the loops see.

    @property
    def active(self) -> Rollout | None:
        return next((r for r in self.rollouts[:30] if not r.state.is_final), None)

    def version(self, id_: str) -> ModelVersion:
        return next(v for v in self.versions if v.id == id_)

    def see_training(self) -> SeenForTraining:
        return SeenForTraining(
            service=self.service,
            data={"rides": self.data[0]} if self.data else {},
            runs=tuple(self.runs[:30]),
            evaluations=self.evaluations,
            versions=tuple(self.versions[:50]),
            deployment=replace(self.deployment, rollout=self.active) if self.deployment else None,
            rollouts=tuple(self.rollouts[:50]),
            incidents=tuple(self.incidents[:50]),
        )

    def see_rollout(self) -> SeenForRollout | None:
        rollout = self.active
        if rollout is None:
            return None
        is_bad = rollout.candidate in self.bad_live
        count = int((self.now - rollout.step_started_at).total_seconds() / 10)
        outcome = (
            GuardOutcome.INCONCLUSIVE
            if count < GUARD.min_requests
            else GuardOutcome.FAILED
            if is_bad
            else GuardOutcome.PASSED
        )
        return SeenForRollout(
            service=self.service,
            rollout=rollout,
            candidate=self.version(rollout.candidate),
            readings=(
                GuardReading(
                    guard=GUARD,
                    outcome=outcome,
                    observed=0.5 if is_bad else 0.0,
                    request_count=count,
                ),
            ),
            request_count=count,
            approvals=tuple(a for a in self.approvals if a.version == rollout.candidate),
            reports=(),
            running_since=rollout.step_started_at,
        )

    def see_monitoring(self) -> SeenForMonitoring:
        return SeenForMonitoring(
            service=self.service,
            windows=tuple(self.windows),
            deployment=self.deployment,
            incidents=tuple(self.incidents[:50]),
            reports=(),
            numbers={},
        )

    # What operations do.

    def carry_out(self, action: Action) -> None:
        match action:
            case StartTraining():
                self._request_run(action)
            case RegisterCandidate():
                self._register(action)
            case JudgeCandidate():
                self._judge(action)
            case BeginRollout():
                self._start_rollout(action)
            case Advance():
                self._advance(action)
            case TakeBack():
                self._end(action.rollout, RolloutState.ROLLED_BACK)
            case ShowReadings():
                pass
            case RaiseIncident():
                self._open(action)
            case ResolveIncident():
                self.incidents = [
                    replace(i, closed_at=self.now, resolution=action.resolution)
                    if i.id == action.incident and i.is_open
                    else i
                    for i in self.incidents
                ]
            case _:
                assert_never(action)

    def _request_run(self, action: StartTraining) -> None:
        if any(not run.state.is_final for run in self.runs):
            raise Conflict("a run is under way", code="run_under_way")
        self.requested.append(action)
        self.runs.insert(
            0,
            PipelineRun(
                id=RunId(self.id("run")),
                service="demand",
                pipeline="flow:demand",
                graph=GRAPH,
                params={},
                inputs={k: DatasetVersionId(v) for k, v in action.inputs},
                project=self.service.project,
                environment=self.service.environment,
                state=PipelineRunState.REQUESTED,
                why=action.why,
                requested_at=self.now,
                requested_by="loop:training",
            ),
        )

    def _register(self, action: RegisterCandidate) -> None:
        evaluation = self.evaluations[action.run]
        assert evaluation is not None
        assert evaluation.model is not None
        if any(v.run == action.run and v.manifest == evaluation.model for v in self.versions):
            return
        version = ModelVersion(
            id=ModelVersionId(self.id("mv")),
            model="demand",
            number=len(self.versions) + 1,
            run=action.run,
            manifest=evaluation.model,
            flavor="sklearn",
            signature=None,
            metrics=evaluation.values,
            reference=None,
            evaluation=None,
            project=None,
            environment=None,
            description="",
            tags={},
            aliases=(),
            gate_results=None,
            created_at=self.now,
            created_by="loop:training",
        )
        self.versions.insert(0, version)
        if not self.is_calm and self.random.random() < 0.2:
            self.bad_live.add(version.id)

    def _judge(self, action: JudgeCandidate) -> None:
        version = self.version(action.version)
        if version.gate_results is not None:
            raise Conflict("judged already", code="already_judged")
        passes = self.is_calm or self.random.random() < 0.7
        result = GateResult(
            gate=GATE,
            outcome=GateOutcome.PASSED if passes else GateOutcome.FAILED,
            observed=50.0,
        )
        self.versions[self.versions.index(version)] = replace(version, gate_results=(result,))

    def _start_rollout(self, action: BeginRollout) -> None:
        version = self.version(action.version)
        if self.active is not None:
            raise Conflict("a rollout is under way", code="rollout_under_way")
        assert not rules.unmet_gates((GATE,), version.gate_results), "started without passed gates"
        champion = self.deployment.champion if self.deployment else None
        policy = self.service.spec.rollout
        waits = self.service.spec.retrain.approvals.production > 0
        index = rules.WAITING_STEP if waits else 0
        steps = rules.steps_of(policy, has_champion=champion is not None)
        self.rollouts.insert(
            0,
            Rollout(
                id=RolloutId(self.id("rol")),
                service="demand",
                strategy=Strategy.CANARY,
                candidate=version.id,
                champion=champion,
                steps=steps,
                step_index=index,
                share=rules.share_at(Strategy.CANARY, steps, index),
                state=rules.state_at(index),
                hold_seconds=policy.hold_seconds,
                min_requests=policy.min_requests,
                max_seconds=policy.max_seconds,
                guards=policy.guards,
                readings=(),
                why=action.why,
                started_at=self.now,
                step_started_at=self.now,
            ),
        )
        self.deployment = self.deployment or Deployment(
            service="demand",
            model="demand",
            champion=None,
            previous=None,
            rollout=None,
            routing_version=1,
            updated_at=self.now,
        )

    def _advance(self, action: Advance) -> None:
        rollout = next(r for r in self.rollouts if r.id == action.rollout)
        if not rules.is_under_way(rollout, action.step_index):
            return
        step = rules.next_step(rollout)
        if step.share is None:
            self._end(rollout.id, RolloutState.PROMOTED)
            assert self.deployment is not None
            assert self.deployment.champion == rollout.champion
            version = self.version(rollout.candidate)
            assert not rules.unmet_gates((GATE,), version.gate_results), "promoted without gates"
            assert version.id not in self.bad_live or rollout.champion is None
            self.promoted.append(version.id)
            self.deployment = replace(
                self.deployment, champion=version.id, previous=rollout.champion
            )
            return
        self.rollouts[self.rollouts.index(rollout)] = replace(
            rollout,
            step_index=step.index,
            share=step.share,
            state=RolloutState.RUNNING,
            step_started_at=self.now,
        )

    def _end(self, id_: RolloutId, state: RolloutState) -> None:
        self.rollouts = [
            replace(r, state=state, finished_at=self.now)
            if r.id == id_ and not r.state.is_final
            else r
            for r in self.rollouts
        ]

    def _open(self, action: RaiseIncident) -> None:
        if any(i.is_open and i.kind is action.kind for i in self.incidents):
            return
        self.incidents.insert(
            0,
            Incident(
                id=IncidentId(self.id("inc")),
                service="demand",
                kind=action.kind,
                summary=action.summary,
                version=action.version,
                findings=action.findings,
                windows=action.windows,
                opened_at=self.now,
            ),
        )

    # What must hold at every instant.

    def check(self) -> None:
        assert sum(not r.state.is_final for r in self.rollouts[:30]) <= 1, "two rollouts"
        assert sum(not r.state.is_final for r in self.runs[:30]) <= 1, "two runs"
        open_kinds = [i.kind for i in self.incidents if i.is_open]
        assert len(open_kinds) == len(set(open_kinds))
        assert len(self.promoted) == len(set(self.promoted)), "promoted twice"
        champion = self.deployment.champion if self.deployment else None
        assert champion == (self.promoted[-1] if self.promoted else None)
