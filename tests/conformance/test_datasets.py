"""Datasets on both databases."""

import threading
from datetime import UTC, datetime

import pytest

from mainspring.app import App
from mainspring.blobs.trees import put_manifest
from mainspring.datasets.requests import (
    AddDatasetVersion,
    GetDatasetVersion,
    GetDatasetVersionById,
    ListDatasets,
    ListDatasetVersions,
)
from mainspring.domain.data_type import DataType
from mainspring.domain.dataset import (
    Column,
    DatasetVersion,
    DatasetVersionState,
    Manifest,
    ManifestEntry,
)
from mainspring.domain.event import DatasetVersionAdded, DatasetVersionRefused
from mainspring.governance.requests import ListAuditEntries
from mainspring.kernel.digests import Digest, digest_bytes
from mainspring.kernel.errors import Corrupt, Invalid, NotFound
from mainspring.takeover.requests import TakeOverDatasetVersion
from mainspring.testing.apps import emitted

REFUSED = DatasetVersionState.REFUSED


def a_manifest(app: App, content: str) -> Digest:
    """A tree of one file."""
    digest = app.blobs.put_bytes(content.encode())
    entry = ManifestEntry(path="data.csv", digest=digest, size_bytes=len(content))
    return put_manifest(app.blobs, Manifest(entries=(entry,)))


def add(
    app: App, content: str, *, state: DatasetVersionState = DatasetVersionState.ACCEPTED
) -> DatasetVersion:
    return app.call(
        AddDatasetVersion(
            dataset="rides",
            manifest=a_manifest(app, content),
            file_count=1,
            size_bytes=len(content),
            row_count=3,
            columns=(Column(name="x", type=DataType.FLOAT),),
            state=state,
            note="first year",
        )
    )


def test_versions_are_numbered_and_know_their_parent(any_app: App) -> None:
    first, second = add(any_app, "1"), add(any_app, "2")

    assert (first.number, second.number) == (1, 2)
    assert (first.parent, second.parent) == (None, first.id)
    assert any_app.call(GetDatasetVersionById(id=second.id)) == second
    assert any_app.call(GetDatasetVersion(dataset="rides", number=1)) == first
    assert any_app.call(ListDatasetVersions(dataset="rides")) == (second, first)
    assert [event.payload["number"] for event in emitted(any_app, DatasetVersionAdded)] == [1, 2]


def test_the_same_content_again_changes_nothing(any_app: App) -> None:
    first = add(any_app, "1")

    assert add(any_app, "1") == first
    assert len(emitted(any_app, DatasetVersionAdded)) == 1


def test_content_that_comes_back_after_another_is_a_new_version(any_app: App) -> None:
    for content in ("1", "2", "1"):
        add(any_app, content)

    assert any_app.call(GetDatasetVersion(dataset="rides")).number == 3


def test_a_refused_version_is_kept_but_never_the_latest(any_app: App) -> None:
    first = add(any_app, "1")
    refused = add(any_app, "2", state=REFUSED)
    again = add(any_app, "2", state=REFUSED)
    accepted = add(any_app, "2")

    assert again == refused
    assert (refused.number, accepted.number) == (2, 3)
    assert accepted.parent == first.id
    dataset = any_app.call(ListDatasets())[0]
    assert (dataset.version_count, dataset.latest) == (3, accepted)
    assert len(emitted(any_app, DatasetVersionRefused)) == 1


def test_a_dataset_of_refused_versions_has_no_latest(any_app: App) -> None:
    add(any_app, "1", state=REFUSED)

    assert any_app.call(ListDatasets())[0].latest is None
    with pytest.raises(NotFound, match="no version of 'rides' was accepted"):
        any_app.call(GetDatasetVersion(dataset="rides"))


def test_bytes_that_are_not_stored_are_refused_and_audited(any_app: App) -> None:
    with pytest.raises(NotFound, match="no bytes"):
        any_app.call(
            AddDatasetVersion(
                dataset="rides", manifest=digest_bytes(b"never"), file_count=1, size_bytes=1
            )
        )

    assert any_app.call(ListDatasets()) == ()
    assert any_app.call(ListAuditEntries()).items[0].outcome == "not_found"


def test_a_manifest_that_names_what_is_not_stored_is_refused(any_app: App) -> None:
    entry = ManifestEntry(path="deep/a.csv", digest=digest_bytes(b"never"), size_bytes=5)
    manifest = put_manifest(any_app.blobs, Manifest(entries=(entry,)))

    with pytest.raises(NotFound, match=r"1 files that are not stored, deep/a\.csv first"):
        any_app.call(
            AddDatasetVersion(dataset="rides", manifest=manifest, file_count=1, size_bytes=5)
        )
    assert any_app.call(ListDatasets()) == ()


def test_a_version_from_elsewhere_needs_its_files_too(any_app: App) -> None:
    entry = ManifestEntry(path="a.csv", digest=digest_bytes(b"never"), size_bytes=5)
    manifest = put_manifest(any_app.blobs, Manifest(entries=(entry,)))

    with pytest.raises(NotFound, match=r"1 files that are not stored, a\.csv first"):
        any_app.call(
            TakeOverDatasetVersion(
                dataset="rides",
                origin="git:0123456",
                manifest=manifest,
                file_count=1,
                size_bytes=5,
                created_at=datetime(2026, 1, 1, tzinfo=UTC),
                created_by="somebody",
            )
        )
    assert any_app.call(ListDatasets()) == ()


def test_bytes_that_are_no_manifest_are_refused(any_app: App) -> None:
    with pytest.raises(Corrupt, match="is not a manifest"):
        any_app.call(
            AddDatasetVersion(
                dataset="rides",
                manifest=any_app.blobs.put_bytes(b"no manifest"),
                file_count=1,
                size_bytes=11,
            )
        )


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "x" * 201, "x\n"])
def test_a_name_that_could_do_harm_is_refused(any_app: App, name: str) -> None:
    manifest = any_app.blobs.put_bytes(b"1")

    with pytest.raises(Invalid, match="can't name a dataset"):
        any_app.call(AddDatasetVersion(dataset=name, manifest=manifest, file_count=1, size_bytes=1))


def test_what_is_not_there_is_said_to_be_missing(any_app: App) -> None:
    with pytest.raises(NotFound, match="no dataset 'rides'"):
        any_app.call(ListDatasetVersions(dataset="rides"))
    with pytest.raises(NotFound, match="no dataset version"):
        any_app.call(GetDatasetVersionById(id="dsv_x"))
    add(any_app, "1")
    with pytest.raises(NotFound, match="no version 7; its newest is 1"):
        any_app.call(GetDatasetVersion(dataset="rides", number=7))


def test_additions_at_once_get_numbers_of_their_own(any_app: App) -> None:
    threads = [threading.Thread(target=add, args=(any_app, str(n))) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    versions = any_app.call(ListDatasetVersions(dataset="rides"))
    assert [version.number for version in versions] == [8, 7, 6, 5, 4, 3, 2, 1]
