"""What a rollout's guards read in live traffic. Pure: records in, readings out."""

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from mainspring.domain.prediction import Label, Prediction
from mainspring.domain.rollout import Guard, GuardMetric, GuardOutcome, GuardReading

_MAX_BINS = 10
_ROWS_PER_BIN = 10
# Half a count in every bin (Jeffreys' prior for a share), so that an empty bin is surprising, not infinite.
_SMOOTHING = 0.5
_SURE = 2.0
"""Standard deviations by which drift must exceed its limit before it ends a rollout."""

_LEAST_ERROR = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a guard saw: a value, from how many requests, and how far off chance alone may put it."""

    value: float | None
    count: int
    noise: float = 0.0


def readings(
    guards: Sequence[Guard],
    *,
    candidate: Sequence[Prediction],
    champion: Sequence[Prediction],
    labels: Sequence[Label],
) -> list[GuardReading]:
    """One reading per guard, from the predictions of both arms over the same time.

    A guard fails only when its limit is crossed with at least `min_requests` of evidence; with less it is
    inconclusive, and so is a comparison with a champion that answered nothing. Predictions that failed
    count for latency and the error rate only.
    """
    return [_judged(guard, _READERS[guard.metric](candidate, champion, labels)) for guard in guards]


def _judged(guard: Guard, seen: _Seen) -> GuardReading:
    if seen.value is None or seen.count < guard.min_requests:
        outcome = GuardOutcome.INCONCLUSIVE
    elif seen.value <= guard.max:
        outcome = GuardOutcome.PASSED
    elif seen.value - _SURE * seen.noise <= guard.max:
        outcome = GuardOutcome.INCONCLUSIVE
    else:
        outcome = GuardOutcome.FAILED
    return GuardReading(guard=guard, outcome=outcome, observed=seen.value, request_count=seen.count)


def quantile(values: Iterable[float], q: float) -> float | None:
    """The smallest value that at least a share `q` of the values don't exceed (nearest rank).

    >>> quantile([1.0, 2.0, 3.0, 4.0], 0.5), quantile(range(1, 101), 0.99)
    (2.0, 99)
    """
    ordered = sorted(values)
    if not ordered:
        return None
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def _latency(q: float) -> Callable[..., _Seen]:
    def read(candidate: Sequence[Prediction], *_: object) -> _Seen:
        return _Seen(value=quantile((p.latency_ms for p in candidate), q), count=len(candidate))

    return read


def _error_rate(candidate: Sequence[Prediction], *_: object) -> _Seen:
    if not candidate:
        return _Seen(value=None, count=0)
    failed = sum(prediction.code != 200 for prediction in candidate)
    return _Seen(value=failed / len(candidate), count=len(candidate))


def _prediction_psi(
    candidate: Sequence[Prediction], champion: Sequence[Prediction], _: object
) -> _Seen:
    """Population stability index of the candidate's answers against the champion's, less its bias.

    Two samples of the same distribution have an index of about (B - 1)(1/n + 1/m) in B bins, with a
    standard deviation of sqrt(2(B - 1))(1/n + 1/m), since it approximates a chi-squared statistic
    (Yurdakul and Naranjo, "Statistical properties of the population stability index", 2020).
    """
    ours, theirs = _outputs(candidate), _outputs(champion)
    count = min(len(ours), len(theirs))
    if count == 0:
        return _Seen(value=None, count=0)
    expected, observed = _binned(theirs, ours, max(2, min(_MAX_BINS, count // _ROWS_PER_BIN)))
    spread = 1 / len(ours) + 1 / len(theirs)
    degrees = max(1, sum(1 for e, o in zip(expected, observed, strict=True) if e or o) - 1)
    index = _psi(expected, observed) - degrees * spread
    return _Seen(value=max(0.0, index), count=count, noise=math.sqrt(2 * degrees) * spread)


def _error_ratio(
    candidate: Sequence[Prediction], champion: Sequence[Prediction], labels: Sequence[Label]
) -> _Seen:
    by_prediction = {label.prediction: label.value for label in labels if label.prediction}
    by_key = {label.key: label.value for label in labels if label.key is not None}

    def errors(predictions: Sequence[Prediction]) -> list[float]:
        found = []
        for prediction in predictions:
            truth = by_prediction.get(prediction.id)
            if truth is None and prediction.key is not None:
                truth = by_key.get(prediction.key)
            if truth is not None and prediction.output is not None:
                found.append(_error(prediction.output, truth))
        return found

    ours, theirs = errors(candidate), errors(champion)
    count = min(len(ours), len(theirs))
    if count == 0:
        return _Seen(value=None, count=0)
    before = sum(theirs) / len(theirs)
    ratio = (sum(ours) / len(ours) + _LEAST_ERROR) / (before + _LEAST_ERROR)
    return _Seen(value=ratio, count=count)


_READERS: dict[GuardMetric, Callable[..., _Seen]] = {
    GuardMetric.P50_LATENCY_MS: _latency(0.50),
    GuardMetric.P99_LATENCY_MS: _latency(0.99),
    GuardMetric.ERROR_RATE: _error_rate,
    GuardMetric.PREDICTION_PSI: _prediction_psi,
    GuardMetric.ERROR_RATIO: _error_ratio,
}


def _outputs(predictions: Sequence[Prediction]) -> list[float | str]:
    """Answers as numbers, or all as text if any is none."""
    outputs = [p.output for p in predictions if p.output is not None]
    if all(isinstance(output, (int, float)) and not isinstance(output, bool) for output in outputs):
        return [float(output) for output in outputs]
    return [str(output) for output in outputs]


def _binned(
    theirs: Sequence[float | str], ours: Sequence[float | str], bins: int
) -> tuple[list[int], list[int]]:
    """Counts of both samples, in bins that hold about as many of the champion's answers each."""
    numbers = all(isinstance(value, float) for value in (*theirs, *ours))
    if not numbers:
        names = sorted({str(value) for value in (*theirs, *ours)})
        place = {name: n for n, name in enumerate(names)}
        return (
            _counted([place[str(v)] for v in theirs], len(names)),
            _counted([place[str(v)] for v in ours], len(names)),
        )
    ordered = sorted(float(value) for value in theirs)
    edges = sorted({ordered[len(ordered) * n // bins] for n in range(1, bins)})
    return (
        _counted([bisect_left(edges, float(v)) for v in theirs], len(edges) + 1),
        _counted([bisect_left(edges, float(v)) for v in ours], len(edges) + 1),
    )


def _counted(places: Iterable[int], length: int) -> list[int]:
    counts = [0] * length
    for place in places:
        counts[place] += 1
    return counts


def _psi(expected: Sequence[int], observed: Sequence[int]) -> float:
    bins = len(expected)
    total_e = sum(expected) + _SMOOTHING * bins
    total_o = sum(observed) + _SMOOTHING * bins
    index = 0.0
    for e, o in zip(expected, observed, strict=True):
        p = (e + _SMOOTHING) / total_e
        q = (o + _SMOOTHING) / total_o
        index += (q - p) * math.log(q / p)
    return index


def _error(output: float | str | bool, truth: float | str | bool) -> float:
    """The absolute error of a number; for a text or truth value, whether it is wrong."""
    if isinstance(output, (str, bool)) or isinstance(truth, (str, bool)):
        return float(str(output) != str(truth))
    return abs(output - truth)
