"""Services: what a user declares in `mainspring.toml` and Mainspring keeps true."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from mainspring.domain.gate import Gate
from mainspring.domain.rollout import Guard, Strategy
from mainspring.kernel.digests import Digest
from mainspring.kernel.schedules import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class RolloutPolicy:
    """How a candidate comes to answer.

    `hold_seconds` is how long each step lasts at least, `min_requests` how much traffic the candidate must
    have answered in it. A rollout that is not done after `max_seconds` is rolled back.
    """

    strategy: Strategy = Strategy.CANARY
    steps: tuple[float, ...] = (0.05, 0.25, 1.0)
    hold_seconds: float = 600.0
    min_requests: int = 20
    max_seconds: float = 86400.0
    guards: tuple[Guard, ...] = ()

    def __post_init__(self) -> None:
        if not self.steps or list(self.steps) != sorted(set(self.steps)):
            raise ValueError(
                "steps must be shares of the traffic that grow, such as [0.05, 0.25, 1.0]"
            )
        if self.steps[0] <= 0 or self.steps[-1] != 1.0:
            raise ValueError(
                "steps must lie above 0 and end at 1.0, or the rollout could never finish"
            )


class DriftPolicy(StrEnum):
    HARMFUL = "harmful"
    """Only drift estimated or measured to hurt opens an incident."""
    ANY = "any"
    """Any drift that persists opens an incident."""
    OFF = "off"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelSource:
    """Where labels come from besides the labels endpoint: a column of a dataset, joined by key."""

    dataset: str
    key: str
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorPolicy:
    """How predictions are watched.

    Windows are tumbling spans of event time. `max_error_growth` is the share by which the error may grow
    over the reference's (0.25: a quarter) before it counts as harm; `persistence` of the last
    `persistence + 1` windows must agree before an incident opens. `psi_threshold` is the least population
    stability index that counts as drift; `min_rows` the fewest rows a window needs to be judged.
    """

    window_seconds: float = 3600.0
    lateness_seconds: float = 0.0
    drift: DriftPolicy = DriftPolicy.HARMFUL
    psi_threshold: float = 0.2
    max_error_growth: float = 0.25
    persistence: int = 2
    min_rows: int = 50
    labels: LabelSource | None = None


class RetrainTrigger(StrEnum):
    NEW_DATA = "new-data"
    HARMFUL_DRIFT = "harmful-drift"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalPolicy:
    """How many people must say yes before a candidate may serve."""

    production: int = 0
    not_by_author: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainPolicy:
    """When a new model is trained.

    The first model is always trained. `schedules` train at their times on what has arrived since, even if it
    came while nothing was running; with nothing new there is nothing to train. `cooldown_seconds` is the least time between the ends of two runs;
    after `max_failures` failed runs in a row the loop stops and opens an incident.
    """

    on: tuple[RetrainTrigger, ...] = ()
    schedules: tuple[Schedule, ...] = ()
    cooldown_seconds: float = 0.0
    max_failures: int = 3
    approvals: ApprovalPolicy = field(default_factory=ApprovalPolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePolicy:
    """How predictions are answered.

    `require_signed`: only versions are loaded that a trusted key signed.
    """

    workers: int = 1
    timeout_seconds: float = 10.0
    max_queue: int = 256
    require_signed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceSpec:
    """Everything a user promises about one service.

    `data` maps dataset parameters of the pipeline to dataset names; `expect` maps dataset names to the
    TOML text of their schema; `params` overrides parameters of the pipeline.
    """

    name: str
    pipeline: str
    model: str
    data: dict[str, str]
    params: dict[str, object] = field(default_factory=dict)
    expect: dict[str, str] = field(default_factory=dict)
    gates: tuple[Gate, ...] = ()
    rollout: RolloutPolicy = field(default_factory=RolloutPolicy)
    monitor: MonitorPolicy = field(default_factory=MonitorPolicy)
    retrain: RetrainPolicy = field(default_factory=RetrainPolicy)
    serve: ServicePolicy = field(default_factory=ServicePolicy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service as it was last applied. `project` is the manifest of the code snapshot it runs on."""

    spec: ServiceSpec
    digest: Digest
    project: Digest
    environment: Digest
    applied_at: datetime
    applied_by: str
    paused: bool = False
