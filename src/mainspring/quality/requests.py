"""What can be asked of quality."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from mainspring.datasets.requests import Name
from mainspring.domain.check import CheckReport, StoredCheckReport
from mainspring.domain.dataset import Column, DatasetVersion
from mainspring.domain.quarantine import Quarantine, QuarantineState
from mainspring.domain.request import Request
from mainspring.domain.schema import StoredSchema
from mainspring.kernel.digests import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What became of delivered data. `is_new` is false if the same was there already."""

    version: DatasetVersion
    report: StoredCheckReport | None
    is_new: bool
    quarantine: Quarantine | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptApart:
    """Rows that a delivery leaves out: their stored table, how many there are, and how many for which reason."""

    manifest: Digest
    row_count: int
    reasons: dict[str, int]


class Deliver(Request[Delivery], frozen=True, kw_only=True):
    """Record a version together with the report that judged it: accepted only if no blocking check failed.

    The manifest, its files and the profile must be stored before.
    """

    dataset: Name
    manifest: Digest
    file_count: int
    size_bytes: int
    row_count: int | None = None
    columns: tuple[Column, ...] | None = None
    profile: Digest | None = None
    report: CheckReport | None = None
    producer: str | None = None
    note: str = ""
    kept_apart: KeptApart | None = None


class AcceptSchema(Request[StoredSchema], frozen=True, kw_only=True):
    """Put a schema in force for a dataset; the same text with the same code again changes nothing.

    `toml` is the text of a schema file, which must parse and name this dataset. `code` is the stored tree of the files
    that hold its own checks, which must be there if it names any.
    """

    dataset: str
    toml: str
    code: Digest | None = None


class GetSchema(Request[StoredSchema | None], frozen=True, kw_only=True):
    """The schema in force for a dataset, now or at a moment; nothing if there was none."""

    dataset: str
    at: datetime | None = None


class RecordCheckReport(Request[StoredCheckReport], frozen=True, kw_only=True):
    """Keep the report of checks of a dataset version."""

    version: str
    report: CheckReport


class GetCheckReport(Request[StoredCheckReport | None], frozen=True, kw_only=True):
    """The newest report on a dataset version, or None if it was never checked."""

    version: str


class ListCheckReports(Request[tuple[StoredCheckReport, ...]], frozen=True, kw_only=True):
    """Reports on a dataset's versions, newest first."""

    dataset: str
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 100


class ListQuarantines(Request[tuple[Quarantine, ...]], frozen=True, kw_only=True):
    """Rows that were kept out of versions of a dataset, or of any, newest first."""

    dataset: str | None = None
    state: QuarantineState | None = None
    limit: Annotated[int, Meta(ge=1, le=10_000)] = 100


class GetQuarantine(Request[Quarantine], frozen=True, kw_only=True):
    """One set of rows that were kept out."""

    id: str


class ReleaseQuarantine(Request[Quarantine], frozen=True, kw_only=True):
    """Let rows in that were kept out: the version that has them too, whose files are stored before.

    Only while the version that they were kept out of is the newest accepted one.
    """

    id: str
    manifest: Digest
    file_count: int
    size_bytes: int
    row_count: int
    columns: tuple[Column, ...]
    profile: Digest | None = None
    note: str = ""


class DiscardQuarantine(Request[Quarantine], frozen=True, kw_only=True):
    """Decide that rows stay out; they are kept to look at."""

    id: str
    note: str = ""
