"""What changed between two versions."""

from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import read_manifest
from mainspring.domain.dataset import DatasetDiff, DatasetVersion, FileChange
from mainspring.kernel.digests import Digest


def diff(blobs: BlobStore, before: DatasetVersion, after: DatasetVersion) -> DatasetDiff:
    """Files added, removed and changed, and how rows and columns differ; only manifests are read."""
    old, new = _files(blobs, before.manifest), _files(blobs, after.manifest)
    types_before = {column.name: column.type for column in before.columns or ()}
    types_after = {column.name: column.type for column in after.columns or ()}
    row_count_change = None
    if before.row_count is not None and after.row_count is not None:
        row_count_change = after.row_count - before.row_count
    return DatasetDiff(
        before=before,
        after=after,
        files=tuple(
            FileChange(path=path, before=old.get(path), after=new.get(path))
            for path in sorted(old.keys() | new.keys())
            if old.get(path) != new.get(path)
        ),
        row_count_change=row_count_change,
        columns_added=tuple(name for name in types_after if name not in types_before),
        columns_removed=tuple(name for name in types_before if name not in types_after),
        columns_retyped=tuple(
            name
            for name, type_ in types_before.items()
            if name in types_after and types_after[name] is not type_
        ),
    )


def _files(blobs: BlobStore, manifest: Digest) -> dict[str, Digest]:
    return {entry.path: entry.digest for entry in read_manifest(blobs, manifest).entries}
