"""Whether a candidate is good enough: pure, and the same for the same input.

A gate against the champion draws the held-out rows again and again and asks, each time, how much worse the
candidate's metric is than the champion's on the very same rows: the paired bootstrap (B. Efron and R.
Tibshirani, An Introduction to the Bootstrap, 1993, ch. 13; P. Koehn, Statistical Significance Tests for
Machine Translation Evaluation, EMNLP 2004). The candidate passes if the upper end of the one-sided interval
allows at most the regression that the gate allows: the burden of proof lies with the candidate.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from mainspring.domain.gate import FROM_ROWS, Gate, GateOutcome, GateResult, VersusChampion
from mainspring.registry.metrics import Answers, HeldOut, weighted
from mainspring.registry.resampling import WORST_FIRST, lower_is_better, resampled, worse_by
from mainspring.registry.slice_rules import judge_slices


def judge(
    gates: Sequence[Gate],
    metrics: Mapping[str, float],
    *,
    champion: Mapping[str, float] | None = None,
    rows: HeldOut | None = None,
    seed: int = 0,
) -> tuple[GateResult, ...]:
    """What each gate says of a candidate with these metrics.

    `champion` are the champion's metrics, None if there is no champion: then only `min` and `max` count.
    `rows` are both models' answers on the candidate's held-out rows, None if the champion couldn't give any:
    then a comparison is inconclusive, unless the metric is one that rows don't tell (a metric of the user's
    own), which is compared as it was stored.

    >>> [r.outcome.value for r in judge([Gate(metric="rmse", max=60.0)], {"rmse": 48.2})]
    ['passed']
    """
    return tuple(_judged(gate, metrics, champion, rows, seed) for gate in gates)


def passed(results: Sequence[GateResult]) -> bool:
    """Whether every gate passed; without gates there is nothing in the way."""
    return all(result.outcome is GateOutcome.PASSED for result in results)


def _judged(
    gate: Gate,
    metrics: Mapping[str, float],
    champion: Mapping[str, float] | None,
    rows: HeldOut | None,
    seed: int,
) -> GateResult:
    observed = metrics.get(gate.metric)
    if gate.slices is not None:
        return judge_slices(
            gate, gate.slices, observed, has_champion=champion is not None, rows=rows, seed=seed
        )
    if observed is None or not math.isfinite(observed):
        said = "was not measured" if observed is None else f"is {observed}"
        return GateResult(
            gate=gate,
            outcome=GateOutcome.INCONCLUSIVE,
            observed=None,
            detail=f"{gate.metric} {said}",
        )
    limits = _within_limits(gate, observed)
    if gate.versus_champion is None:
        return limits
    compared = _versus(
        gate, gate.versus_champion, observed, champion=champion, rows=rows, seed=seed
    )
    return _both(limits, compared)


def _within_limits(gate: Gate, observed: float) -> GateResult:
    outcome, parts = GateOutcome.PASSED, []
    if gate.min is not None:
        parts.append(f"at least {gate.min:g}")
        outcome = outcome if observed >= gate.min else GateOutcome.FAILED
    if gate.max is not None:
        parts.append(f"at most {gate.max:g}")
        outcome = outcome if observed <= gate.max else GateOutcome.FAILED
    asked = f"; the gate asks for {' and '.join(parts)}" if parts else ""
    detail = f"{gate.metric} is {observed:.6g}{asked}"
    return GateResult(gate=gate, outcome=outcome, observed=observed, detail=detail)


def _both(limits: GateResult, compared: GateResult) -> GateResult:
    """One result of the gate's two promises: the worse outcome, and all the evidence."""
    return GateResult(
        gate=limits.gate,
        outcome=min(limits.outcome, compared.outcome, key=WORST_FIRST.index),
        observed=limits.observed,
        champion=compared.champion,
        interval=compared.interval,
        row_count=compared.row_count,
        detail=f"{limits.detail}; {compared.detail}",
    )


