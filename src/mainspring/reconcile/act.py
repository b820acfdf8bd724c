"""Carrying out what was planned, by operations; every one of them may be asked for twice."""

import logging
from typing import assert_never

from mainspring.blobs.port import BlobStore
from mainspring.config import Settings
from mainspring.domain.evaluation import Evaluation
from mainspring.domain.model import ModelVersion, ModelVersionId
from mainspring.domain.monitor import IncidentKind
from mainspring.domain.pipeline import PipelineRun
from mainspring.domain.request import Call
from mainspring.domain.run import RunId
from mainspring.kernel.errors import Conflict, MainspringError, Unavailable
from mainspring.monitoring.requests import CloseIncident, OpenIncident
from mainspring.pipelines.graphs import graph_of
from mainspring.pipelines.requests import GetPipelineRun, RequestRun
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
from mainspring.reconcile.judging import judge_model
from mainspring.reconcile.observe import Evaluations
from mainspring.reconcile.registering import registration_of
from mainspring.registry.requests import GetModelVersionById, RecordGateResults
from mainspring.services.requests import GetService
from mainspring.serving.requests import (
    AdvanceRollout,
    GetDeployment,
    RecordGuardReadings,
    RollBackRollout,
    StartRollout,
)

log = logging.getLogger(__name__)


class Hands:
    """Does what plans say for one installation."""

    def __init__(
        self, call: Call, blobs: BlobStore, settings: Settings, evaluations: Evaluations
    ) -> None:
        self._call = call
        self._blobs = blobs
        self._settings = settings
        self._evaluations = evaluations

    def carry_out(self, action: Action) -> None:
        """Do one thing. Raises what the operation raises; nothing is left half done."""
        match action:
            case StartTraining():
                self._start_training(action)
            case RegisterCandidate():
                self._register(action)
            case JudgeCandidate():
                self._judge(action)
            case BeginRollout():
                self._call(
                    StartRollout(service=action.service, version=action.version, why=action.why)
                )
            case Advance():
                self._call(
                    AdvanceRollout(
                        rollout=action.rollout,
                        step_index=action.step_index,
                        readings=action.readings,
                        why=action.why,
                    )
                )
            case TakeBack():
                self._call(
                    RollBackRollout(
                        rollout=action.rollout, readings=action.readings, why=action.why
                    )
                )
            case ShowReadings():
                self._call(RecordGuardReadings(rollout=action.rollout, readings=action.readings))
            case RaiseIncident():
                self._raise(action)
            case ResolveIncident():
                self._call(CloseIncident(incident=action.incident, resolution=action.resolution))
            case _:
                assert_never(action)

    def _start_training(self, action: StartTraining) -> None:
        service = self._call(GetService(name=action.service))
        try:
            graph = graph_of(self._blobs, self._settings, service.project, service.spec.pipeline)
            self._call(
                RequestRun(
                    pipeline=service.spec.pipeline,
                    graph=graph,
                    inputs=dict(action.inputs),
                    params=service.spec.params,
                    project=service.project,
                    environment=service.environment,
                    service=action.service,
                    why=action.why,
                    only_if_idle=True,
                )
            )
        except (Unavailable, Conflict):
            raise
        except MainspringError as error:
            # There is no run that could tell of it.
            self._raise(
                RaiseIncident(
                    service=action.service,
                    kind=IncidentKind.FAILING_RUNS,
                    summary=(
                        f"{service.spec.pipeline} can't be run: {error}. "
                        "Nothing is trained until code or data change."
                    ),
                )
            )
            raise

    def _register(self, action: RegisterCandidate) -> None:
        service = self._call(GetService(name=action.service))
        run, evaluation = self._run_with_evaluation(action.run)
        self._call(registration_of(self._blobs, service, run, evaluation, why=action.why))

    def _judge(self, action: JudgeCandidate) -> None:
        service = self._call(GetService(name=action.service))
        version = self._version(action.version)
        deployment = self._call(GetDeployment(service=action.service))
        champion = deployment.champion if deployment else None
        _, evaluation = self._run_with_evaluation(action.run)
        results = judge_model(
            self._settings,
            service.spec.gates,
            version.manifest,
            metrics=version.metrics,
            champion=self._version(champion) if champion else None,
            evaluation=evaluation,
        )
        self._call(RecordGateResults(version=version.id, results=results, service=action.service))

    def _raise(self, action: RaiseIncident) -> None:
        self._call(
            OpenIncident(
                service=action.service,
                kind=action.kind,
                summary=action.summary,
                version=action.version,
                findings=action.findings,
                windows=action.windows,
            )
        )

    def _version(self, id_: ModelVersionId) -> ModelVersion:
        version: ModelVersion = self._call(GetModelVersionById(id=id_))
        return version

    def _run_with_evaluation(self, id_: RunId) -> tuple[PipelineRun, Evaluation]:
        run: PipelineRun = self._call(GetPipelineRun(run=id_))
        evaluation = self._evaluations.of([run]).get(run.id)
        if evaluation is None:
            raise Conflict(f"run {id_} evaluated no model", code="no_evaluation")
        return run, evaluation
