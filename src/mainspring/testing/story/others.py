"""What else there is in the story: other services, tracked runs, a refusal."""

import math
from datetime import timedelta

from mainspring.domain.model import ModelVersion
from mainspring.domain.monitor import Incident, IncidentKind
from mainspring.domain.rollout import (
    Rollout,
    ServingReport,
)
from mainspring.domain.run import Metric, RunStatus
from mainspring.domain.service import (
    ApprovalPolicy,
    RetrainPolicy,
    RolloutPolicy,
)
from mainspring.kernel.errors import Denied
from mainspring.monitoring.requests import (
    OpenIncident,
)
from mainspring.registry.requests import (
    GiveApproval,
    RecordGateResults,
    RegisterModelVersion,
    SetAlias,
)
from mainspring.services.requests import PauseService
from mainspring.serving.requests import (
    GetDeployment,
    ReportServing,
    StartRollout,
)
from mainspring.testing.services import a_service
from mainspring.testing.story.beginning import BEN, CARA
from mainspring.testing.story.traffic import Traffic
from mainspring.tracking.requests import (
    CreateExperiment,
    CreateRun,
    LogBatch,
    RecordArtifact,
    UpdateRun,
)


class Others(Traffic):
    """Everything beside the service `demand`."""

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
