"""Events: what happened, in the past tense. One row each, committed with the change it tells of.

The events are the audit log's detail, the lineage graph's edges, the timeline of the pages and what loops
and live pages wait for. A class's fields are the event's evidence; `why` is one sentence for people.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from mainspring.kernel.codec import to_plain


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """The root of all events. `subject` names the field that holds the id of what it is about."""

    subject: ClassVar[str] = ""

    service: str | None = None
    why: str = ""

    @property
    def subject_id(self) -> str:
        return str(getattr(self, type(self).subject))

    def payload(self) -> dict[str, object]:
        """The fields as plain values, without `service` and `why`, which have columns of their own."""
        plain = to_plain(self)
        return {key: value for key, value in plain.items() if key not in ("service", "why")}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event as it was recorded. `seq` grows with every event of the store."""

    seq: int
    id: str
    at: datetime
    type: str
    service: str | None
    subject: str
    actor: str
    operation: str
    why: str
    payload: dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceApplied(Event):
    subject: ClassVar[str] = "name"
    name: str
    digest: str
    project: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePaused(Event):
    subject: ClassVar[str] = "name"
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceResumed(Event):
    subject: ClassVar[str] = "name"
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersionAdded(Event):
    subject: ClassVar[str] = "version"
    dataset: str
    number: int
    version: str
    manifest: str
    row_count: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersionRefused(Event):
    subject: ClassVar[str] = "version"
    dataset: str
    number: int
    version: str
    report: str
    failed_checks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetVersionRemoved(Event):
    """A version's bytes are needed no more; `used_by` are the registered models that were made from it."""

    subject: ClassVar[str] = "version"
    dataset: str
    number: int
    version: str
    manifest: str
    used_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAdded(Event):
    subject: ClassVar[str] = "remote"
    remote: str
    url: str
    endpoint: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteRemoved(Event):
    subject: ClassVar[str] = "remote"
    remote: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReportRecorded(Event):
    """A version was checked; a refusal on arrival is told by `DatasetVersionRefused` instead."""

    subject: ClassVar[str] = "version"
    dataset: str
    number: int
    version: str
    report: str
    passed: bool
    failed_checks: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowsQuarantined(Event):
    """Rows of a delivery failed checks that keep single rows out; the others became the version."""

    subject: ClassVar[str] = "quarantine"
    dataset: str
    number: int
    version: str
    quarantine: str
    row_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineReleased(Event):
    subject: ClassVar[str] = "quarantine"
    dataset: str
    quarantine: str
    version: str
    row_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuarantineDiscarded(Event):
    subject: ClassVar[str] = "quarantine"
    dataset: str
    quarantine: str
    row_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SchemaAccepted(Event):
    subject: ClassVar[str] = "dataset"
    dataset: str
    number: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRequested(Event):
    subject: ClassVar[str] = "run"
    run: str
    pipeline: str
    inputs: dict[str, str]
    trigger: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerChanged(Event):
    """A trigger was declared, changed, paused, resumed, deleted or given a secret."""

    subject: ClassVar[str] = "trigger"
    trigger: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitChanged(Event):
    """A limit on steps that use something was set or removed."""

    subject: ClassVar[str] = "limit"
    limit: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillChanged(Event):
    """A backfill was asked for, paused, resumed or cancelled, or has finished."""

    subject: ClassVar[str] = "backfill"
    backfill: str
    pipeline: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerCalled(Event):
    """Somebody, or a webhook, gave a trigger a reason to run."""

    subject: ClassVar[str] = "trigger"
    trigger: str
    kind: str
    cause: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted(Event):
    subject: ClassVar[str] = "run"
    run: str
    holder: str
    resumed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StepFinished(Event):
    subject: ClassVar[str] = "run"
    run: str
    node: str
    attempt: int
    state: str
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitDecided(Event):
    """Somebody said yes or no to what a run waits for."""

    subject: ClassVar[str] = "run"
    run: str
    node: str
    approved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunParked(Event):
    """A run has nothing to do but to wait; its worker gave it up."""

    subject: ClassVar[str] = "run"
    run: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFinished(Event):
    subject: ClassVar[str] = "run"
    run: str
    state: str
    error: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelRegistered(Event):
    subject: ClassVar[str] = "model"
    model: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelVersionRegistered(Event):
    subject: ClassVar[str] = "version"
    model: str
    number: int
    version: str
    run: str | None
    manifest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GatesEvaluated(Event):
    subject: ClassVar[str] = "version"
    version: str
    passed: bool
    results: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSigned(Event):
    subject: ClassVar[str] = "version"
    model: str
    number: int
    version: str
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AliasMoved(Event):
    subject: ClassVar[str] = "model"
    model: str
    alias: str
    to: int | None
    previous: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryTagged(Event):
    """A tag of a model, or of one version of it, was set, or removed if there is no value."""

    subject: ClassVar[str] = "model"
    model: str
    key: str
    value: str | None
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMoved(Event):
    """A version came to a stage of MLflow's older clients; others of that stage may have been archived."""

    subject: ClassVar[str] = "model"
    model: str
    number: int
    stage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookChanged(Event):
    """A webhook was made, changed or deleted."""

    subject: ClassVar[str] = "webhook"
    webhook: str
    name: str
    what: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryDeleted(Event):
    """A model, or one version of it, was deleted from the registry."""

    subject: ClassVar[str] = "model"
    model: str
    number: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalGiven(Event):
    subject: ClassVar[str] = "version"
    version: str
    approved: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutStarted(Event):
    subject: ClassVar[str] = "rollout"
    rollout: str
    candidate: str
    champion: str | None
    strategy: str
    share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutAdvanced(Event):
    subject: ClassVar[str] = "rollout"
    rollout: str
    candidate: str
    share: float
    readings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutRolledBack(Event):
    subject: ClassVar[str] = "rollout"
    rollout: str
    candidate: str
    readings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChampionChanged(Event):
    subject: ClassVar[str] = "version"
    model: str
    version: str
    previous: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentOpened(Event):
    subject: ClassVar[str] = "incident"
    incident: str
    kind: str
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IncidentClosed(Event):
    subject: ClassVar[str] = "incident"
    incident: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowJudged(Event):
    """A window's findings changed: it closed, or labels came."""

    subject: ClassVar[str] = "window"
    window: str
    start: str
    findings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenIssued(Event):
    subject: ClassVar[str] = "token"
    token: str
    name: str
    role: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRevoked(Event):
    subject: ClassVar[str] = "token"
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackingChanged(Event):
    """An experiment or a tracked run was made, renamed, ended, deleted or restored."""

    subject: ClassVar[str] = "id"
    id: str
    what: str
