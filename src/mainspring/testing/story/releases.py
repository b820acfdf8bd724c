"""The model versions of the story: registered, judged, rolled out and back."""

from mainspring.domain.data_type import DataType
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.evaluation import Reference
from mainspring.domain.gate import Gate, GateOutcome, GateResult, VersusChampion
from mainspring.domain.model import ModelVersion
from mainspring.domain.pipeline import (
    PipelineRun,
)
from mainspring.domain.rollout import (
    Guard,
    GuardMetric,
    GuardOutcome,
    GuardReading,
)
from mainspring.domain.service import (
    MonitorPolicy,
    RetrainPolicy,
    RetrainTrigger,
    RolloutPolicy,
)
from mainspring.domain.signature import Feature, Signature
from mainspring.kernel.codec import encode
from mainspring.kernel.digests import Digest
from mainspring.registry.requests import (
    RecordGateResults,
    RegisterModelVersion,
)
from mainspring.serving.requests import (
    AdvanceRollout,
    GetDeployment,
    RecordGuardReadings,
    RollBackRollout,
    StartRollout,
)
from mainspring.testing.services import a_service
from mainspring.testing.story.runs import Runs


class Releases(Runs):
    """How versions of `demand` came to answer, or did not."""

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
