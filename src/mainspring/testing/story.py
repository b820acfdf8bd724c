"""An installation with a past: three services, a month of decisions, all made through operations.

It is for tests and for looking at pages. The clock is moved, the data is drawn from a seed; every row was
written by the use case that writes it in production. No model is trained: runs are reported as a worker
would report them.
"""

import math
import random
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.app import App, loop_actor, open_app
from mainspring.blobs.trees import put_manifest
from mainspring.config import Settings
from mainspring.datasets.tables import scan
from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.domain.data_type import DataType
from mainspring.domain.dataset import DatasetVersion, Manifest, ManifestEntry
from mainspring.domain.evaluation import Reference
from mainspring.domain.gate import Gate, GateOutcome, GateResult, VersusChampion
from mainspring.domain.model import ModelVersion
from mainspring.domain.monitor import Finding, FindingKind, Incident, IncidentKind
from mainspring.domain.pipeline import (
    DatasetArgument,
    Graph,
    LogLine,
    Node,
    NodeOutput,
    ParameterArgument,
    PipelineParameter,
    PipelineRun,
    PipelineRunState,
    StepState,
    StoredValue,
    ValueKind,
)
from mainspring.domain.prediction import Label, Prediction, PredictionId
from mainspring.domain.rollout import (
    Guard,
    GuardMetric,
    GuardOutcome,
    GuardReading,
    Rollout,
    ServingReport,
)
from mainspring.domain.run import Metric, RunStatus
from mainspring.domain.service import (
    ApprovalPolicy,
    MonitorPolicy,
    RetrainPolicy,
    RetrainTrigger,
    RolloutPolicy,
)
from mainspring.domain.signature import Feature, Signature
from mainspring.kernel.clock import FakeClock
from mainspring.kernel.codec import encode
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Denied
from mainspring.monitoring.requests import (
    CloseIncident,
    JudgeWindows,
    ListWindows,
    OpenIncident,
    RecordPredictions,
)
from mainspring.pipelines.environment import store_environment
from mainspring.pipelines.requests import (
    AppendLogs,
    FinishRun,
    FinishStep,
    ListPipelineRuns,
    ListSteps,
    RequestRun,
    RunLease,
    StartStep,
    TakeRun,
)
from mainspring.quality.infer import infer_toml
from mainspring.quality.intake import add_data
from mainspring.quality.requests import AcceptSchema
from mainspring.registry.requests import (
    GiveApproval,
    RecordGateResults,
    RegisterModelVersion,
    SetAlias,
)
from mainspring.services.requests import PauseService
from mainspring.serving.log.frames import Answered, microseconds
from mainspring.serving.log.ids import IdSource
from mainspring.serving.log.writer import PredictionLog
from mainspring.serving.requests import (
    AdvanceRollout,
    GetDeployment,
    RecordGuardReadings,
    ReportServing,
    RollBackRollout,
    StartRollout,
)
from mainspring.testing.services import a_service
from mainspring.tracking.requests import (
    CreateExperiment,
    CreateRun,
    LogBatch,
    RecordArtifact,
    UpdateRun,
)

if TYPE_CHECKING:
    import polars as pl

ALICE = Actor(kind=ActorKind.PERSON, name="alice", role=Role.ADMIN)
BEN = Actor(kind=ActorKind.PERSON, name="ben", role=Role.VIEWER)
CARA = Actor(kind=ActorKind.PERSON, name="cara", role=Role.APPROVER)

