"""`ms.evaluate`: how good a model is on rows that it was not trained on, and what gates and monitoring need."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from mainspring.domain.evaluation import FeatureReference, Reference
from mainspring.kernel.errors import Invalid
from mainspring.pipelines.models import Metrics, Model, from_pandas

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

    Array = np.ndarray[Any, Any]

# Gates resample these rows a thousand times; more of them would sharpen no verdict.
MAX_HELD_OUT_ROWS = 100_000


def evaluate(model: Model, frame: Any, *, target: str, keep: Sequence[str] = ()) -> Metrics:
    """Compare a model's answers with the column `target` of held-out rows, a table of Polars or pandas.

    For numbers: mae, rmse, r2 and bias (the mean of prediction minus truth). For classes: accuracy and f1 (of
    the second class of two, else the mean over classes), and log_loss and roc_auc where the model gives
    probabilities. The rows are kept beside the metrics, so that later candidates can be compared with
    this model on the same rows. `keep` names columns to keep beside what the model takes, so that gates can
    slice by them.
    """
    if type(frame).__module__.partition(".")[0] == "pandas":
        frame = from_pandas(frame)
    truth = _truth(frame, target)
    names = [feature.name for feature in model.signature.inputs]
    held_out = _sampled(frame.select(*dict.fromkeys([*names, target, *_there(frame, keep)])))
    truth = _truth(held_out, target)
    answers = model.predict(held_out)
    if answers.shape != (held_out.height,):
        raise Invalid(
            f"the model gave answers of shape {answers.shape} for {held_out.height} rows",
            code="wrong_answer_count",
        )
    if _is_classifier(model, truth):
        values, errors = _classification(model, held_out, truth.to_numpy(), answers)
    else:
        values, errors = _regression(truth.cast(float).to_numpy(), answers)
    metrics = Metrics(**values)
    metrics.model = model
    metrics.target = target
    metrics.held_out = held_out
    metrics.reference = _with_errors(
        model.reference, held_out.select(names), answers, errors, values.get("accuracy")
    )
    return metrics


def _truth(frame: "pl.DataFrame", target: str) -> "pl.Series":
    if target not in frame.columns:
        raise Invalid(
            f"there is no column {target!r} to compare with; there are {', '.join(frame.columns)}",
            code="no_target",
        )
    if frame.height == 0:
        raise Invalid("there are no rows to evaluate the model on", code="no_rows")
    truth = frame[target]
    if missing := truth.null_count():
        raise Invalid(
            f"{missing} of {frame.height} rows have no {target!r}",
            code="missing_target",
            hint="Evaluate on rows whose truth is known.",
        )
    return truth


def _there(frame: "pl.DataFrame", keep: Sequence[str]) -> Sequence[str]:
    for name in [keep] if isinstance(keep, str) else keep:
        if name not in frame.columns:
            raise Invalid(
                f"there is no column {name!r} to keep; there are {', '.join(frame.columns)}",
                code="no_column_to_keep",
            )
    return [keep] if isinstance(keep, str) else keep


def _sampled(frame: "pl.DataFrame") -> "pl.DataFrame":
    """Rows evenly spread over a large table, always the same ones."""
    if frame.height <= MAX_HELD_OUT_ROWS:
        return frame
    return frame.gather_every(-(-frame.height // MAX_HELD_OUT_ROWS))


def _is_classifier(model: Model, truth: "pl.Series") -> bool:
    from sklearn.base import BaseEstimator, is_classifier

    if isinstance(model.estimator, BaseEstimator):
        return bool(is_classifier(model.estimator))
    return not truth.dtype.is_numeric()


def _regression(truth: "Array", answers: "Array") -> tuple[dict[str, float], "Array"]:
    import numpy as np

    difference = answers.astype(float) - truth
    errors = np.abs(difference)
    squares = float(np.sum(np.square(difference)))
    spread = float(np.sum(np.square(truth - truth.mean())))
    values = {
        "mae": float(errors.mean()),
        "rmse": float(np.sqrt(squares / len(truth))),
        # Of a constant truth nothing can be explained; 0 as in scikit-learn, unless it was met exactly.
        "r2": 1.0 - squares / spread if spread else float(squares == 0),
        "bias": float(difference.mean()),
    }
    return values, errors


def _classification(
    model: Model, frame: "pl.DataFrame", truth: "Array", answers: "Array"
) -> tuple[dict[str, float], "Array"]:
    import numpy as np
    from sklearn import metrics

    classes = np.unique(np.concatenate([np.unique(truth), np.unique(answers)]))
    errors = (truth != answers).astype(float)
    binary = len(classes) == 2
    f1 = metrics.f1_score(
        truth,
        answers,
        average="binary" if binary else "macro",
        pos_label=classes[-1] if binary else 1,
        zero_division=0.0,
    )
    values = {"accuracy": 1.0 - float(errors.mean()), "f1": float(f1)}
    known = getattr(model.estimator, "classes_", None)
    if known is not None and hasattr(model.estimator, "predict_proba") and _within(truth, known):
        chances = model.predict_proba(frame)
        values["log_loss"] = float(metrics.log_loss(truth, chances, labels=known))
        if len(known) == 2 and len(np.unique(truth)) == 2:
            values["roc_auc"] = float(metrics.roc_auc_score(truth, chances[:, 1]))
    return values, errors


def _within(truth: "Array", known: Any) -> bool:
    # A class that the model never saw has no probability, so log loss is not defined.
    return set(truth.tolist()) <= set(known.tolist())


def _with_errors(
    reference: Reference,
    inputs: "pl.DataFrame",
    answers: "Array",
    errors: "Array",
    accuracy: float | None,
) -> Reference:
    """The training inputs' distribution, with the held-out predictions' and the errors in each bin."""
    from mainspring.quality.reference import build_reference

    shown = build_reference(
        inputs, predictions=answers, held_out=inputs, abs_errors=errors, accuracy=accuracy
    )
    return replace(
        shown,
        row_count=reference.row_count,
        features=tuple(_per_bin(feature, inputs, errors) for feature in reference.features),
    )


def _per_bin(
    feature: FeatureReference, inputs: "pl.DataFrame", errors: "Array"
) -> FeatureReference:
    import numpy as np

    from mainspring.quality.reference import bin_numbers

    numbers = bin_numbers(feature, inputs)
    sums = np.bincount(numbers, weights=errors, minlength=feature.bin_count)
    counts = np.bincount(numbers, minlength=feature.bin_count)
    return replace(feature, abs_errors=tuple(sums.tolist()), error_counts=tuple(counts.tolist()))
