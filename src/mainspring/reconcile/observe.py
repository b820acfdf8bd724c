"""Gathering what the plans look at, by operations like everybody else."""

from collections.abc import Iterable
from datetime import datetime

from mainspring.blobs.port import BlobStore
from mainspring.datasets.requests import GetDatasetVersion
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.evaluation import Evaluation
from mainspring.domain.model import ModelVersion, ModelVersionId
from mainspring.domain.pipeline import PipelineRun, PipelineRunState, ValueKind
from mainspring.domain.request import Call
from mainspring.domain.rollout import Deployment, Rollout
from mainspring.domain.run import RunId
from mainspring.domain.service import Service
from mainspring.governance.requests import ListEvents
from mainspring.kernel.codec import decode
from mainspring.kernel.errors import NotFound
from mainspring.monitoring.recovery import RECENT_WINDOWS
from mainspring.monitoring.requests import ListIncidents, ListWindows
from mainspring.pipelines.requests import ListPipelineRuns
from mainspring.reconcile.guards import Traffic
from mainspring.reconcile.seen import SeenForMonitoring, SeenForRollout, SeenForTraining
from mainspring.registry.requests import GetModelVersionById, ListApprovals, ListModelVersions
from mainspring.serving.requests import GetDeployment, ListRollouts, ListServingReports

_RUNS = 30
_VERSIONS = 50
_ROLLOUTS = 50
_INCIDENTS = 50


class Evaluations:
    """What runs that succeeded say of a model, read once each: outputs never change."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._known: dict[RunId, Evaluation | None] = {}

    def of(self, runs: Iterable[PipelineRun]) -> dict[RunId, Evaluation | None]:
        """The evaluations of those runs that succeeded."""
        found = {}
        for run in runs:
            if run.state is PipelineRunState.SUCCEEDED:
                if run.id not in self._known:
                    self._known[run.id] = self._read(run)
                found[run.id] = self._known[run.id]
        return found

    def _read(self, run: PipelineRun) -> Evaluation | None:
        """The first output that evaluates a model; None if there is none."""
        for output in run.outputs:
            if output.kind is ValueKind.METRICS:
                evaluation = decode(self._blobs.read(output.digest), Evaluation, what="evaluation")
                if evaluation.model is not None:
                    return evaluation
        return None


def see_training(call: Call, evaluations: Evaluations, service: Service) -> SeenForTraining:
    """The state that training is decided on."""
    name = service.spec.name
    runs = call(ListPipelineRuns(service=name, limit=_RUNS))
    deployment = call(GetDeployment(service=name))
    return SeenForTraining(
        service=service,
        data=_newest_data(call, service.spec.data.values()),
        runs=runs,
        evaluations=evaluations.of(runs),
        versions=_versions(call, service.spec.model, deployment),
        deployment=deployment,
        rollouts=call(ListRollouts(service=name, limit=_ROLLOUTS)),
        incidents=call(ListIncidents(service=name, limit=_INCIDENTS)),
    )


def see_rollout(call: Call, traffic: Traffic, service: Service) -> SeenForRollout | None:
    """The state of the rollout that is under way, if one is."""
    deployment = call(GetDeployment(service=service.spec.name))
    rollout = deployment.rollout if deployment else None
    if rollout is None:
        return None
    readings, request_count = traffic.readings(rollout)
    return SeenForRollout(
        service=service,
        rollout=rollout,
        candidate=call(GetModelVersionById(id=rollout.candidate)),
        readings=readings,
        request_count=request_count,
        approvals=call(ListApprovals(version=rollout.candidate)),
        reports=call(ListServingReports()),
        running_since=_running_since(call, service, rollout),
    )


def see_monitoring(call: Call, service: Service) -> SeenForMonitoring:
    """The state that incidents are decided on."""
    name = service.spec.name
    deployment = call(GetDeployment(service=name))
    versions = _versions(call, service.spec.model, deployment)
    return SeenForMonitoring(
        service=service,
        windows=call(ListWindows(service=name, limit=RECENT_WINDOWS)),
        deployment=deployment,
        incidents=call(ListIncidents(service=name, limit=_INCIDENTS)),
        reports=call(ListServingReports()),
        numbers={version.id: version.number for version in versions},
    )


def _newest_data(call: Call, datasets: Iterable[str]) -> dict[str, DatasetVersion]:
    found = {}
    for dataset in sorted(set(datasets)):
        try:
            found[dataset] = call(GetDatasetVersion(dataset=dataset))
        except NotFound:
            continue
    return found


def _versions(call: Call, model: str, deployment: Deployment | None) -> tuple[ModelVersion, ...]:
    """The newest versions, and the champion however old it is."""
    try:
        versions: tuple[ModelVersion, ...] = call(ListModelVersions(model=model, limit=_VERSIONS))
    except NotFound:
        return ()
    champion: ModelVersionId | None = deployment.champion if deployment else None
    if champion and not any(v.id == champion for v in versions):
        versions = (*versions, call(GetModelVersionById(id=champion)))
    return versions


def _running_since(call: Call, service: Service, rollout: Rollout) -> datetime:
    """When the rollout began to answer: its wait for people doesn't count against its time."""
    if not service.spec.retrain.approvals.production and not service.spec.serve.require_signed:
        return rollout.started_at
    advanced = call(ListEvents(subject=rollout.id, type="RolloutAdvanced", after=0, limit=1)).items
    return advanced[0].at if advanced else rollout.step_started_at
