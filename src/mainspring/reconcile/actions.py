"""What the loops may decide to do. Each says why, with the evidence, in words that end up in the events."""

from dataclasses import dataclass

from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import Finding, IncidentId, IncidentKind, WindowId
from mainspring.domain.rollout import GuardReading, RolloutId
from mainspring.domain.run import RunId


@dataclass(frozen=True, slots=True, kw_only=True)
class StartTraining:
    """Ask for a run of the service's pipeline on the newest accepted data. `inputs` binds parameters."""

    service: str
    inputs: tuple[tuple[str, str], ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterCandidate:
    """Register the model that a run made and evaluated."""

    service: str
    run: RunId
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeCandidate:
    """Hold a candidate to the gates, beside the champion on the same rows."""

    service: str
    version: ModelVersionId
    run: RunId
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginRollout:
    """Start bringing a candidate into service."""

    service: str
    version: ModelVersionId
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Advance:
    """Give a rollout's candidate its next share, or make it champion."""

    rollout: RolloutId
    step_index: int
    readings: tuple[GuardReading, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeBack:
    """End a rollout; the champion gets all of the traffic."""

    rollout: RolloutId
    readings: tuple[GuardReading, ...]
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ShowReadings:
    """Keep what the guards read, for people to see."""

    rollout: RolloutId
    readings: tuple[GuardReading, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseIncident:
    """Open an incident with its evidence."""

    service: str
    kind: IncidentKind
    summary: str
    version: ModelVersionId | None = None
    findings: tuple[Finding, ...] = ()
    windows: tuple[WindowId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveIncident:
    """Close an incident, saying what resolved it."""

    incident: IncidentId
    resolution: str


Action = (
    StartTraining
    | RegisterCandidate
    | JudgeCandidate
    | BeginRollout
    | Advance
    | TakeBack
    | ShowReadings
    | RaiseIncident
    | ResolveIncident
)


def identity(action: Action) -> tuple[str, ...]:
    """What makes two actions the same attempt, whatever words or readings they carry.

    >>> one = ResolveIncident(incident=IncidentId("inc_1"), resolution="a")
    >>> identity(one) == identity(ResolveIncident(incident=IncidentId("inc_1"), resolution="b"))
    True
    """
    match action:
        case StartTraining():
            parts: tuple[object, ...] = (action.service, action.inputs)
        case RegisterCandidate():
            parts = (action.service, action.run)
        case JudgeCandidate() | BeginRollout():
            parts = (action.service, action.version)
        case Advance():
            parts = (action.rollout, action.step_index)
        case TakeBack() | ShowReadings():
            parts = (action.rollout,)
        case RaiseIncident():
            parts = (action.service, action.kind)
        case ResolveIncident():
            parts = (action.incident,)
    return (type(action).__name__, *map(str, parts))


def reason_for(action: Action) -> str:
    """Why an action is taken, in words.

    >>> reason_for(ResolveIncident(incident=IncidentId("inc_1"), resolution="retrained"))
    'retrained'
    """
    match action:
        case ShowReadings():
            return "what the guards read changed"
        case RaiseIncident():
            return action.summary
        case ResolveIncident():
            return action.resolution
        case _:
            return action.why