HOUR = timedelta(hours=1)
_WINDOW_ROWS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The installation, and ids of what is worth looking at."""

    app: App
    rides: DatasetVersion
    refused: DatasetVersion
    first: ModelVersion
    champion: ModelVersion
    rolled_back: ModelVersion
    run: PipelineRun
    failed_run: PipelineRun
    incident: Incident
    open_incident: Incident
    waiting: Rollout
    tracked_run: str
    prediction: str


def a_lived_in_app(home: Path, *, database: str = "", end: datetime | None = None) -> Story:
    """Live through the story so that it ends at `end` (by default an hour-aligned now)."""
    end = end or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    clock = FakeClock(end - timedelta(days=3, hours=5))
    app = open_app(Settings(home=home, database=database), actor=ALICE, clock=clock)
    return _Teller(app, clock, end).tell()


class _Teller:
    """Makes things happen, one after the other."""

    def __init__(self, app: App, clock: FakeClock, end: datetime) -> None:
        self.app = app
        self.clock = clock
        self.end = end
        self.random = random.Random(20260101)
        self.training = app.acting_as(loop_actor("training"))
        self.rollouts = app.acting_as(loop_actor("rollout"))
        self.monitoring = app.acting_as(loop_actor("monitoring"))
        self.worker = app.acting_as(loop_actor("worker"))
        self.serving = app.acting_as(loop_actor("serving"))
        self.log = PredictionLog(app.settings.predictions_path)
        self.ids = IdSource()
        self.references: dict[str, Reference] = {}
        self.project = self._folder(
            {"flow.py": b"import mainspring as ms\n", "mainspring.toml": b""}
        )
        self.environment = store_environment(app.blobs)

    def tell(self) -> Story:
        app = self.app
        rides = self._rides(900, warmer=0.0, note="the first year")
        self._expect(rides)
        self._demand()
        self.wait(minutes=3)

        run = self._run(rides, why="demand has no model yet")
        first = self._version(run, rmse=48.2, rides=rides)
        self._judge(first, champion=None)
        self._roll_out(first, "it passed every gate and nothing answers yet")
        self._hours(40, first, drift=0.0)
        self._hours(14, first, drift=1.0)
        incident = self._incident("demand", first)

        newer = self._rides(1400, warmer=1.0, note="the second year so far")
        refused = self._in_fahrenheit()
        failed_run = self._failing_run(newer)
        run = self._run(newer, why="harmful drift is open and rides v2 is newer", cached=True)
        champion = self._version(run, rmse=41.7, rides=newer)
        self._judge(champion, champion=48.9)
        self._roll_out(champion, "it beats the champion on held-out rows, 95 % sure")
        self._hours(16, champion, drift=0.25)
        incident = self.monitoring.call(
            CloseIncident(
                incident=incident.id,
                resolution="demand v2 was promoted and the error is back below 25",
            )
        )
        rolled_back = self._rolled_back(newer)
        prediction = self._last_answers(champion)
        tracked = self._tuning()
        open_incident, waiting = self._fraud()
        self._churn()
        self._running(newer)
        self._refused_request()
        self._report(champion, waiting)
        return Story(
            app=app,
            rides=newer,
            refused=refused,
            first=first,
            champion=champion,
            rolled_back=rolled_back,
            run=run,
            failed_run=failed_run,
            incident=incident,
            open_incident=open_incident,
            waiting=waiting,
            tracked_run=tracked,
            prediction=prediction,
        )

    def wait(self, **time: float) -> None:
        self.clock.advance(timedelta(**time))

    # Data.

    def _frame(self, rows: int, warmer: float) -> "pl.DataFrame":
        import polars as pl

        records = [self._ride(i % 24, warmer) for i in range(rows)]
        return pl.DataFrame([{**ride, "count": self._count(ride)} for ride in records])

    def _ride(self, hour: int, warmer: float) -> dict[str, float | int | str | bool | None]:
        warm = 12 + 8 * math.sin((hour - 8) / 24 * 2 * math.pi) + self.random.gauss(0, 4) + warmer
        missing = self.random.random() < 0.01
        return {
            "temperature": round(warm, 1),
            "humidity": None if missing else round(self.random.uniform(30, 95), 0),
            "hour": hour,
            "weather": self.random.choices(["clear", "mist", "rain"], [0.6, 0.3, 0.1])[0],
            "working_day": self.random.random() < 0.7,
        }

    def _count(self, ride: dict[str, float | int | str | bool | None]) -> int:
        rush = 90 if ride["hour"] in (8, 17, 18) else 0
        base = 40 + 5 * float(ride["temperature"] or 0) + rush
        return max(0, round(base * (0.6 if ride["weather"] == "rain" else 1)))

    def _rides(self, rows: int, *, warmer: float, note: str) -> DatasetVersion:
        """The next delivery; judged by the schema if there is one."""
        self.wait(minutes=2)
        frame = self._frame(rows, warmer)
        return add_data(self.app.call, self.app.blobs, "rides", frame, note=note).version

    def _in_fahrenheit(self) -> DatasetVersion:
        import polars as pl

        self.wait(minutes=2)
        frame = self._frame(1400, 7.0).with_columns(
            temperature=pl.col("temperature") * 1.8 + 32,
            humidity=pl.when(pl.int_range(pl.len()) % 3 > 0).then(pl.col("humidity")),
        )
        return add_data(
            self.app.call, self.app.blobs, "rides", frame, note="a delivery in Fahrenheit"
        ).version

    def _expect(self, rides: DatasetVersion) -> None:
        """Put in force what the first delivery was like, a little wider."""
        table = scan(self.app.blobs, rides.manifest)
        toml = infer_toml("rides", table)
        self.app.call(AcceptSchema(dataset="rides", toml=toml))

    # The service demand.

    def _demand(self) -> None:
        self.gates = (
            Gate(metric="rmse", max=60.0, versus_champion=VersusChampion()),
            Gate(metric="r2", min=0.8),
        )
        a_service(
            self.app,
            "demand",
            gates=self.gates,
            params={"depth": 6},
            rollout=RolloutPolicy(
                hold_seconds=600,
                guards=(
                    Guard(metric=GuardMetric.P99_LATENCY_MS, max=50.0),
                    Guard(metric=GuardMetric.ERROR_RATE, max=0.01),
                    Guard(metric=GuardMetric.PREDICTION_PSI, max=0.3),
                ),
            ),
            monitor=MonitorPolicy(window_seconds=3600, min_rows=30),
            retrain=RetrainPolicy(on=(RetrainTrigger.NEW_DATA, RetrainTrigger.HARMFUL_DRIFT)),
        )

    def _graph(self) -> Graph:
        def node(
            id_: str, *upstream: str, data: bool = False, parameter: str | None = None
        ) -> Node:
            return Node(
                id=id_,
                step=f"flow:{id_.split('_', maxsplit=1)[0]}",
                node_outputs={f"in{i}": NodeOutput(node=n) for i, n in enumerate(upstream)},
                datasets={"rides": DatasetArgument(parameter="rides")} if data else {},
                parameters={parameter: ParameterArgument(parameter=parameter)} if parameter else {},
                constants={},
                retries=1,
            )

        return Graph(
            pipeline="flow:demand",
            parameters=(
                PipelineParameter(name="rides", is_dataset=True),
                PipelineParameter(name="depth", is_dataset=False, has_default=True, default=6),
            ),
            nodes=(
                node("features", data=True),
                node("split", "features"),
                node("weights", data=True),
                node("train", "split", "weights", parameter="depth"),
                node("baseline", "split"),
                node("evaluate", "train", "split", "baseline"),
            ),
            outputs=(NodeOutput(node="evaluate"),),
        )

    def _request(self, rides: DatasetVersion, why: str) -> PipelineRun:
        return self.training.call(
            RequestRun(
                pipeline="flow:demand",
                graph=self._graph(),
                inputs={"rides": rides.id},
                project=self.project,
                environment=self.environment,
                params={"depth": 6},
                service="demand",
                why=why,
            )
        )

    def _take(self, run: PipelineRun) -> RunLease:
        self.wait(seconds=2)
        lease = self.worker.call(TakeRun(holder="worker-1", run=run.id))
        assert lease is not None
        return lease

    def _run(self, rides: DatasetVersion, *, why: str, cached: bool = False) -> PipelineRun:
        run = self._request(rides, why)
        lease = self._take(run)
        for node in ("features", "split", "weights", "train", "baseline", "evaluate"):
            if node == "train" and cached:
                self._step(lease, node, StepState.FAILED, error=_OUT_OF_MEMORY)
            taken = cached and node == "weights"
            self._step(lease, node, StepState.CACHED if taken else StepState.SUCCEEDED)
        self._training_curve(run)
        metrics = {"rmse": 41.7, "mae": 27.9, "r2": 0.91}
        return self.worker.call(
            FinishRun(lease=lease, state=PipelineRunState.SUCCEEDED, metrics=metrics)
        )

    def _step(self, lease: RunLease, node: str, state: StepState, error: str | None = None) -> None:
        if state is StepState.CACHED:
            self._cached(lease, node)
            return
        attempt = self.worker.call(StartStep(lease=lease, node=node))
        lines = [
            f"{node}: reading",
            f"{node}: {self.random.randint(800, 1400)} rows",
            f"{node}: done",
        ]
        for i, text in enumerate(lines):
            self.wait(seconds=self.random.uniform(0.2, 4 if node == "train" else 1))
            line = LogLine(
                node=node,
                attempt=attempt.attempt,
                seq=i,
                at=self.clock.now(),
                stream="err" if error and i == 2 else "out",
                text=error.splitlines()[0] if error and i == 2 else text,
            )
            self.worker.call(AppendLogs(run=lease.run, lines=(line,)))
        kind = ValueKind.MODEL if node == "train" else ValueKind.TABLE
        stored = StoredValue(
            kind=kind,
            digest=self.app.blobs.put_bytes(f"{lease.run}{node}".encode()),
            summary="1,400 × 6",
        )
        done = state is StepState.SUCCEEDED
        self.worker.call(
            FinishStep(
                lease=lease,
                node=node,
                attempt=attempt.attempt,
                state=state,
                outputs=(stored,) if done else (),
                error=error,
            )
        )

    def _cached(self, lease: RunLease, node: str) -> None:
        first = self.app.call(ListPipelineRuns(service="demand", limit=100))[-1]
        steps = self.app.call(ListSteps(run=first.id))
        outputs = next(step.outputs for step in steps if step.node == node)
        self.worker.call(
            FinishStep(
                lease=lease,
                node=node,
                attempt=1,
                state=StepState.CACHED,
                outputs=outputs,
                cached_from=first.id,
            )
        )

    def _failing_run(self, rides: DatasetVersion) -> PipelineRun:
        run = self._request(rides, "harmful drift is open and rides v2 is newer")
        lease = self._take(run)
        self._step(lease, "features", StepState.SUCCEEDED)
        self._step(lease, "split", StepState.FAILED, error=_KEY_ERROR)
        self._step(lease, "split", StepState.FAILED, error=_KEY_ERROR)
        return self.worker.call(
            FinishRun(lease=lease, state=PipelineRunState.FAILED, error=f"step split: {_KEY_ERROR}")
        )

    def _running(self, rides: DatasetVersion) -> None:
        lease = self._take(self._request(rides, "the declaration changed"))
        self._step(lease, "features", StepState.SUCCEEDED)
        self.worker.call(StartStep(lease=lease, node="split"))
        self.wait(seconds=4)

    def _training_curve(self, run: PipelineRun) -> None:
        points = tuple(
            Metric(
                key="loss",
                value=90 * math.exp(-i / 20) + 12 + self.random.random(),
                step=i,
                timestamp_ms=int(self.clock.now().timestamp() * 1000) + i * 50,
            )
            for i in range(120)
        )
        self.worker.call(LogBatch(run=run.id, metrics=points, params={"depth": "6"}))

    def _version(self, run: PipelineRun, *, rmse: float, rides: DatasetVersion) -> ModelVersion:
        reference = self._reference()
        metrics = {"rmse": rmse, "mae": rmse * 0.63, "r2": 1 - rmse / 500}
        self.wait(seconds=5)
        version = self.training.call(
            RegisterModelVersion(
                model="demand",
                manifest=self._model_folder(run.id),
                flavor="sklearn",
                run=run.id,
                signature=Signature(
                    inputs=(
                        Feature(name="temperature", type=DataType.FLOAT),
                        Feature(name="humidity", type=DataType.FLOAT, nullable=True),
                        Feature(name="hour", type=DataType.INTEGER),
                        Feature(name="weather", type=DataType.STRING),
                        Feature(name="working_day", type=DataType.BOOLEAN),
                    )
                ),
                metrics=metrics,
                reference=self.app.blobs.put_bytes(encode(reference)),
                project=self.project,
                environment=self.environment,
                service="demand",
                tags={"season": "winter" if rmse > 45 else "summer"},
            )
        )
        self.references[version.id] = reference
        return version

    def _model_folder(self, content: str) -> Digest:
        return self._folder({"MLmodel": b"flavors: {}\n", "model.skops": content.encode() * 200})

    def _folder(self, files: dict[str, bytes]) -> Digest:
        entries = tuple(
            ManifestEntry(path=path, digest=self.app.blobs.put_bytes(data), size_bytes=len(data))
            for path, data in files.items()
        )
        return put_manifest(self.app.blobs, Manifest(entries=entries))

    def _reference(self) -> Reference:
        from mainspring.quality.reference import build_reference

        frame = self._frame(2000, 0.0)
        inputs = frame.drop("count")
        predictions = frame["count"].cast(float)
        errors = [abs(self.random.gauss(0, 6 + 0.03 * p)) for p in predictions]
        return build_reference(inputs, predictions=predictions, held_out=inputs, abs_errors=errors)

    def _judge(self, version: ModelVersion, *, champion: float | None, passed: bool = True) -> None:
        rmse = version.metrics["rmse"]
        results = (
            GateResult(
                gate=self.gates[0],
                outcome=GateOutcome.PASSED if passed else GateOutcome.FAILED,
                observed=rmse,
                champion=champion,
                interval=(rmse - champion - 2.1, rmse - champion + 1.9) if champion else None,
                row_count=350 if champion else None,
                detail=f"{rmse:.3g} is at most 60"
                + (
                    " and beats the champion by paired bootstrap"
                    if champion
                    else "; no champion yet"
                ),
            ),
            GateResult(
                gate=self.gates[1],
                outcome=GateOutcome.PASSED,
                observed=version.metrics["r2"],
                detail=f"{version.metrics['r2']:.3g} is at least 0.8",
            ),
        )
        self.wait(seconds=4)
        self.training.call(RecordGateResults(version=version.id, results=results, service="demand"))

    def _readings(self, *, latency: float = 12.0) -> tuple[GuardReading, ...]:
        guards = self.app.call(GetDeployment(service="demand"))
        assert guards and guards.rollout
        seen = {
            GuardMetric.P99_LATENCY_MS: latency,
            GuardMetric.ERROR_RATE: 0.0,
            GuardMetric.PREDICTION_PSI: 0.04,
        }
        return tuple(
            GuardReading(
                guard=guard,
                outcome=GuardOutcome.PASSED
                if seen[guard.metric] <= guard.max
                else GuardOutcome.FAILED,
                observed=seen[guard.metric],
                request_count=240,
            )
            for guard in guards.rollout.guards
        )

    def _roll_out(self, version: ModelVersion, why: str) -> None:
        self.wait(seconds=3)
        rollout = self.training.call(StartRollout(service="demand", version=version.id, why=why))
        while not rollout.state.is_final:
            self.wait(minutes=10)
            rollout = self.rollouts.call(
                AdvanceRollout(
                    rollout=rollout.id,
                    step_index=rollout.step_index,
                    readings=self._readings(),
                    why="every guard passed on 240 requests",
                )
            )

    def _rolled_back(self, rides: DatasetVersion) -> ModelVersion:
        run = self._run(rides, why="rides v2 is new", cached=True)
        version = self._version(run, rmse=41.1, rides=rides)
        self._judge(version, champion=41.7)
        rollout = self.training.call(
            StartRollout(service="demand", version=version.id, why="it passed every gate")
        )
        self.wait(minutes=4)
        readings = self._readings(latency=183.0)
        self.rollouts.call(RecordGuardReadings(rollout=rollout.id, readings=readings))
        self.wait(minutes=1)
        self.rollouts.call(
            RollBackRollout(
                rollout=rollout.id,
                readings=readings,
                why="p99_latency_ms is 183 on 240 requests; the guard allows at most 50",
            )
        )
        return version

    # Predictions and what monitoring makes of them.

    def _hours(self, count: int, version: ModelVersion, *, drift: float) -> None:
        start = self.clock.now().replace(minute=0, second=0, microsecond=0)
        for i in range(count):
            grown = drift if drift < 1 else min(1.0, 0.3 + i / 8)
            self._window(version, start + i * HOUR, grown)
            self.clock.advance(HOUR)
        self.monitoring.call(JudgeWindows(service="demand"))

    def _window(self, version: ModelVersion, start: datetime, drift: float) -> None:
        at = start + timedelta(minutes=5)
        predictions, labels = [], []
        good = version.number > 1
        for i in range(_WINDOW_ROWS):
            ride = self._ride(i % 24, 13.0 * drift)
            ride["humidity"] = None if self.random.random() < drift * 0.2 else ride["humidity"]
            guess = float(self._count(ride))
            key = f"{start:%m%d%H}-{i}"
            predictions.append(
                Prediction(
                    id=self._id(at),
                    service="demand",
                    version=version.id,
                    arm="champion",
                    key=key,
                    at=at,
                    event_at=at + timedelta(seconds=20 * i),
                    inputs=ride,
                    output=guess,
                    latency_ms=self.random.uniform(1, 4),
                    code=200,
                )
            )
            noise = self.random.gauss(0, 6 + 0.03 * guess)
            truth = guess + noise + (0 if good else drift * 0.35 * guess)
            if i % 8:
                labels.append(Label(service="demand", key=key, value=truth, at=at + HOUR))
        # What a page shows is what monitoring read; the segment's name only has to be its own.
        self.monitoring.call(
            RecordPredictions(
                service="demand",
                segment=f"{start:%Y%m%d%H}.seg",
                from_offset=0,
                to_offset=1000,
                predictions=tuple(predictions),
                labels=tuple(labels),
                references={version.id: self.references[version.id]},
            )
        )

    def _id(self, at: datetime) -> PredictionId:
        return self.ids.take(1, int(at.timestamp() * 1000))[0]

    def _incident(self, service: str, version: ModelVersion) -> Incident:
        windows = self.app.call(ListWindows(service=service, limit=4))
        findings = tuple(f for window in windows[:1] for f in window.findings) or (
            Finding(
                kind=FindingKind.FEATURE_DRIFT,
                feature="temperature",
                method="population stability index",
                score=0.71,
                threshold=0.2,
                effect=9.4,
                detail="a third of the rows lie above anything seen in training",
            ),
        )
        return self.monitoring.call(
            OpenIncident(
                service=service,
                kind=IncidentKind.HARMFUL_DRIFT,
                summary="temperature drifted in 3 of 3 windows; the error is estimated to grow by 61 %",
                version=version.id,
                findings=findings,
                windows=tuple(window.id for window in windows),
            )
        )

    def _last_answers(self, version: ModelVersion) -> str:
        """A segment of the real log, with an answer to trace."""
        # The log names its segments by the machine's clock, and looks for an id near its time.
        now = datetime.now(UTC)
        id_ = self._id(now)
        ride = self._ride(8, 2.0)
        answered = Answered(
            ids=[id_],
            version=version.id,
            arm="champion",
            keys=["ride-17"],
            at=microseconds(now),
            event_at=None,
            names=list(ride),
            columns=[[value] for value in ride.values()],
            outputs=[214.5],
            latency_ms=2.4,
            code=200,
            error=None,
        )
        self.log.append("demand", answered, 1)
        self.log.write(self.log.take())
        self.log.close()
        return id_

    # What else there is.

    def _tuning(self) -> str:
        experiment = self.app.call(CreateExperiment(name="tuning"))
        last = ""
        for i in range(24):
            self.wait(minutes=3)
            run = self.app.call(
                CreateRun(
                    experiment=experiment.id,
                    name=f"forest-{i}",
                    user="alice",
                    tags={"stage": "search"},
                )
            )
            now = int(self.clock.now().timestamp() * 1000)
            curve = tuple(
                Metric(
                    key=key,
                    value=start * math.exp(-step / (10 + i)) + 20,
                    step=step,
                    timestamp_ms=now + step,
                )
                for key, start in (("train_rmse", 60.0), ("valid_rmse", 70.0))
                for step in range(40)
            )
            self.app.call(
                LogBatch(
                    run=run.id,
                    metrics=curve,
                    params={"depth": str(3 + i % 6), "trees": str(50 * i)},
                )
            )
            last = run.id
            if i < 23:
                state = RunStatus.FAILED if i == 5 else RunStatus.FINISHED
                self.app.call(UpdateRun(run=run.id, status=state, ended_at=self.clock.now()))
        digest = self.app.blobs.put_bytes(b"a report")
        self.app.call(
            RecordArtifact(
                root=f"{experiment.id}/{last}/artifacts",
                path="plots/report.txt",
                digest=digest,
                size_bytes=8,
            )
        )
        return last

    def _fraud(self) -> tuple[Incident, Rollout]:
        """A service whose candidate waits for people, with an incident open."""
        a_service(
            self.app,
            "fraud",
            pipeline="fraud:train",
            data={"payments": "payments"},
            retrain=RetrainPolicy(approvals=ApprovalPolicy(production=2, not_by_author=True)),
            rollout=RolloutPolicy(hold_seconds=3600),
        )
        version = self.training.call(
            RegisterModelVersion(
                model="fraud",
                manifest=self._model_folder("fraud"),
                metrics={"roc_auc": 0.931, "accuracy": 0.987},
                description="Gradient boosting on 40 features",
                service="fraud",
            )
        )
        self.training.call(RecordGateResults(version=version.id, results=(), service="fraud"))
        waiting = self.training.call(
            StartRollout(service="fraud", version=version.id, why="it passed every gate")
        )
        self.app.acting_as(CARA).call(
            GiveApproval(
                service="fraud", model="fraud", number=1, reason="The false alarms are acceptable"
            )
        )
        self.app.call(SetAlias(model="fraud", alias="staging", number=1))
        incident = self.monitoring.call(
            OpenIncident(
                service="fraud",
                kind=IncidentKind.SERVING,
                summary="no model answers, and 40 requests were turned away",
            )
        )
        return incident, waiting

    def _churn(self) -> None:
        a_service(self.app, "churn", pipeline="churn:train", data={"customers": "customers"})
        self.app.call(PauseService(name="churn"))

    def _refused_request(self) -> None:
        try:
            self.app.acting_as(BEN).call(PauseService(name="demand"))
        except Denied:
            return
        raise AssertionError("a viewer paused a service")

    def _report(self, champion: ModelVersion, waiting: Rollout) -> None:
        behind = self.end - self.clock.now()
        if behind > timedelta():
            self.clock.advance(behind)
        deployment = self.app.call(GetDeployment(service="demand"))
        assert deployment is not None
        self.serving.call(
            ReportServing(
                report=ServingReport(
                    process="predictor-1",
                    address="http://127.0.0.1:5001",
                    routing_version=deployment.routing_version,
                    ready=(champion.id,),
                    failed={},
                    at=self.clock.now(),
                )
            )
        )


_KEY_ERROR = "KeyError: 'season'\n  flow.py:21 in split\n    table = table.sort(table['season'])"
_OUT_OF_MEMORY = "the step's process was killed by SIGKILL; perhaps the machine ran out of memory"
