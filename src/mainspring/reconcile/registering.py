"""From a run's evaluation to the request that registers its model."""

from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import read_manifest
from mainspring.domain.evaluation import Evaluation
from mainspring.domain.pipeline import PipelineRun
from mainspring.domain.service import Service
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Conflict, Corrupt
from mainspring.registry.requests import RegisterModelVersion
from mainspring.tracking.model_format import MLMODEL, ModelDescription, describe_model


def registration_of(
    blobs: BlobStore, service: Service, run: PipelineRun, evaluation: Evaluation, *, why: str
) -> RegisterModelVersion:
    """The request that registers the model of a run; what the model says of itself is read, never run."""
    if evaluation.model is None:
        raise Conflict(f"run {run.id} evaluated no model", code="no_evaluation")
    described = _described(blobs, evaluation.model)
    return RegisterModelVersion(
        model=service.spec.model,
        manifest=evaluation.model,
        flavor=described.flavor,
        run=run.id,
        source=f"run {run.id}",
        signature=described.signature,
        metrics=evaluation.values,
        reference=evaluation.reference,
        evaluation=evaluation.table,
        project=run.project,
        environment=run.environment,
        description=why,
        service=service.spec.name,
    )


def _described(blobs: BlobStore, manifest: Digest) -> ModelDescription:
    for entry in read_manifest(blobs, manifest).entries:
        if entry.path == MLMODEL:
            return describe_model(blobs.read(entry.digest))
    raise Corrupt(f"{manifest} is not a model: it has no file {MLMODEL}")
