"""Versions that no store knows, for tests of files alone."""

from datetime import UTC, datetime
from pathlib import Path

from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.trees import put_folder, put_manifest
from mainspring.domain.dataset import DatasetVersion, DatasetVersionId, DatasetVersionState


def a_version_of(blobs: LocalBlobs, folder: Path) -> DatasetVersion:
    """The files of a folder, stored, as an accepted version."""
    manifest = put_folder(blobs, folder)
    return DatasetVersion(
        id=DatasetVersionId("dsv_test"),
        dataset="data",
        number=1,
        manifest=put_manifest(blobs, manifest),
        state=DatasetVersionState.ACCEPTED,
        file_count=len(manifest.entries),
        size_bytes=manifest.size_bytes,
        row_count=None,
        columns=None,
        profile=None,
        parent=None,
        producer=None,
        note="",
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        created_by="person:tester",
    )
