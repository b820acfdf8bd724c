"""What can be asked of datasets."""

from datetime import datetime
from typing import Annotated

from msgspec import Meta

from mainspring.domain.dataset import (
    Column,
    Dataset,
    DatasetVersion,
    DatasetVersionState,
    Remote,
)
from mainspring.domain.request import Request
from mainspring.kernel.digests import Digest

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"

Name = Annotated[str, Meta(min_length=1, max_length=200, pattern=NAME_PATTERN)]
"""Letters, digits, `_`, `.` and `-`; it may stand in a URL, a path and a shell."""


class AddDatasetVersion(Request[DatasetVersion], frozen=True, kw_only=True):
    """Record a version whose manifest and files are stored already.

    The same manifest as the newest accepted version gives that version back and changes nothing.
    """

    dataset: Name
    manifest: Digest
    file_count: int
    size_bytes: int
    row_count: int | None = None
    columns: tuple[Column, ...] | None = None
    profile: Digest | None = None
    state: DatasetVersionState = DatasetVersionState.ACCEPTED
    producer: str | None = None
    note: str = ""


class RemoveDatasetVersion(Request[DatasetVersion], frozen=True, kw_only=True):
    """Let go of a version's files: the next sweep deletes what nothing else needs, the record stays.

    Refused while a run is reading it, and for data that a registered model was made from unless
    `although_used` says so: such a model can't be made again.
    """

    dataset: str
    number: int
    why: str = ""
    although_used: bool = False


class ListDatasets(Request[tuple[Dataset, ...]], frozen=True, kw_only=True):
    """Every dataset with its newest accepted version, by name."""


class ListDatasetVersions(Request[tuple[DatasetVersion, ...]], frozen=True, kw_only=True):
    """The versions of a dataset, newest first, refused ones included."""

    dataset: str
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 100


class GetDatasetVersion(Request[DatasetVersion], frozen=True, kw_only=True):
    """One version by number; the newest accepted one if no number is given.

    With `known_at` it is the one that was the newest accepted at that moment.
    """

    dataset: str
    number: int | None = None
    known_at: datetime | None = None


class GetDatasetVersionById(Request[DatasetVersion], frozen=True, kw_only=True):
    """One version by its id."""

    id: str


class AddRemote(Request[Remote], frozen=True, kw_only=True):
    """Name a place that versions are pushed to and pulled from; the same name again replaces its address.

    Credentials are no part of it: whoever pushes or pulls has their own.
    """

    name: Name
    url: Annotated[str, Meta(max_length=2000)]
    endpoint: Annotated[str, Meta(max_length=2000)] = ""


class ListRemotes(Request[tuple[Remote, ...]], frozen=True, kw_only=True):
    """Every remote, by name."""


class RemoveRemote(Request[None], frozen=True, kw_only=True):
    """Forget a remote; nothing on it is touched."""

    name: str