def _versus(
    gate: Gate,
    versus: VersusChampion,
    observed: float,
    *,
    champion: Mapping[str, float] | None,
    rows: HeldOut | None,
    seed: int,
) -> GateResult:
    if champion is None:
        return _result(gate, GateOutcome.PASSED, observed, "there is no champion to compare with")
    lower = lower_is_better(gate)
    if lower is None:
        return _result(
            gate,
            GateOutcome.INCONCLUSIVE,
            observed,
            f"whether more {gate.metric} is better is not known: give the gate a min or a max",
        )
    if gate.metric not in FROM_ROWS:
        return _by_stored(gate, versus, observed, champion.get(gate.metric), lower)
    if rows is None or rows.champion is None:
        return _result(
            gate,
            GateOutcome.INCONCLUSIVE,
            observed,
            "the champion's answers on the same held-out rows are not there to compare with",
        )
    return _by_rows(gate, versus, observed, rows=rows, theirs=rows.champion, lower=lower, seed=seed)


def _by_rows(
    gate: Gate,
    versus: VersusChampion,
    observed: float,
    *,
    rows: HeldOut,
    theirs: Answers,
    lower: bool,
    seed: int,
) -> GateResult:
    count = len(rows.truth)
    if count < versus.min_rows:
        return _result(
            gate,
            GateOutcome.INCONCLUSIVE,
            observed,
            f"{count} held-out rows are too few to compare on (at least {versus.min_rows})",
            row_count=count,
        )
    candidate = weighted(gate.metric, rows.truth, rows.candidate)
    champion = weighted(gate.metric, rows.truth, theirs)
    if candidate is None or champion is None:
        return _result(
            gate,
            GateOutcome.INCONCLUSIVE,
            observed,
            f"both models' answers don't tell {gate.metric} (it may take numbers, or probabilities)",
            row_count=count,
        )
    once = np.ones(count)
    worse = [
        worse_by(candidate(weights), champion(weights), versus.max_regression, lower)
        for weights in resampled(count, seed)
    ]
    if not np.isfinite(worse).all():
        return _result(
            gate,
            GateOutcome.FAILED,
            observed,
            f"{gate.metric} of the two models' answers on the same rows is not always a number",
            row_count=count,
        )
    low, high = np.quantile(worse, [1 - versus.confidence, versus.confidence])
    interval = (float(min(low, high)), float(max(low, high)))
    outcome = GateOutcome.PASSED if high <= 0 else GateOutcome.FAILED
    return _result(
        gate,
        outcome,
        observed,
        _compared_in_words(gate, versus, candidate(once), champion(once), interval),
        champion=champion(once),
        interval=interval,
        row_count=count,
    )


def _compared_in_words(
    gate: Gate,
    versus: VersusChampion,
    candidate: float,
    champion: float,
    interval: tuple[float, float],
) -> str:
    sure = f"at {versus.confidence:.0%} confidence"
    allowed = f" by more than {versus.max_regression:.2%}" if versus.max_regression else ""
    if interval[1] <= 0:
        verdict = f"not worse{allowed}, {sure}"
    elif interval[0] > 0:
        verdict = f"worse{allowed}, {sure}"
    else:
        verdict = f"not shown to be no worse{allowed}, {sure}"
    return f"on the same rows {candidate:.6g} against the champion's {champion:.6g}: {verdict}"


def _by_stored(
    gate: Gate, versus: VersusChampion, observed: float, champion: float | None, lower: bool
) -> GateResult:
    if champion is None or not math.isfinite(champion):
        return _result(
            gate,
            GateOutcome.INCONCLUSIVE,
            observed,
            f"the champion's {gate.metric} was not measured",
        )
    worse = worse_by(observed, champion, versus.max_regression, lower)
    outcome = GateOutcome.PASSED if worse <= 0 else GateOutcome.FAILED
    detail = f"as measured, the champion's was {champion:.6g}; chance is not accounted for"
    return _result(gate, outcome, observed, detail, champion=champion)


def _result(
    gate: Gate,
    outcome: GateOutcome,
    observed: float,
    detail: str,
    *,
    champion: float | None = None,
    interval: tuple[float, float] | None = None,
    row_count: int | None = None,
) -> GateResult:
    return GateResult(
        gate=gate,
        outcome=outcome,
        observed=observed,
        champion=champion,
        interval=interval,
        row_count=row_count,
        detail=detail,
    )
