"""What can be asked of serving's control side; predictions themselves take the path in `api/oip`."""

from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from mainspring.domain.model import ModelVersion, ModelVersionId
from mainspring.domain.request import Request
from mainspring.domain.rollout import Deployment, GuardReading, Rollout, ServingReport
from mainspring.domain.service import ServicePolicy


class StartRollout(Request[Rollout], frozen=True, kw_only=True):
    """Start bringing a candidate into service by the service's rollout policy.

    Raises `Rejected` unless the candidate passed every gate, `Conflict` while another rollout is under way.
    Without a champion the candidate goes to its full share at once, guarded all the same. If the service
    asks for approvals or a signature that are not there yet, the rollout waits for them.
    """

    service: str
    version: str
    why: str = ""


class AdvanceRollout(Request[Rollout], frozen=True, kw_only=True):
    """Give the candidate its next share; after the last one it becomes champion.

    `step_index` is the step the caller saw; if the rollout moved on meanwhile, nothing happens. A rollout
    that waits is at step -1; advancing it raises `Conflict` while approvals or a signature are missing.
    """

    rollout: str
    step_index: int
    readings: tuple[GuardReading, ...] = ()
    why: str = ""


class RollBackRollout(Request[Rollout], frozen=True, kw_only=True):
    """End a rollout: all traffic goes to the champion again. A finished rollout is left as it is."""

    rollout: str
    readings: tuple[GuardReading, ...] = ()
    why: str = ""


class RecordGuardReadings(Request[Rollout], frozen=True, kw_only=True):
    """Keep the latest readings of a rollout's guards, for people to see."""

    rollout: str
    readings: tuple[GuardReading, ...]


class RollBack(Request[Deployment], frozen=True, kw_only=True):
    """Go back, at once: end the rollout under way; without one, make the previous champion champion again.

    A rollout that is ended leaves the champion as it is. Without a champion nothing would answer then:
    raises `Conflict` unless that is accepted. Raises it too if there is neither a rollout nor a previous
    champion.
    """

    service: str
    why: str = ""
    even_if_unanswered: bool = False


class GetDeployment(Request[Deployment | None], frozen=True, kw_only=True):
    """What answers for a service; nothing before the first model."""

    service: str


class ListDeployments(Request[tuple[Deployment, ...]], frozen=True, kw_only=True):
    """What answers for every service."""


class ListRollouts(Request[tuple[Rollout, ...]], frozen=True, kw_only=True):
    """Rollouts of a service, newest first."""

    service: str
    limit: Annotated[int, Meta(ge=1, le=1000)] = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """One service in the routing snapshot: which versions to hold ready, and who gets what share.

    `refused` are versions that must not be loaded, with the reason.
    """

    service: str
    routing_version: int
    champion: ModelVersionId | None
    candidate: ModelVersionId | None
    candidate_share: float
    is_shadow: bool
    salt: str
    policy: ServicePolicy
    versions: tuple[ModelVersion, ...]
    refused: dict[ModelVersionId, str] = field(default_factory=dict)


class GetRouting(Request[tuple[Route, ...]], frozen=True, kw_only=True):
    """The routing snapshot that serving processes follow."""


class GetRoutingMark(Request[str], frozen=True, kw_only=True):
    """A short text that changes whenever the routing snapshot does."""


class ReportServing(Request[None], frozen=True, kw_only=True):
    """A serving process says what it follows and what it can answer with."""

    report: ServingReport


class ListServingReports(Request[tuple[ServingReport, ...]], frozen=True, kw_only=True):
    """What serving processes said in the last minute."""


class ForgetServing(Request[None], frozen=True, kw_only=True):
    """A serving process says that it ends."""

    process: str
