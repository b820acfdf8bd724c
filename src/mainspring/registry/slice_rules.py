"""Whether a candidate keeps a gate's promises in every slice: pure, and the same for the same input.

Of many slices some look worse by chance, and slices overlap. So all comparisons are judged together: the rows are
drawn again and again, each time the largest deviation of all is noted, and a slice counts as worse only if
it is worse by more than such a largest deviation comes to; then the rest are judged once more without it
(J. P. Romano and M. Wolf, Stepwise Multiple Testing as Formalized Data Snooping, Econometrica 73, 2005; P. H.
Westfall and S. S. Young, Resampling-Based Multiple Testing, 1993). This keeps the chance to accuse any
slice wrongly at 1 - confidence, however many there are, and loses less than dividing by their number.

Where a candidate must be shown to do no harm, every slice has to be shown on its own, which needs no correction:
one slice that is not keeps the candidate out (R. L. Berger, Multiparameter Hypothesis Testing and Acceptance
Sampling, Technometrics 24, 1982).
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np

from mainspring.domain.gate import (
    Gate,
    GateOutcome,
    GateResult,
    RareSlices,
    SliceProof,
    SliceResult,
    Slices,
)
from mainspring.kernel.errors import Invalid
from mainspring.registry.metrics import Answers, Array, HeldOut, Weighted, classes_in, weighted
from mainspring.registry.resampling import (
    RESAMPLES,
    WORST_FIRST,
    lower_is_better,
    resampled,
    worse_by,
)
from mainspring.registry.slices import Slice, slices_of

MOST_TOLD = 50
"""How many slices a result names; the worst come first."""

_LONGEST_NAME = 200
# Of one value only, these metrics are a convention and not a finding.
_NEED_TWO_VALUES = frozenset({"roc_auc", "r2"})


def judge_slices(
    gate: Gate,
    slices: Slices,
    observed: float | None,
    *,
    has_champion: bool,
    rows: HeldOut | None,
    seed: int = 0,
) -> GateResult:
    """What a gate says of each slice of the held-out rows, and so of the candidate.

    `observed` is the metric of all rows, as it was stored. `rows` is None if no answers could be had.
    """
    compares = gate.versus_champion is not None and has_champion
    if gate.min is None and gate.max is None and not compares:
        why = "there is no champion to compare with"
        return GateResult(gate=gate, outcome=GateOutcome.PASSED, observed=observed, detail=why)
    if rows is None:
        return _unknown(gate, observed, "the answers on the held-out rows are not there")
    if compares and rows.champion is None:
        return _unknown(gate, observed, "the champion's answers on the same rows are not there")
    try:
        found = slices_of(rows.columns, slices)
    except Invalid as error:
        return _unknown(gate, observed, " ".join(filter(None, (error.message + ".", error.hint))))
    # A slice may lack a class; f1 is about those of the whole all the same, for both models.
    said = [each.predictions for each in (rows.candidate, rows.champion) if each is not None]
    classes = classes_in(rows.truth, [*chain(*said)]) if gate.metric == "f1" else None
    large: list[_Measured] = []
    rare: list[SliceResult] = []
    for part in found:
        each = _measured(gate, part, rows, compares=compares, classes=classes)
        if (problem := _too_few(part, slices) or each.problem) is None:
            large.append(each)
        else:
            rare.append(_told(each, GateOutcome.INCONCLUSIVE, problem))
    judged = _judged(gate, slices, large, _evidence(large, len(rows.truth), seed))
    result = _together(gate, slices, judged, rare)
    return replace(result, observed=observed, row_count=len(rows.truth))


def _too_few(part: Slice, slices: Slices) -> str | None:
    if len(part.rows) >= slices.min_rows:
        return None
    return f"too few rows to judge (at least {slices.min_rows})"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Measured:
    """One slice: `claims` say how far each promise is broken, as functions of its rows' weights."""

    slice: Slice
    claims: list[Weighted]
    observed: float | None = None
    champion: float | None = None
    problem: str | None = None


