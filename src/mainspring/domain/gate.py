"""Gates: what a candidate must show before it may serve."""

from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True, kw_only=True)
class VersusChampion:
    """Compare with the champion on the same rows.

    The candidate passes if, at this confidence, its metric is not worse than the champion's by more than
    `max_regression` (a share of the champion's value: 0.02 lets it be 2 % worse). With fewer than
    `min_rows` rows the gate is inconclusive, which never passes.
    """

    max_regression: float = 0.0
    confidence: float = 0.95
    min_rows: int = 100

    def __post_init__(self) -> None:
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence is {self.confidence}; it lies between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One promise about a candidate's metric."""

    metric: str
    min: float | None = None
    max: float | None = None
    versus_champion: VersusChampion | None = None

    def __post_init__(self) -> None:
        if self.min is None and self.max is None and self.versus_champion is None:
            raise ValueError(
                f"the gate on {self.metric} asks for nothing: give min, max or versus_champion"
            )


class GateOutcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What a gate said, with the evidence that lets someone compute it again."""

    gate: Gate
    outcome: GateOutcome
    observed: float | None
    champion: float | None = None
    interval: tuple[float, float] | None = None
    row_count: int | None = None
    detail: str = ""
