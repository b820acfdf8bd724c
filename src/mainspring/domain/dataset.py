"""Datasets: named, and versioned by the content of their files."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NewType

import msgspec

from mainspring.domain.data_type import DataType
from mainspring.kernel.digests import Digest

DatasetVersionId = NewType("DatasetVersionId", str)


class DatasetVersionState(StrEnum):
    ACCEPTED = "accepted"
    """Passed its checks, or there were none; runs may read it."""
    REFUSED = "refused"
    """Failed a blocking check; kept for people to look at, never read by a run."""
    REMOVED = "removed"
    """Was one of the others; its record is kept, its bytes are not once a sweep came by."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestEntry:
    """One file of a tree: its path relative to the root, in POSIX form, and its bytes' digest."""

    path: str
    digest: Digest
    size_bytes: int


class Manifest(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A tree of files by content, sorted by path. Its own digest names the whole tree.

    `empty_folders` are those that hold nothing at all; a tree without any is written as if there were no such
    field, so that its digest stays what it was.
    """

    entries: tuple[ManifestEntry, ...]
    empty_folders: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int:
        return sum(entry.size_bytes for entry in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A column of a table as it was found."""

    name: str
    type: DataType


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersion:
    """One immutable state of a dataset.

    `row_count` and `columns` are None for files that are not tables. `producer` is the run that made it,
    or None if a person or a delivery did.
    """

    id: DatasetVersionId
    dataset: str
    number: int
    manifest: Digest
    state: DatasetVersionState
    file_count: int
    size_bytes: int
    row_count: int | None
    columns: tuple[Column, ...] | None
    profile: Digest | None
    parent: DatasetVersionId | None
    producer: str | None
    note: str
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dataset:
    """A name under which versions of the same data are kept, with its newest accepted version."""

    name: str
    created_at: datetime
    version_count: int
    latest: DatasetVersion | None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """One line of a diff between two manifests; a digest is None where the file is absent."""

    path: str
    before: Digest | None
    after: Digest | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetDiff:
    """What changed between two versions."""

    before: DatasetVersion
    after: DatasetVersion
    files: tuple[FileChange, ...]
    row_count_change: int | None
    columns_added: tuple[str, ...]
    columns_removed: tuple[str, ...]
    columns_retyped: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """A place that versions are pushed to and pulled from, such as `s3://bucket/prefix`.

    `endpoint` is the address of a server that speaks like S3; empty means Amazon's.
    """

    name: str
    url: str
    endpoint: str
    added_at: datetime
    added_by: str
