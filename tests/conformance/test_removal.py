"""Letting go of a version's bytes, on both databases."""

from pathlib import Path

import polars as pl
import pytest

from mainspring.app import App
from mainspring.blobs.sweep import Sweep
from mainspring.blobs.trees import put_manifest
from mainspring.cli.bytes_in_use import walk
from mainspring.datasets.requests import (
    GetDatasetVersion,
    ListDatasetVersions,
    RemoveDatasetVersion,
)
from mainspring.domain.dataset import DatasetVersionState, Manifest, ManifestEntry
from mainspring.governance.requests import ListEvents
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.pipelines.requests import CancelRun
from mainspring.quality.intake import add_data
from mainspring.registry.requests import RegisterModelVersion
from mainspring.testing.flows import Flow


def test_a_removed_version_keeps_its_record_and_loses_its_bytes(any_app: App) -> None:
    first = add_data(any_app.call, any_app.blobs, "rides", pl.DataFrame({"a": [1]})).version
    second = add_data(any_app.call, any_app.blobs, "rides", pl.DataFrame({"a": [2]})).version

    removed = any_app.call(RemoveDatasetVersion(dataset="rides", number=2, why="taken by mistake"))
    again = any_app.call(RemoveDatasetVersion(dataset="rides", number=2))

    assert removed == again
    assert removed.state is DatasetVersionState.REMOVED
    assert any_app.call(GetDatasetVersion(dataset="rides")) == first
    assert [v.number for v in any_app.call(ListDatasetVersions(dataset="rides"))] == [2, 1]
    told = any_app.call(ListEvents(type="DatasetVersionRemoved")).items
    assert [each.why for each in told] == ["taken by mistake"]
    Sweep(any_app.blobs, set(walk(any_app).needed), before=float("inf")).run(delete=True)
    assert any_app.blobs.exists(first.manifest)
    assert not any_app.blobs.exists(second.manifest)
    assert walk(any_app).problems == []


def test_what_does_not_exist_is_not_removed(any_app: App) -> None:
    with pytest.raises(NotFound):
        any_app.call(RemoveDatasetVersion(dataset="rides", number=1))


def test_data_that_made_a_model_is_removed_only_if_that_is_meant(
    any_app: App, tmp_path: Path
) -> None:
    add_data(any_app.call, any_app.blobs, "rides", pl.DataFrame({"a": [1]}))
    flow = Flow(any_app, tmp_path / "project")
    flow.write(
        """
        @ms.step
        def count(data):
            return data.read().height

        @ms.pipeline
        def flow(rides: ms.Dataset):
            return count(rides)
        """
    )
    waiting = flow.request(data={"rides": "rides"})
    with pytest.raises(Conflict, match=f"is being read by run {waiting.id}"):
        any_app.call(RemoveDatasetVersion(dataset="rides", number=1))
    any_app.call(CancelRun(run=waiting.id))
    run = flow.run(data={"rides": "rides"})
    blob = any_app.blobs.put_bytes(b"model")
    manifest = put_manifest(
        any_app.blobs,
        Manifest(entries=(ManifestEntry(path="model", digest=blob, size_bytes=5),)),
    )
    any_app.call(RegisterModelVersion(model="demand", manifest=manifest, run=run.id))

    with pytest.raises(Conflict, match="made demand/1"):
        any_app.call(RemoveDatasetVersion(dataset="rides", number=1, although_used=False))

    removed = any_app.call(RemoveDatasetVersion(dataset="rides", number=1, although_used=True))
    assert removed.state is DatasetVersionState.REMOVED
