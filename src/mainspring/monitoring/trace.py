"""From one prediction back to everything it came from: model, gates, approvals, rollout, run, code, data, checks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from mainspring.datasets.requests import GetDatasetVersionById
from mainspring.domain.approval import Approval
from mainspring.domain.check import StoredCheckReport
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.model import ModelVersion
from mainspring.domain.pipeline import PipelineRun
from mainspring.domain.prediction import Prediction
from mainspring.domain.request import Request
from mainspring.domain.rollout import Rollout
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import NotFound
from mainspring.pipelines.requests import GetPipelineRun
from mainspring.quality.requests import GetCheckReport
from mainspring.registry.requests import GetModelVersionById, ListApprovals
from mainspring.serving.log.expire import expired_at
from mainspring.serving.log.ids import time_of
from mainspring.serving.log.reader import find_anywhere
from mainspring.serving.requests import ListRollouts

T = TypeVar("T")

Call = Callable[[Request[Any]], Any]
"""`App.call`, or a client's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedData:
    """A dataset version that the run read, under the pipeline's name for it, and what checks said of it."""

    parameter: str
    version: DatasetVersion
    report: StoredCheckReport | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """Where a model version comes from, and how it came to answer.

    `run` is None for a version registered from outside a pipeline. `project` and `environment` are the
    code and the Python environment it was made with. `rollouts` are those that brought it, newest first.
    """

    version: ModelVersion
    run: PipelineRun | None
    project: Digest | None
    environment: Digest | None
    data: tuple[TracedData, ...]
    approvals: tuple[Approval, ...]
    rollouts: tuple[Rollout, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One prediction and its lineage; None if the model version is in the registry no more."""

    prediction: Prediction
    lineage: Lineage | None


def trace(call: Call, predictions_path: Path, prediction_id: str) -> Trace:
    """Trace a prediction by its id; raises `NotFound` if the prediction log has none of that id."""
    prediction = find_anywhere(predictions_path, prediction_id)
    if prediction is None:
        _say_expired(predictions_path, prediction_id)
        raise NotFound(
            f"there is no prediction {prediction_id!r} in the log",
            code="prediction_unknown",
            hint="Every answer carries its id.",
        )
    version = _found(call, GetModelVersionById(id=prediction.version))
    lineage = lineage_of(call, version, prediction.service) if version else None
    return Trace(prediction=prediction, lineage=lineage)


def _say_expired(predictions_path: Path, prediction_id: str) -> None:
    answered_at = time_of(prediction_id)
    removed_at = expired_at(predictions_path, answered_at)
    if removed_at is not None:
        raise NotFound(
            f"prediction {prediction_id} is kept no longer: answers of {answered_at:%Y-%m-%d %H:%M}Z "
            f"expired on {removed_at:%Y-%m-%d %H:%M}Z",
            code="prediction_expired",
            hint="The setting keep_predictions says how long answers are kept. What they added to the "
            "monitoring windows is still there.",
        )


def lineage_of(call: Call, version: ModelVersion, service: str | None = None) -> Lineage:
    """Where a model version comes from; with its rollouts, for the service that is named."""
    run: PipelineRun | None = (
        _found(call, GetPipelineRun(run=version.run)) if version.run is not None else None
    )
    service = service or (run.service if run else None)
    rollouts: tuple[Rollout, ...] = (
        (_found(call, ListRollouts(service=service, limit=1000)) or ()) if service else ()
    )
    return Lineage(
        version=version,
        run=run,
        project=version.project or (run.project if run else None),
        environment=version.environment or (run.environment if run else None),
        data=_data(call, run) if run else (),
        approvals=call(ListApprovals(version=version.id)),
        rollouts=tuple(r for r in rollouts if r.candidate == version.id),
    )


def _data(call: Call, run: PipelineRun) -> tuple[TracedData, ...]:
    found = []
    for parameter, id_ in run.inputs.items():
        version: DatasetVersion = call(GetDatasetVersionById(id=id_))
        report: StoredCheckReport | None = call(GetCheckReport(version=id_))
        found.append(TracedData(parameter=parameter, version=version, report=report))
    return tuple(found)


def _found(call: Callable[[Request[T]], T], request: Request[T]) -> T | None:
    try:
        return call(request)
    except NotFound:
        return None
