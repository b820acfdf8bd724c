"""What can be asked of quality."""

from mainspring.domain.check import CheckReport, StoredCheckReport
from mainspring.domain.request import Request
from mainspring.domain.schema import StoredSchema


class AcceptSchema(Request[StoredSchema], frozen=True, kw_only=True):
    """Put a schema in force for a dataset; the same text again changes nothing.

    `toml` is the text of a schema file, which must parse and name this dataset.
    """

    dataset: str
    toml: str


class GetSchema(Request[StoredSchema | None], frozen=True, kw_only=True):
    """The schema in force for a dataset, or None."""

    dataset: str


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
    limit: int = 100
