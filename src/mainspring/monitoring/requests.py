"""What can be asked of monitoring."""

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from msgspec import Meta

from mainspring.domain.evaluation import Reference
from mainspring.domain.monitor import Finding, Incident, IncidentKind, Window
from mainspring.domain.prediction import Label, Prediction
from mainspring.domain.request import Request


class ListWindows(Request[tuple[Window, ...]], frozen=True, kw_only=True):
    """Windows of a service, newest first."""

    service: str
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    since: datetime | None = None


class OpenIncident(Request[Incident], frozen=True, kw_only=True):
    """Open an incident with its evidence; one of this kind that is open already is given back as it is."""

    service: str
    kind: IncidentKind
    summary: str
    version: str | None = None
    findings: tuple[Finding, ...] = ()
    windows: tuple[str, ...] = ()


class CloseIncident(Request[Incident], frozen=True, kw_only=True):
    """Close an incident, saying what resolved it."""

    incident: str
    resolution: str


class ListIncidents(Request[tuple[Incident, ...]], frozen=True, kw_only=True):
    """Incidents, newest first; of one service, or only the open ones."""

    service: str | None = None
    open_only: bool = False
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100


class GetIncident(Request[Incident], frozen=True, kw_only=True):
    """One incident."""

    incident: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a service's monitoring has come.

    `cursors` maps segments of the prediction log to the offsets read up to; `label_number` is the newest
    version of the label dataset that was read; `due_count` how many windows wait to be judged.
    """

    cursors: dict[str, int]
    label_number: int
    due_count: int


class GetProgress(Request[Progress], frozen=True, kw_only=True):
    """How far a service's prediction log and label dataset have been read, and what waits to be judged."""

    service: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What came of records: how many were new, and how many labels found their prediction."""

    prediction_count: int
    duplicate_count: int
    joined_count: int
    pending_count: int


class RecordPredictions(Request[Recorded], frozen=True, kw_only=True):
    """Add records of the prediction log to the windows, exactly once.

    The records are those of `segment` between two offsets. Raises `Conflict` (code `cursor_moved`) if the
    segment was read on meanwhile. `references` holds the reference of each version that has one.
    """

    service: str
    segment: str
    from_offset: int
    to_offset: int
    predictions: tuple[Prediction, ...] = ()
    labels: tuple[Label, ...] = ()
    references: dict[str, Reference] = {}


class RecordLabels(Request[Recorded], frozen=True, kw_only=True):
    """Join labels from a dataset's version to the predictions of their keys.

    Labels of rows that were never predicted are left out. The version counts as read when `is_last` is
    said; until then the same labels may come again.
    """

    service: str
    dataset: str
    number: int
    labels: tuple[Label, ...]
    references: dict[str, Reference] = {}
    is_last: bool = True


class JudgeWindows(Request[tuple[Window, ...]], frozen=True, kw_only=True):
    """Close the windows whose time has passed and say what is not as expected in them.

    Gives back the windows whose findings were made anew.
    """

    service: str


class ForgetPredictions(Request[int], frozen=True, kw_only=True):
    """Stop waiting for labels of predictions that happened before an instant; gives back how many."""

    service: str
    before: datetime
