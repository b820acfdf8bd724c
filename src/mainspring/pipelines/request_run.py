"""Asking for a run of a pipeline."""

from mainspring.datasets.read import get_dataset_version_by_id
from mainspring.datasets.requests import GetDatasetVersionById
from mainspring.domain.dataset import DatasetVersion, DatasetVersionId, DatasetVersionState
from mainspring.domain.event import RunRequested
from mainspring.domain.pipeline import Graph, PipelineRun, PipelineRunState
from mainspring.domain.run import DatasetInput, RunId, RunStatus
from mainspring.kernel.codec import encode_text
from mainspring.kernel.errors import Conflict, Invalid, NotFound, Rejected
from mainspring.pipelines import queries
from mainspring.pipelines.binding import bound_params
from mainspring.pipelines.read import run_of
from mainspring.pipelines.requests import RequestRun
from mainspring.store.tx import Tx
from mainspring.tracking.experiments import ensure_experiment
from mainspring.tracking.log import log_batch, log_inputs
from mainspring.tracking.requests import CreateRun, LogBatch, LogInputs
from mainspring.tracking.runs import create_run


def request_run(tx: Tx, request: RequestRun) -> PipelineRun:
    """Record a run that a worker will take, and the tracked run of the same id.

    Raises `Invalid` unless every parameter has a value, `Rejected` for a dataset version that failed its
    checks.
    """
    return ask_for_run(tx, request)


def ask_for_run(
    tx: Tx, request: RequestRun, *, trigger: str | None = None, cause_count: int = 0
) -> PipelineRun:
    """The same for a trigger, which says because of how many things it asks."""
    for digest in (request.project, request.environment):
        if not tx.blobs.exists(digest):
            raise NotFound(
                f"there are no bytes {digest}", code="blob_missing", hint="Store them, then ask."
            )
    if request.only_if_idle and request.service:
        _check_idle(tx, request.service)
    params = bound_params(request.graph, request.params)
    partitions = request.graph.partitions
    versions = bound_datasets(tx, request.graph, request.inputs)
    run = PipelineRun(
        id=RunId(tx.new_id("run")),
        service=request.service,
        pipeline=request.pipeline,
        graph=request.graph,
        params=params,
        inputs={name: DatasetVersionId(version.id) for name, version in versions.items()},
        project=request.project,
        environment=request.environment,
        state=PipelineRunState.REQUESTED,
        why=request.why,
        requested_at=tx.now,
        requested_by=str(tx.actor),
        parent=_parent(tx, request),
        kept=request.kept,
        verify_cache=request.verify_cache,
        trigger=trigger,
        cause_count=cause_count,
        priority=request.priority,
        partition=partitions.check(params[partitions.parameter]) if partitions else None,
    )
    _track(tx, run, versions)
    queries.add_run(tx, run)
    tx.emit(
        RunRequested(
            service=run.service,
            run=run.id,
            pipeline=run.pipeline,
            inputs=dict(run.inputs),
            trigger=trigger,
            why=request.why,
        )
    )
    return run


def _check_idle(tx: Tx, service: str) -> None:
    """Commands take their turns, so that of two loops that ask at once only one gets a run."""
    if under_way := queries.active_run_of(tx, service):
        raise Conflict(
            f"run {under_way} of {service} is under way", code="run_under_way", hint="Wait for it."
        )


def _parent(tx: Tx, request: RequestRun) -> RunId | None:
    """The run that steps are kept from; raises `Invalid` if it has no result for one of them."""
    if request.parent is None:
        if request.kept:
            raise Invalid("steps can only be kept from a run: name the parent")
        return None
    parent = run_of(tx, request.parent)
    done = {a.node: len(a.outputs) for a in queries.steps_of(tx, parent.id) if a.is_done}
    for name in request.kept:
        node = next((each for each in request.graph.nodes if each.has_part(name)), None)
        if node is None or done.get(name) != (node.output_count or 1):
            raise Invalid(
                f"the step {name!r} can't be kept: run {parent.id} has no result of it that the "
                "pipeline can use",
                code="no_such_step",
                hint="It returns something else now, perhaps: fork from it, or from a step before it.",
            )
    return parent.id


def bound_datasets(tx: Tx, graph: Graph, given: dict[str, str]) -> dict[str, DatasetVersion]:
    """The versions that a run would read, for other use cases; raises what keeps a run from reading them."""
    wanted = [parameter.name for parameter in graph.parameters if parameter.is_dataset]
    if set(wanted) != set(given):
        raise Invalid(
            f"the pipeline {graph.pipeline} takes the datasets {', '.join(wanted) or '(none)'}; "
            f"it was given {', '.join(sorted(given)) or 'none'}",
            code="wrong_datasets",
            hint="Bind every dataset parameter to a version, and nothing else.",
        )
    versions = {}
    for name, id_ in given.items():
        version = get_dataset_version_by_id(tx, GetDatasetVersionById(id=id_))
        if version.state is not DatasetVersionState.ACCEPTED:
            raise Rejected(
                f"version {version.number} of {version.dataset} failed its checks; no run may read it",
                code="refused_data",
                hint=f"`mainspring data log {version.dataset}` shows the versions that were accepted.",
            )
        versions[name] = version
    return versions


def _track(tx: Tx, run: PipelineRun, versions: dict[str, DatasetVersion]) -> None:
    experiment = ensure_experiment(tx, run.service or run.pipeline)
    tags = {"mainspring.pipeline": run.pipeline, "mainspring.project": run.project}
    if run.service:
        tags["mainspring.service"] = run.service
    create_run(
        tx,
        CreateRun(
            experiment=experiment.id,
            id=run.id,
            name=f"{run.pipeline.rpartition(':')[2]}-{run.id[-6:]}",
            status=RunStatus.SCHEDULED,
            tags=tags,
        ),
    )
    params = {
        name: value if isinstance(value, str) else encode_text(value)
        for name, value in run.params.items()
    }
    log_batch(tx, LogBatch(run=run.id, params=params))
    datasets = tuple(
        DatasetInput(
            name=version.dataset,
            digest=version.manifest,
            source_type="mainspring",
            source=encode_text({"dataset": version.dataset, "number": version.number}),
        )
        for version in versions.values()
    )
    log_inputs(tx, LogInputs(run=run.id, datasets=datasets))
