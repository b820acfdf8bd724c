"""Metrics of predictions against the truth, computed so that rows can be drawn again cheaply.

A metric that is a function of sums over rows (all but `roc_auc`) keeps a small matrix of those sums' terms;
a resample is then a weighted sum, whatever the number of rows.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]

LOWER_IS_BETTER = frozenset({"rmse", "mae", "mse", "mape", "log_loss"})
HIGHER_IS_BETTER = frozenset(
    {"r2", "accuracy", "f1", "roc_auc", "precision", "recall", "average_precision"}
)
_TINY = 1e-15


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """What one model said of the held-out rows.

    `scores` are the probabilities of the classes in `classes`, a column each; None if it gives none.
    """

    predictions: Sequence[object] | Array
    scores: Array | None = None
    classes: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeldOut:
    """The same held-out rows: the truth, what both models said, and the columns that slices are cut by.

    `champion` is None if there is none, or nothing is to be compared with it.
    """

    truth: Sequence[object] | Array
    candidate: Answers
    champion: Answers | None = None
    columns: Mapping[str, Sequence[object]] = field(default_factory=dict)


Weighted = Callable[[Array], float]
"""The metric of rows that count this often each."""


def weighted(
    metric: str,
    truth: Sequence[object] | Array,
    answers: Answers,
    *,
    classes: Sequence[object] | None = None,
) -> Weighted | None:
    """A metric as a function of row weights; None if it can't be computed from these answers.

    `classes` are those that f1 is about, if these rows are a part that may lack some of them.

    >>> rmse = weighted("rmse", [1.0, 2.0], Answers(predictions=[1.0, 4.0]))
    >>> rmse(np.array([1, 1])), rmse(np.array([2, 0]))
    (1.4142135623730951, 0.0)
    """
    if len(truth) != len(answers.predictions):
        return None
    match metric:
        case "rmse" | "mse" | "mae" | "r2":
            return _of_errors(metric, truth, answers)
        case "accuracy":
            return _mean_of(_same(truth, answers.predictions))
        case "f1":
            return _f1(truth, answers.predictions, classes)
        case "log_loss":
            return _log_loss(truth, answers)
        case "roc_auc":
            return _roc_auc(truth, answers)
        case _:
            return None


def _of_errors(metric: str, truth: Sequence[object] | Array, answers: Answers) -> Weighted | None:
    try:
        real = np.asarray(truth, dtype=float)
        said = np.asarray(answers.predictions, dtype=float)
    except (TypeError, ValueError):
        return None
    if said.shape != real.shape:
        return None
    error = said - real
    if metric == "mae":
        return _mean_of(np.abs(error))
    squares = error**2
    if metric == "mse":
        return _mean_of(squares)
    if metric == "rmse":
        mean = _mean_of(squares)
        return lambda weights: float(np.sqrt(mean(weights)))
    centred = real - real.mean()
    terms = np.column_stack([squares, centred, centred**2])

    def r2(weights: Array) -> float:
        residual, first, second = weights @ terms
        total = second - first**2 / weights.sum()
        return float(1.0 - residual / total) if total > 0 else 0.0

    return r2


def _mean_of(terms: Array) -> Weighted:
    values = np.asarray(terms, dtype=float)
    return lambda weights: float(weights @ values / weights.sum())


def _same(truth: Sequence[object] | Array, predictions: Sequence[object] | Array) -> Array:
    pairs = zip(list(truth), list(predictions), strict=True)
    return np.fromiter((_plain(a) == _plain(b) for a, b in pairs), dtype=bool)


def _plain(value: Any) -> object:
    """0, 0.0 and False are one class, and so are their NumPy kinds."""
    return value.item() if isinstance(value, np.generic) else value


def classes_in(
    truth: Sequence[object] | Array, predictions: Sequence[object] | Array
) -> list[object]:
    """All classes that occur, in their order."""
    return _in_order({_plain(value) for value in (*truth, *predictions)})


def _f1(
    truth: Sequence[object] | Array,
    predictions: Sequence[object] | Array,
    classes: Sequence[object] | None,
) -> Weighted:
    """F1 of the second class of two in their order, else the mean over all classes, as `evaluate` has it."""
    real = [_plain(value) for value in truth]
    said = [_plain(value) for value in predictions]
    known = classes_in(truth, predictions) if classes is None else list(classes)
    if len(known) == 2:
        known = known[1:]
    columns = []
    for each in known:
        is_real = np.fromiter((value == each for value in real), dtype=float)
        is_said = np.fromiter((value == each for value in said), dtype=float)
        columns += [is_real * is_said, is_real + is_said]
    terms = np.column_stack(columns)

    def f1(weights: Array) -> float:
        sums = weights @ terms
        both, either = sums[0::2], sums[1::2]
        return float(
            np.mean(np.divide(2 * both, either, out=np.zeros_like(both), where=either > 0))
        )

    return f1


def _in_order(classes: set[Any]) -> list[Any]:
    try:
        return sorted(classes)
    except TypeError:
        # A model that answers 1 where the truth is "1" is wrong, not a reason to stop.
        return sorted(classes, key=repr)


def _log_loss(truth: Sequence[object] | Array, answers: Answers) -> Weighted | None:
    columns = _columns_of(truth, answers)
    if answers.scores is None or columns is None:
        return None
    given = np.asarray(answers.scores, dtype=float)[np.arange(len(columns)), columns]
    return _mean_of(-np.log(np.clip(given, _TINY, 1.0)))


def _columns_of(truth: Sequence[object] | Array, answers: Answers) -> Array | None:
    """The column of each row's true class; None if a class is unknown to the model."""
    position = {_plain(each): index for index, each in enumerate(answers.classes)}
    columns = [position.get(_plain(value)) for value in truth]
    return None if any(column is None for column in columns) else np.array(columns, dtype=int)


def _roc_auc(truth: Sequence[object] | Array, answers: Answers) -> Weighted | None:
    """The chance that a positive row scores higher than a negative one, ties counting half."""
    if answers.scores is None or len(answers.classes) != 2:
        return None
    positive = _plain(answers.classes[1])
    is_positive = np.fromiter((_plain(value) == positive for value in truth), dtype=float)
    scores = np.asarray(answers.scores, dtype=float)[:, 1]
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
    is_positive = is_positive[order]

    def roc_auc(weights: Array) -> float:
        ordered = weights[order]
        ups = np.add.reduceat(ordered * is_positive, starts)
        downs = np.add.reduceat(ordered * (1 - is_positive), starts)
        below = np.cumsum(downs) - downs
        pairs = ups.sum() * downs.sum()
        return float((ups * (below + downs / 2)).sum() / pairs) if pairs > 0 else 0.5

    return roc_auc
