"""Expectations of a column's distribution, against one that was written down or against an earlier version.

A missing value is a category of its own in every comparison with an earlier version: a column that falls silent
is the failure that tests on the values alone never see.
"""

import math
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from mainspring.kernel.errors import Invalid
from mainspring.quality.catalogue.entries import entry
from mainspring.quality.catalogue.scope import Scope
from mainspring.quality.compiled import Judged, ValueCheck
from mainspring.quality.distances import Measure, distribution_distance
from mainspring.quality.examples import shown

if TYPE_CHECKING:
    from mainspring.quality.profile import ColumnProfile


@entry
def column_kl_divergence_to_be_less_than(
    scope: Scope,
    *,
    column: str,
    partition_object: dict[str, Any] | None = None,
    threshold: float | None = None,
    internal_weight_holdout: float = 0,
    tail_weight_holdout: float = 0,
    bucketize_data: bool = True,
    min_value: float | None = None,
    max_value: float | None = None,
) -> ValueCheck:
    """The Kullback-Leibler divergence from a written distribution (`values` or `bins`, and `weights`) is small."""
    if not partition_object or not partition_object.get("weights"):
        raise Invalid("a distribution is needed: partition_object", code="no_partition")
    said = f"a divergence of at most {shown(threshold)}"
    partition = dict(partition_object)
    partition["holdouts"] = (float(internal_weight_holdout), float(tail_weight_holdout))
    if "values" in partition:
        return _of_values(scope, column, partition, threshold, said)
    return _of_bins(scope, column, partition, threshold, said)


def _of_values(
    scope: Scope,
    column: str,
    partition: dict[str, Any],
    threshold: float | None,
    said: str,
) -> ValueCheck:
    _, tail = partition["holdouts"]
    values, weights = list(partition["values"]), [float(w) for w in partition["weights"]]
    counted = scope.present(column).value_counts(name="#").implode()

    def judge(found: Any) -> Judged:
        pairs = [tuple(item.values()) for item in found or ()]
        counts = {_key(value): int(count) for value, count in pairs}
        total = sum(counts.values())
        known = {_key(value): weight for value, weight in zip(values, weights, strict=True)}
        unknown = [value for value in counts if value not in known]
        p = [counts.get(value, 0) / max(total, 1) for value in [*known, *unknown]]
        q = list(known.values())
        if unknown:
            q = [w * (1 - tail) for w in q] + [tail / len(unknown)] * len(unknown)
        return _judged(p, q, threshold)

    return scope.table([counted], judge, said, [column])


def _of_bins(
    scope: Scope,
    column: str,
    partition: dict[str, Any],
    threshold: float | None,
    said: str,
) -> ValueCheck:
    edges = [float(edge) for edge in partition["bins"]]
    internal, tail = partition["holdouts"]
    weights = np.asarray(partition["weights"], np.float64) * (1 - tail - internal)
    if internal and (weights == 0).any():
        weights[weights == 0] = internal / (weights == 0).sum()
    tails = [float(w) for w in partition.get("tail_weights", (0.0, 0.0))]
    low = tails[0] * (1 - tail - internal) + tail / 2 if "tail_weights" in partition else tail / 2
    high = tails[1] * (1 - tail - internal) + tail / 2 if "tail_weights" in partition else tail / 2
    present = scope.number(column)
    lasts = [False] * (len(edges) - 2) + [True]
    inside = [
        ((present >= a) & ((present <= b) if last else (present < b))).sum()
        for (a, b), last in zip(pairwise(edges), lasts, strict=True)
    ]
    measures = [(present < edges[0]).sum(), *inside, (present > edges[-1]).sum()]

    def judge(*counts: int) -> Judged:
        p = np.asarray(counts, np.float64) / max(sum(counts), 1)
        return _judged(p.tolist(), [low, *weights.tolist(), high], threshold)

    return scope.table(measures, judge, said, [column])


def _judged(p: list[float], q: list[float], threshold: float | None) -> Judged:
    total_p, total_q = sum(p), sum(q)
    if not total_p or not total_q:
        return Judged(passed=threshold is None, observed="no values to compare")
    divergence = 0.0
    for a, b in zip(p, q, strict=True):
        if a > 0 and b <= 0:
            return Judged(
                passed=threshold is None,
                observed="values where the distribution has none: an infinite divergence",
            )
        if a > 0:
            divergence += a / total_p * math.log((a / total_p) / (b / total_q))
    passed = threshold is None or divergence <= threshold
    return Judged(passed=passed, observed=f"a divergence of {shown(divergence)}", value=divergence)


@entry
def column_distribution_to_match_reference(
    scope: Scope, *, column: str, measure: Measure = "psi", threshold: float = 0.2
) -> ValueCheck:
    """A column is distributed as in the version before (psi, jensen_shannon, l_infinity or ks), gaps included."""
    before, now = _both(scope, column)

    def judge() -> Judged:
        if before is None or now is None:
            return Judged(passed=True, observed="no earlier version to compare with")
        try:
            distance = distribution_distance(before, now, measure)
        except Invalid as error:
            return Judged(passed=False, observed=f"can't be compared: {error.message}")
        return Judged(
            passed=distance <= threshold,
            observed=f"{measure} {shown(distance)} against {scope.around.compared_with}",
            value=distance,
        )

    return scope.table([], judge, f"{measure} at most {shown(threshold)}", [column])


@entry
def column_missing_share_to_match_reference(
    scope: Scope, *, column: str, threshold: float = 0.05
) -> ValueCheck:
    """The share of rows without a value has not moved by more than a threshold since the version before."""
    before, now = _both(scope, column)

    def judge() -> Judged:
        if before is None or now is None:
            return Judged(passed=True, observed="no earlier version to compare with")
        moved = now.missing_share - before.missing_share
        return Judged(
            passed=abs(moved) <= threshold,
            observed=f"{now.missing_share:.2%} missing, {before.missing_share:.2%} in "
            f"{scope.around.compared_with}",
            value=moved,
        )

    said = f"within {threshold:.2%} of the share in {scope.around.compared_with}"
    return scope.table([], judge, said, [column])


@entry
def column_distribution_to_match_training(
    scope: Scope, *, column: str, measure: Measure = "psi", threshold: float = 0.2
) -> ValueCheck:
    """What is served is distributed as in training; `mainspring schema skew` asks it of a sample or the prediction log."""

    def judge() -> Judged:
        return Judged(passed=True, observed="is asked of what is served, not of a delivery")

    return scope.table([], judge, f"{measure} at most {shown(threshold)}", [column])


def _both(scope: Scope, column: str) -> "tuple[ColumnProfile | None, ColumnProfile | None]":
    scope.type_of(column)
    if scope.around.reference is None or scope.around.profile is None:
        return None, None
    return scope.around.reference.column(column), scope.around.profile().column(column)


def _key(value: Any) -> Any:
    return float(value) if isinstance(value, int | float) else str(value)
