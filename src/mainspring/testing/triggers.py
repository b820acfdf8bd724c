"""Factories of triggers and of what happens for them: each makes one valid thing and takes what differs."""

from typing import Any

from mainspring.app import App
from mainspring.blobs.trees import put_manifest
from mainspring.datasets.requests import AddDatasetVersion
from mainspring.domain.dataset import DatasetVersion, Manifest, ManifestEntry
from mainspring.domain.pipeline import (
    Graph,
    Node,
    PipelineParameter,
    PipelineRun,
    PipelineRunState,
)
from mainspring.domain.trigger import Cause, CauseKind, Source, Trigger, TriggerSpec, TriggerStatus
from mainspring.kernel.schedules import parse_schedule
from mainspring.pipelines.requests import FinishRun, TakeRun
from mainspring.triggers.requests import (
    ApplyTrigger,
    CollectCauses,
    FireTrigger,
    GetTrigger,
    ListCauses,
)


def a_graph(*datasets: str, **parameters: object) -> Graph:
    """The graph of `flow:flow`: one step, the datasets and parameters (with their defaults) that are given."""
    return Graph(
        pipeline="flow:flow",
        parameters=(
            *(PipelineParameter(name=name, is_dataset=True) for name in datasets),
            *(
                PipelineParameter(name=name, is_dataset=False, has_default=True, default=default)
                for name, default in parameters.items()
            ),
        ),
        nodes=(
            Node(
                id="work",
                step="flow:work",
                node_outputs={},
                datasets={},
                parameters={},
                constants={},
            ),
        ),
        outputs=(),
    )


def on_schedule(text: str) -> Source:
    """A source that is a schedule."""
    return Source(kind=CauseKind.SCHEDULE, schedule=parse_schedule(text))


def on_data(dataset: str) -> Source:
    """A source that is a dataset's new versions."""
    return Source(kind=CauseKind.DATA, subject=dataset)


def a_trigger(
    app: App, *on: Source, graph: Graph | None = None, name: str = "nightly", **differing: Any
) -> Trigger:
    """A declared trigger of `flow:flow`."""
    return app.call(
        ApplyTrigger(
            spec=TriggerSpec(name=name, pipeline="flow:flow", on=on, **differing),
            graph=graph or a_graph(),
            project=app.blobs.put_bytes(b"project"),
            environment=app.blobs.put_bytes(b"environment"),
        )
    )


def data_arrives(app: App, number: int, dataset: str = "rides") -> DatasetVersion:
    """A new version of a dataset, told apart by a number."""
    content = f"{dataset} {number}".encode()
    file = ManifestEntry(path="a.csv", digest=app.blobs.put_bytes(content), size_bytes=len(content))
    manifest = put_manifest(app.blobs, Manifest(entries=(file,)))
    return app.call(
        AddDatasetVersion(dataset=dataset, manifest=manifest, file_count=1, size_bytes=len(content))
    )


def status_of(app: App, name: str = "nightly") -> TriggerStatus:
    """How a trigger is now."""
    return app.call(GetTrigger(name=name))


def collected(app: App, name: str = "nightly") -> int:
    """Look at all that a trigger has not looked at; gives how many causes are new."""
    count = 0
    while status_of(app, name).has_news:
        count += app.call(CollectCauses(name=name))
    return count


def fired(app: App, name: str = "nightly") -> PipelineRun | None:
    """Look, and ask for the run that is due, if one is."""
    collected(app, name)
    return app.call(FireTrigger(name=name))


def ended(
    app: App, run: PipelineRun, state: PipelineRunState = PipelineRunState.SUCCEEDED
) -> PipelineRun:
    """The run after a worker took and ended it."""
    lease = app.call(TakeRun(holder="worker", run=run.id))
    assert lease is not None
    return app.call(FinishRun(lease=lease, state=state))


def causes(app: App, **which: Any) -> list[Cause]:
    """All causes of a trigger or run, oldest first."""
    found: list[Cause] = []
    token = None
    while True:
        page = app.call(ListCauses(limit=1000, page_token=token, **which))
        found += page.items
        token = page.next_token
        if token is None:
            return found[::-1]