def _measured(
    gate: Gate,
    part: Slice,
    rows: HeldOut,
    *,
    compares: bool,
    classes: Sequence[object] | None,
) -> _Measured:
    """Both models' metric in one slice, and the gate's promises about it."""
    truth = [rows.truth[row] for row in part.rows]
    once = np.ones(len(part.rows))
    if gate.metric in _NEED_TWO_VALUES and len(set(truth)) < 2:
        return _Measured(
            slice=part, claims=[], problem=f"its truth has one value, which tells no {gate.metric}"
        )
    ours = _within(gate.metric, rows, part, rows.candidate, classes)
    theirs = _within(gate.metric, rows, part, rows.champion, classes) if compares else None
    if ours is None or (compares and theirs is None):
        return _Measured(slice=part, claims=[], problem=f"the answers don't tell {gate.metric}")
    return _Measured(
        slice=part,
        claims=list(_claims(gate, ours, theirs)),
        observed=ours(once),
        champion=theirs(once) if theirs else None,
    )


def _within(
    metric: str,
    rows: HeldOut,
    part: Slice,
    answers: Answers | None,
    classes: Sequence[object] | None,
) -> Weighted | None:
    if answers is None or len(rows.truth) != len(answers.predictions):
        return None
    some = Answers(
        predictions=[answers.predictions[row] for row in part.rows],
        scores=None if answers.scores is None else np.asarray(answers.scores)[part.rows],
        classes=answers.classes,
    )
    return weighted(metric, [rows.truth[row] for row in part.rows], some, classes=classes)


def _claims(gate: Gate, ours: Weighted, theirs: Weighted | None) -> Iterator[Weighted]:
    if gate.min is not None:
        yield _below(ours, gate.min)
    if gate.max is not None:
        yield _above(ours, gate.max)
    if theirs is not None and gate.versus_champion is not None:
        allowed = gate.versus_champion.max_regression
        yield _behind(ours, theirs, allowed, bool(lower_is_better(gate)))


def _below(ours: Weighted, least: float) -> Weighted:
    return lambda weights: least - ours(weights)


def _above(ours: Weighted, most: float) -> Weighted:
    return lambda weights: ours(weights) - most


def _behind(ours: Weighted, theirs: Weighted, allowed: float, lower: bool) -> Weighted:
    return lambda weights: worse_by(ours(weights), theirs(weights), allowed, lower)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Evidence:
    """Every claim of every slice: `found` on the rows as they are, `drawn` with a line for each resample.

    `owners` says which slice each claim is about. A claim above 0 is a broken promise.
    """

    owners: Array
    found: Array
    drawn: Array


def _evidence(measured: Sequence[_Measured], count: int, seed: int) -> _Evidence:
    """The same draws serve all slices, so that what they have in common is not counted twice."""
    claims = [(owner, claim) for owner, each in enumerate(measured) for claim in each.claims]
    ones = [np.ones(len(each.slice.rows)) for each in measured]
    drawn = np.empty((RESAMPLES, len(claims)))
    if claims:
        for number, weights in enumerate(resampled(count, seed)):
            within = [weights[each.slice.rows] for each in measured]
            drawn[number] = [claim(within[owner]) for owner, claim in claims]
    return _Evidence(
        owners=np.array([owner for owner, _ in claims], dtype=int),
        found=np.array([claim(ones[owner]) for owner, claim in claims], dtype=float),
        drawn=drawn,
    )


def shown_positive(found: Array, drawn: Array, confidence: float) -> Array:
    """Which of many quantities are shown to lie above 0, at this confidence for all of them together.

    `found` are their estimates, `drawn` those of the resamples, a line each.
    """
    spread = drawn.std(axis=0)
    varies = spread > 1e-12 * np.maximum(1.0, np.abs(found))
    scale = np.where(varies, spread, 1.0)
    # What never varies is known, not estimated.
    scores = np.where(varies, found / scale, np.where(found > 0, np.inf, -np.inf))
    deviations = np.where(varies, (drawn - found) / scale, 0.0)
    shown = np.zeros(len(found), dtype=bool)
    while not shown.all():
        largest = deviations[:, ~shown].max(axis=1)
        further = ~shown & (scores > max(0.0, float(np.quantile(largest, confidence))))
        if not further.any():
            break
        shown |= further
    return shown


