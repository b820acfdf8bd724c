"""Artifacts: files by content, named below the root of a run or a logged model."""

from mainspring.blobs.trees import check_relative
from mainspring.domain.event import TrackingChanged
from mainspring.domain.run import Artifact
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.store.tx import Tx
from mainspring.tracking.logged_models import logged_model_of
from mainspring.tracking.queries import artifacts as queries
from mainspring.tracking.queries import runs
from mainspring.tracking.requests import (
    DeleteArtifacts,
    GetArtifact,
    ListArtifacts,
    RecordArtifact,
)

MAX_PATH = 1000


def root_of_run(experiment: str, run: str) -> str:
    """Where a run's files are named."""
    return f"{experiment}/{run}/artifacts"


def root_of_model(experiment: str, model: str) -> str:
    """Where a logged model's files are named."""
    return f"{experiment}/models/{model}/artifacts"


def root_of_trace(experiment: str, trace: str) -> str:
    """Where a trace's files are named."""
    return f"{experiment}/traces/{trace}/artifacts"


def record_artifact(tx: Tx, request: RecordArtifact) -> Artifact:
    """Name stored bytes; raises `NotFound` if the bytes, the run or the logged model aren't there."""
    check_relative(request.path)
    if len(request.path) > MAX_PATH:
        raise Invalid(f"an artifact's path may be {MAX_PATH} characters long", code="bad_path")
    _check_root(tx, request.root)
    if not tx.blobs.exists(request.digest):
        raise NotFound(
            f"there are no bytes {request.digest}", code="blob_missing", hint="Store them first."
        )
    artifact = Artifact(path=request.path, digest=request.digest, size_bytes=request.size_bytes)
    queries.put_artifact(tx, request.root, artifact)
    return artifact


def get_artifact(tx: Tx, request: GetArtifact) -> Artifact:
    """One file; raises `NotFound`."""
    found = queries.artifact(tx, request.root, request.path)
    if found is None:
        raise NotFound(f"No such artifact: '{request.path}'", code="no_such_artifact")
    return found


def list_artifacts(tx: Tx, request: ListArtifacts) -> tuple[Artifact, ...]:
    """Every file below a root, or below one of its folders, by path."""
    return tuple(queries.list_artifacts(tx, request.root, request.prefix))


def delete_artifacts(tx: Tx, request: DeleteArtifacts) -> int:
    """Forget a file or a folder's files; answers how many there were."""
    _check_root(tx, request.root)
    count = queries.delete_artifacts(tx, request.root, request.path)
    if count:
        why = f"{count} files at {request.path!r}" if request.path else f"all {count} files"
        tx.emit(TrackingChanged(id=request.root, what="artifacts deleted", why=why))
    return count


def _check_root(tx: Tx, root: str) -> None:
    """Raise `NotFound` unless a root belongs to a run or logged model that there is."""
    match root.split("/"):
        case [experiment, "models", model, "artifacts"]:
            if logged_model_of(tx, model).experiment == experiment:
                return
        case [experiment, "traces", trace, "artifacts"]:
            if queries.experiment_of_trace(tx, trace) == experiment:
                return
        case [experiment, run, "artifacts"]:
            if runs.experiment_of_run(tx, run) == experiment:
                return
    raise NotFound(
        f"there is no run, logged model or trace whose files are at {root!r}", code="bad_root"
    )
