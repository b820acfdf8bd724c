"""Putting together what a step's process is told: where each argument comes from, and how it may work."""

from collections.abc import Mapping
from pathlib import Path

from mainspring.config import Settings
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.pipeline import Node, PipelineRun, StoredValue
from mainspring.domain.times import Times
from mainspring.pipelines.plan import Part, picked
from mainspring.pipelines.task import Argument, Kept, KeptDataset, KeptList, Plain, Task

# Libraries would each take every core, whatever else runs beside them.
_THREADS = ("POLARS_MAX_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def task_for(
    part: Part,
    attempt: int,
    *,
    items: Mapping[str, Argument],
    run: PipelineRun,
    done: Mapping[str, tuple[StoredValue, ...]],
    versions: Mapping[str, DatasetVersion],
    times: Mapping[str, Times],
    project: Path,
    settings: Settings,
    environment: dict[str, str],
) -> Task:
    """The task of one attempt at a step whose upstream is `done`; `items` are its mapped arguments."""
    node = part.node
    return Task(
        run=run.id,
        node=part.id,
        step=node.step,
        attempt=attempt,
        arguments={**_arguments(node, run, done, versions, times), **items},
        output_count=node.output_count,
        cpus=node.cpus,
        project=str(project),
        scratch=str(settings.work_path / "steps" / run.id / f"{part.id}-{attempt}"),
        checkpoint=str(checkpoints_of(settings, run.id) / part.id),
        blobs=str(settings.blobs_path),
        environment=environment,
    )


def checkpoints_of(settings: Settings, run: str) -> Path:
    """Where the steps of a run leave what outlives their attempts."""
    return settings.work_path / "checkpoints" / run


def threads(node: Node) -> dict[str, str]:
    """Variables that keep a step's libraries to its share of the machine."""
    return dict.fromkeys(_THREADS, str(node.cpus))


def _arguments(
    node: Node,
    run: PipelineRun,
    done: Mapping[str, tuple[StoredValue, ...]],
    versions: Mapping[str, DatasetVersion],
    times: Mapping[str, Times],
) -> dict[str, Argument]:
    arguments: dict[str, Argument] = {}
    for name, output in node.node_outputs.items():
        arguments[name] = Kept(picked(done, output.node, output.index))
    for name, outputs in node.node_lists.items():
        arguments[name] = KeptList(tuple(picked(done, o.node, o.index) for o in outputs))
    for name, dataset in node.datasets.items():
        version = versions[dataset.parameter]
        arguments[name] = KeptDataset(
            version.dataset, version.number, version.manifest, times.get(dataset.parameter)
        )
    for name, parameter in node.parameters.items():
        arguments[name] = Plain(run.params[parameter.parameter])
    for name, constant in node.constants.items():
        arguments[name] = Plain(constant.value)
    return arguments
