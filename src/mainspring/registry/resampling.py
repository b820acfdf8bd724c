"""What comparing two models on rows drawn again and again needs, of the whole and of slices alike."""

from collections.abc import Iterator

import numpy as np

from mainspring.domain.gate import Gate, GateOutcome
from mainspring.registry.metrics import HIGHER_IS_BETTER, LOWER_IS_BETTER, Array

RESAMPLES = 2000
WORST_FIRST = (GateOutcome.FAILED, GateOutcome.INCONCLUSIVE, GateOutcome.PASSED)


def resampled(count: int, seed: int) -> Iterator[Array]:
    """How often each row comes in each resample, one at a time so that memory stays flat."""
    random = np.random.Generator(np.random.PCG64(seed))
    for _ in range(RESAMPLES):
        drawn = random.integers(0, count, count)
        yield np.bincount(drawn, minlength=count).astype(float)


def worse_by(candidate: float, champion: float, allowed: float, lower: bool) -> float:
    """How much worse the candidate is beyond what is allowed; negative is good."""
    regression = candidate - champion if lower else champion - candidate
    return regression - allowed * abs(champion)


def lower_is_better(gate: Gate) -> bool | None:
    """The direction of a gate's metric; for an unknown metric, the one that its limits suggest.

    >>> lower_is_better(Gate(metric="rmse", max=1.0)), lower_is_better(Gate(metric="revenue", min=1.0))
    (True, False)
    """
    if gate.metric in LOWER_IS_BETTER:
        return True
    if gate.metric in HIGHER_IS_BETTER:
        return False
    if (gate.max is None) == (gate.min is None):
        return None
    return gate.max is not None
