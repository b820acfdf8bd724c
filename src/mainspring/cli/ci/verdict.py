"""What continuous integration says of a project. Pure values."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How one thing that was looked at came out."""

    PASSED = "passed"
    WARNED = "warned"
    INCONCLUSIVE = "inconclusive"
    FAILED = "failed"
    NOT_RUN = "not-run"

    @property
    def lets_pass(self) -> bool:
        """Whether the change may go on: what is inconclusive may not, as nothing was shown."""
        return self in (Outcome.PASSED, Outcome.WARNED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One thing that was looked at. `suite` is declaration, data, pipeline or gates; `detail` may have several lines."""

    suite: str
    name: str
    outcome: Outcome
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricChange:
    """A metric of the model that this code makes, beside the champion's."""

    name: str
    value: float
    champion: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceVerdict:
    """What was found about one service.

    `ran` and `reused` name the steps that were run, and those whose results were known; `champion` is the
    number of the version that the model was compared with.
    """

    service: str
    cases: tuple[Case, ...]
    metrics: tuple[MetricChange, ...] = ()
    champion: int | None = None
    model: str | None = None
    ran: tuple[str, ...] = ()
    reused: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return all(case.outcome.lets_pass for case in self.cases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What was found about a project; `cases` are about it as a whole."""

    passed: bool
    cases: tuple[Case, ...]
    services: tuple[ServiceVerdict, ...]


def verdict_of(cases: tuple[Case, ...], services: tuple[ServiceVerdict, ...]) -> Verdict:
    """A project passes if all that was looked at does, and anything was."""
    passed = all(case.outcome.lets_pass for case in cases) and all(s.passed for s in services)
    return Verdict(passed=passed and bool(services), cases=cases, services=services)