def _judged(
    gate: Gate, slices: Slices, measured: Sequence[_Measured], evidence: _Evidence
) -> list[SliceResult]:
    """The result of each slice with rows enough, the worst first."""
    finite = np.isfinite(evidence.found) & np.isfinite(evidence.drawn).all(axis=0)
    found = np.where(finite, evidence.found, 0.0)
    drawn = np.where(finite, evidence.drawn, 0.0)
    broken = shown_positive(found, drawn, slices.confidence)
    unproven = np.zeros(len(found), dtype=bool)
    if slices.proof is SliceProof.OF_NO_HARM and len(found):
        unproven = np.quantile(drawn, slices.confidence, axis=0) > 0
    results = []
    for owner, each in enumerate(measured):
        mine = evidence.owners == owner
        outcome = GateOutcome.FAILED
        if not finite[mine].all():
            said = f"{gate.metric} of these rows is not always a number"
        elif broken[mine].any():
            said = f"shown to break the promise, at {slices.confidence:.0%} confidence over all"
        elif unproven[mine].any():
            said = f"not shown to keep the promise, at {slices.confidence:.0%} confidence"
        else:
            outcome, said = GateOutcome.PASSED, "keeps the promise"
            if slices.proof is SliceProof.OF_HARM:
                said = "not shown to break the promise"
        spread = np.maximum(drawn[:, mine].std(axis=0), 1e-300)
        results.append((float((found[mine] / spread).max()), _told(each, outcome, said)))
    results.sort(key=lambda pair: -pair[0])
    return [result for _, result in results]


def _told(each: _Measured, outcome: GateOutcome, said: str) -> SliceResult:
    name = each.slice.name
    return SliceResult(
        slice=name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…",
        row_count=len(each.slice.rows),
        outcome=outcome,
        observed=_number(each.observed),
        champion=_number(each.champion),
        detail=said,
    )


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _together(
    gate: Gate,
    slices: Slices,
    judged: Sequence[SliceResult],
    rare: Sequence[SliceResult],
) -> GateResult:
    """One result of all slices: the worst outcome, and the worst slices by name."""
    counted = [*judged, *(() if slices.rare is RareSlices.SKIP else rare)]
    outcome = min(
        (each.outcome for each in counted),
        key=WORST_FIRST.index,
        default=GateOutcome.INCONCLUSIVE,
    )
    if not judged:
        outcome = GateOutcome.INCONCLUSIVE
    ordered = sorted(counted, key=lambda each: WORST_FIRST.index(each.outcome))
    return GateResult(
        gate=gate,
        outcome=outcome,
        observed=None,
        detail=_in_words(gate, slices, ordered, judged, rare),
        slices=tuple(ordered[:MOST_TOLD]),
    )


def _in_words(
    gate: Gate,
    slices: Slices,
    ordered: Sequence[SliceResult],
    judged: Sequence[SliceResult],
    rare: Sequence[SliceResult],
) -> str:
    parts = [f"{len(judged)} slices judged"]
    for outcome, word in ((GateOutcome.FAILED, "failed"), (GateOutcome.PASSED, "passed")):
        if count := sum(each.outcome is outcome for each in judged):
            parts.append(f"{count} {word}")
    if rare:
        skipped = "skipped" if slices.rare is RareSlices.SKIP else "inconclusive"
        parts.append(f"{len(rare)} {skipped} (too few rows, or no {gate.metric} of them)")
    if ordered:
        parts.append(f"first is {ordered[0].in_words()}")
    return f"{gate.metric}: {', '.join(parts)}"


def _unknown(gate: Gate, observed: float | None, why: str) -> GateResult:
    return GateResult(gate=gate, outcome=GateOutcome.INCONCLUSIVE, observed=observed, detail=why)
