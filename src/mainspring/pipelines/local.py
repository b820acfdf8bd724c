"""Running a pipeline of a project folder, here and now."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from mainspring.blobs.port import BlobStore
from mainspring.config import Settings
from mainspring.datasets.requests import GetDatasetVersion
from mainspring.domain.dataset import DatasetVersionId
from mainspring.domain.pipeline import Graph, PipelineRun, PipelineRunState
from mainspring.domain.request import Call
from mainspring.domain.run import RunId
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.pipelines.binding import bound_params
from mainspring.pipelines.engine import Watch, Worker
from mainspring.pipelines.environment import store_environment
from mainspring.pipelines.graphs import graph_of
from mainspring.pipelines.requests import CancelRun, RequestRun
from mainspring.pipelines.snapshot import take_snapshot


def request_pipeline(
    call: Call,
    blobs: BlobStore,
    settings: Settings,
    pipeline: str,
    *,
    project: Path,
    data: Mapping[str, str] | None = None,
    params: Mapping[str, object] | None = None,
    service: str | None = None,
    why: str = "",
    verify_cache: float = 0.0,
) -> PipelineRun:
    """Snapshot a project and ask for a run of its pipeline `module:function`; a worker takes it from there.

    `data` maps dataset parameters to dataset names, or `name@number` for a certain version; one that is
    left out is the dataset of the parameter's own name.
    """
    return call(
        request_for(
            call,
            blobs,
            settings,
            pipeline,
            code=take_snapshot(blobs, project),
            data=data,
            params=params,
            service=service,
            why=why,
            verify_cache=verify_cache,
        )
    )


def request_for(
    call: Call,
    blobs: BlobStore,
    settings: Settings,
    pipeline: str,
    *,
    code: Digest,
    data: Mapping[str, str] | None = None,
    params: Mapping[str, object] | None = None,
    service: str | None = None,
    why: str = "",
    verify_cache: float = 0.0,
) -> RequestRun:
    """What to ask for a run of a pipeline of the code snapshot `code`, in the environment that this process has."""
    graph = graph_of(blobs, settings, code, pipeline)
    return RequestRun(
        pipeline=pipeline,
        graph=graph,
        inputs=inputs_of(call, graph, data or {}),
        project=code,
        environment=store_environment(blobs),
        params=dict(params or {}),
        service=service,
        why=why,
        verify_cache=verify_cache,
    )


def drafted_run(
    call: Call,
    blobs: BlobStore,
    settings: Settings,
    pipeline: str,
    *,
    project: Path,
    data: Mapping[str, str] | None = None,
    params: Mapping[str, object] | None = None,
) -> PipelineRun:
    """The run that `request_pipeline` would ask for, recorded nowhere: it has no id."""
    snapshot = take_snapshot(blobs, project)
    graph = graph_of(blobs, settings, snapshot, pipeline)
    inputs = inputs_of(call, graph, data or {})
    return PipelineRun(
        id=RunId(""),
        service=None,
        pipeline=pipeline,
        graph=graph,
        params=bound_params(graph, params or {}),
        inputs={name: DatasetVersionId(id_) for name, id_ in inputs.items()},
        project=snapshot,
        environment=store_environment(blobs),
        state=PipelineRunState.REQUESTED,
        why="",
        requested_at=datetime.now(UTC),
        requested_by="",
    )


def run_pipeline(
    call: Call,
    blobs: BlobStore,
    settings: Settings,
    pipeline: str,
    *,
    project: Path,
    data: Mapping[str, str] | None = None,
    params: Mapping[str, object] | None = None,
    service: str | None = None,
    why: str = "",
    verify_cache: float = 0.0,
    tracking_uri: str | None = None,
    watch: Watch | None = None,
) -> PipelineRun:
    """Ask for a run of a pipeline of a project folder, and carry it out; gives the run once it is over."""
    run = request_pipeline(
        call,
        blobs,
        settings,
        pipeline,
        project=project,
        data=data,
        params=params,
        service=service,
        why=why,
        verify_cache=verify_cache,
    )
    return carry_out(call, blobs, settings, run, tracking_uri=tracking_uri, watch=watch)


def carry_out(
    call: Call,
    blobs: BlobStore,
    settings: Settings,
    run: PipelineRun,
    *,
    tracking_uri: str | None = None,
    watch: Watch | None = None,
) -> PipelineRun:
    """Work on a run that was asked for until it is over, in this process and its children.

    Where another worker was faster to take it, wait for that one. Ctrl-C cancels the run.
    """
    worker = Worker(call, blobs, settings, tracking_uri, watch=watch)
    try:
        return worker.run(run.id)
    except KeyboardInterrupt:
        call(CancelRun(run=run.id))
        raise
    finally:
        worker.close()


def inputs_of(call: Call, graph: Graph, data: Mapping[str, str]) -> dict[str, str]:
    """The ids of the versions that a pipeline's dataset parameters are bound to, by their names."""
    wanted = [parameter.name for parameter in graph.parameters if parameter.is_dataset]
    if unknown := sorted(set(data) - set(wanted)):
        raise Invalid(
            f"the pipeline {graph.pipeline} has no dataset {unknown[0]!r}",
            code="wrong_datasets",
            hint=f"It takes: {', '.join(wanted) or 'none'}.",
        )
    inputs: dict[str, str] = {}
    for parameter in wanted:
        name, _, number = data.get(parameter, parameter).partition("@")
        if number and not number.isdecimal():
            raise Invalid(f"{data[parameter]!r} names no dataset version", hint="Write name@3.")
        try:
            version = call(GetDatasetVersion(dataset=name, number=int(number) if number else None))
        except MainspringError as error:
            error.where = error.where or f"the dataset parameter {parameter!r}"
            raise
        inputs[parameter] = version.id
    return inputs
