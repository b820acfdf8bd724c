"""Gates: what a candidate must show before it may serve."""

from dataclasses import dataclass
from enum import StrEnum

FROM_ROWS = frozenset({"rmse", "mae", "mse", "r2", "accuracy", "f1", "log_loss", "roc_auc"})
"""Metrics that the held-out rows tell, so that they can be computed again on some of the rows."""


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


MIN_SLICE_ROWS = 20
"""With fewer rows, drawing them again says little of how far chance reaches, and may draw none of them."""


class SliceProof(StrEnum):
    """What has to be shown of a slice."""

    OF_HARM = "of-harm"
    """A slice stands in the way if it is shown to break a promise."""
    OF_NO_HARM = "of-no-harm"
    """A slice stands in the way unless it is shown to keep every promise."""


class RareSlices(StrEnum):
    """What becomes of slices with too few rows."""

    INCONCLUSIVE = "inconclusive"
    """Nothing is known of them, so the candidate does not pass."""
    SKIP = "skip"
    """They are counted and not judged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceBy:
    """A column whose values part the rows; `edges` cut the values of a numeric one into ranges."""

    column: str
    edges: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if list(self.edges) != sorted(set(self.edges)):
            raise ValueError(f"the edges of {self.column} must grow")


@dataclass(frozen=True, slots=True, kw_only=True)
class Slices:
    """The parts of the held-out rows in each of which a gate's promises hold.

    There is one slice for each value of each column, and for each combination of values of up to `depth`
    columns. `confidence` holds for all slices together: however many there are, a candidate that is no
    worse in any of them is kept out by chance at most that seldom. A slice with fewer than `min_rows` rows is
    inconclusive, which never passes.
    """

    by: tuple[SliceBy, ...]
    depth: int = 1
    confidence: float = 0.95
    min_rows: int = 50
    proof: SliceProof = SliceProof.OF_HARM
    rare: RareSlices = RareSlices.INCONCLUSIVE

    def __post_init__(self) -> None:
        names = [by.column for by in self.by]
        if not names or len(set(names)) < len(names):
            raise ValueError("slices need columns, each named once")
        if not 1 <= self.depth <= len(names):
            raise ValueError(f"depth is {self.depth}; it lies between 1 and the number of columns")
        if not 0 < self.confidence < 1:
            raise ValueError(f"confidence is {self.confidence}; it lies between 0 and 1")
        if self.min_rows < MIN_SLICE_ROWS:
            raise ValueError(f"min_rows is {self.min_rows}; it is at least {MIN_SLICE_ROWS}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """One promise about a candidate's metric; with `slices`, about each of these instead of the whole."""

    metric: str
    min: float | None = None
    max: float | None = None
    versus_champion: VersusChampion | None = None
    slices: Slices | None = None

    def __post_init__(self) -> None:
        if self.min is None and self.max is None and self.versus_champion is None:
            raise ValueError(
                f"the gate on {self.metric} asks for nothing: give min, max or versus_champion"
            )
        if self.slices is not None and self.metric not in FROM_ROWS:
            raise ValueError(f"held-out rows don't tell {self.metric}, so it has no slices")

    @property
    def title(self) -> str:
        """What people call it.

        >>> Gate(metric="mae", max=9.0, slices=Slices(by=(SliceBy(column="shop"),))).title
        'mae in slices of shop'
        """
        if self.slices is None:
            return self.metric
        return f"{self.metric} in slices of {', '.join(by.column for by in self.slices.by)}"


class GateOutcome(StrEnum):
    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceResult:
    """What a gate said of one slice."""

    slice: str
    row_count: int
    outcome: GateOutcome
    observed: float | None = None
    champion: float | None = None
    detail: str = ""

    def in_words(self) -> str:
        """The slice with its numbers, on one line.

        >>> SliceResult(slice="a = 1", row_count=80, outcome=GateOutcome.PASSED, observed=2.0).in_words()
        'a = 1: 2 on 80 rows'
        """
        numbers = f"{self.row_count} rows"
        if self.observed is not None:
            numbers = f"{self.observed:.6g} on {numbers}"
        if self.champion is not None:
            numbers += f" against the champion's {self.champion:.6g}"
        return f"{self.slice}: {numbers}" + (f", {self.detail}" if self.detail else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class GateResult:
    """What a gate said, with the evidence that lets someone compute it again.

    `slices` are those that say most, the worst first, if the gate has any.
    """

    gate: Gate
    outcome: GateOutcome
    observed: float | None
    champion: float | None = None
    interval: tuple[float, float] | None = None
    row_count: int | None = None
    detail: str = ""
    slices: tuple[SliceResult, ...] = ()
