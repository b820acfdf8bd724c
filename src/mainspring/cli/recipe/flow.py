"""The text of `flow.py`: a recipe's steps as a person would write them."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from mainspring.cli.recipe.read import Recipe

# What `ms.evaluate` measures already, by MLflow's names.
OURS = {
    "root_mean_squared_error": "rmse",
    "mean_absolute_error": "mae",
    "accuracy_score": "accuracy",
    "roc_auc": "roc_auc",
    "log_loss": "log_loss",
}
_OF_CLASSES = ("f1_score", "precision_score", "recall_score")


def flow_text(recipe: Recipe) -> str:
    """The flow of a recipe."""
    parts = [
        f'"""The recipe {recipe.title}, as a pipeline. Your own functions are in steps/, as they were."""',
        _imports(recipe),
        _constants(recipe),
        *filter(None, [_ingest(recipe)]),
        _split(recipe),
        _transform(recipe),
        _train(recipe),
        _evaluate(recipe),
        _pipeline(recipe),
    ]
    head, rest = parts[:3], parts[3:]
    return "\n\n".join(head) + "\n\n\n" + "\n\n\n".join(rest) + "\n"


def measured(recipe: Recipe, metric: str) -> str:
    """What a metric of MLflow's is called in the flow."""
    custom = {each.name for each in recipe.custom_metrics}
    return metric if metric in custom else OURS.get(metric, metric)


def extra_metrics(recipe: Recipe) -> list[str]:
    """Metrics of scikit-learn that the recipe asks for and `ms.evaluate` does not give."""
    custom = {each.name for each in recipe.custom_metrics}
    asked = [each.metric for each in recipe.criteria] + [recipe.primary_metric]
    return sorted({name for name in asked if name not in OURS and name not in custom})


def _imports(recipe: Recipe) -> str:
    standard = ["import tempfile"] if recipe.loader else []
    third = ["import numpy as np"] if recipe.rebalance_to is not None else []
    third.append("import pandas as pd")
    sklearn: list[str] = ["from sklearn.base import TransformerMixin"]
    if recipe.calibration:
        sklearn.append("from sklearn.calibration import CalibratedClassifierCV")
    if recipe.estimator is None:
        sklearn.append(f"from sklearn.ensemble import {_stand_in(recipe)}")
    if extra := extra_metrics(recipe):
        sklearn.append(f"from sklearn.metrics import {', '.join(extra)}")
    sklearn.append("from sklearn.pipeline import make_pipeline")
    sklearn.append("from sklearn.preprocessing import FunctionTransformer")
    if recipe.rebalance_to is not None:
        sklearn.append("from sklearn.utils import compute_class_weight")
    groups = [standard, [*third, *sklearn], ["import mainspring as ms", *_own_imports(recipe)]]
    return "\n\n".join("\n".join(group) for group in groups if group)


def _own_imports(recipe: Recipe) -> Iterator[str]:
    metrics = sorted({each.function for each in recipe.custom_metrics})
    split = [recipe.split_function, recipe.post_split, recipe.post_split_filter]
    for module, names in (
        ("custom_metrics", metrics),
        ("ingest", [recipe.loader]),
        ("split", split),
        ("train", [recipe.estimator]),
        ("transform", [recipe.transformer]),
    ):
        if used := sorted({name for name in names if name}):
            yield f"from steps.{module} import {', '.join(used)}"


def _constants(recipe: Recipe) -> str:
    lines = [f"TARGET = {_literal(recipe.target)}"]
    if recipe.is_binary:
        lines.append(f"POSITIVE = {_literal(recipe.positive_class)}")
    if recipe.estimator_params:
        lines.append(f"ESTIMATOR_PARAMS = {_literal(dict(recipe.estimator_params))}")
    return "\n".join(lines)


def _ingest(recipe: Recipe) -> str | None:
    if recipe.loader is None:
        return None
    return f'''\
@ms.step
def ingest({recipe.dataset}: ms.Dataset) -> pd.DataFrame:
    """Read the files by the loader of the recipe."""
    with tempfile.TemporaryDirectory() as folder:
        files = [str(path) for path in sorted({recipe.dataset}.files(folder).rglob("*")) if path.is_file()]
        return pd.concat([{recipe.loader}(file, {_literal(recipe.data_format)}) for file in files])'''


def _split(recipe: Recipe) -> str:
    tables = "tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]"
    lines = [
        "@ms.step",
        f"def split(rows: pd.DataFrame) -> {tables}:",
        f'    """{_split_words(recipe)}"""',
        "    rows = rows.dropna(subset=[TARGET])",
    ]
    if recipe.split_function:
        lines += [
            f"    part = {recipe.split_function}(rows)",
            '    train, validation, test = (rows[part == name] for name in ("TRAINING", "VALIDATION", "TEST"))',
        ]
    else:
        total = sum(recipe.ratios)
        first, second = recipe.ratios[0] / total, sum(recipe.ratios[:2]) / total
        lines += [
            "    # By a hash of each row, as MLflow did: a row that is there again goes where it went before.",
            "    place = pd.util.hash_pandas_object(rows) % 1000 / 1000",
            f"    train = rows[place < {first:.6g}]",
            f"    validation = rows[(place >= {first:.6g}) & (place < {second:.6g})]",
            f"    test = rows[place >= {second:.6g}]",
        ]
    if recipe.post_split:
        lines.append(f"    train, validation, test = {recipe.post_split}(train, validation, test)")
    elif recipe.post_split_filter:
        lines.append(f"    train = train[{recipe.post_split_filter}(train)]")
    lines.append("    return train, validation, test")
    return "\n".join(lines)


def _split_words(recipe: Recipe) -> str:
    if recipe.split_function:
        return "Training, validation and test rows, as the recipe's own function says."
    shares = ", ".join(f"{100 * share / sum(recipe.ratios):.4g} %" for share in recipe.ratios)
    return f"Training, validation and test rows: {shares}, the same for the same rows."


def _transform(recipe: Recipe) -> str:
    made = (
        f"{recipe.transformer}() or FunctionTransformer()"
        if recipe.transformer
        else "FunctionTransformer()"
    )
    return f'''\
@ms.step
def transform(train: pd.DataFrame) -> TransformerMixin:
    """Fit what prepares the inputs, on the training rows alone."""
    transformer = {made}
    return transformer.fit(train.drop(columns=[TARGET]), train[TARGET])'''


def _train(recipe: Recipe) -> str:
    lines = [
        "@ms.step",
        "def train(transformer: TransformerMixin, rows: pd.DataFrame) -> ms.Model:",
        '    """Fit the estimator on what the transformer makes of the rows; both together are the model."""',
    ]
    params = "ESTIMATOR_PARAMS" if recipe.estimator_params else ""
    if recipe.rebalance_to is not None:
        params = "params"
        lines += _rebalancing(recipe)
    lines.append("    inputs = rows.drop(columns=[TARGET])")
    estimator = recipe.estimator or _stand_in(recipe)
    given = params if recipe.estimator else ("random_state=0" if not params else f"**{params}")
    # MLflow called the function with nothing where there is nothing to give.
    made = f"{estimator}({given})"
    if recipe.rebalance_to is not None and recipe.estimator:
        made = f"{estimator}(params) if params else {estimator}()"
    if recipe.calibration:
        lines.append(f"    estimator = {made}")
        made = f"CalibratedClassifierCV(estimator, method={_literal(recipe.calibration)})"
    lines += [
        f"    estimator = {made}",
        "    estimator.fit(transformer.transform(inputs), rows[TARGET])",
        "    return ms.Model(make_pipeline(transformer, estimator), inputs=inputs)",
    ]
    return "\n".join(lines)


def _rebalancing(recipe: Recipe) -> list[str]:
    start = "dict(ESTIMATOR_PARAMS)" if recipe.estimator_params else "{}"
    share = recipe.rebalance_to or 0.0
    return [
        f"    params = {start}",
        "    is_positive = rows[TARGET] == POSITIVE",
        "    few, many = sorted((rows[is_positive], rows[~is_positive]), key=len)",
        f"    # As in the recipe: of more than 5,000 rows, at least {share:.0%} are of the rarer class.",
        f"    if len(rows) > 5000 and len(few) / len(rows) < {share:.6g}:",
        "        classes = np.unique(rows[TARGET])",
        '        weights = compute_class_weight("balanced", classes=classes, y=rows[TARGET])',
        '        params["class_weight"] = dict(zip(classes.tolist(), weights.tolist()))',
        f"        kept = many.sample(int(len(few) * {(1 - share) / share:.6g}), random_state=0)",
        "        rows = pd.concat([few, kept]).sample(frac=1, random_state=0)",
    ]


def _evaluate(recipe: Recipe) -> str:
    lines = [
        "@ms.step",
        "def evaluate(model: ms.Model, validation: pd.DataFrame, test: pd.DataFrame) -> ms.Metrics:",
        '    """Measure the model on the test rows, which the gates judge it by; and on the validation rows."""',
        "    metrics = ms.evaluate(model, test, target=TARGET)",
        "    validated = ms.evaluate(model, validation, target=TARGET)",
        '    metrics.values |= {f"validation_{name}": value for name, value in validated.values.items()}',
    ]
    extra = extra_metrics(recipe)
    if extra or recipe.custom_metrics:
        lines.append(
            "    truth, answers = test[TARGET], model.estimator.predict(test.drop(columns=[TARGET]))"
        )
    for name in extra:
        lines.append(
            f"    metrics.values[{_literal(name)}] = float({name}(truth, answers{_options(recipe, name)}))"
        )
    if recipe.custom_metrics:
        lines.append('    table = pd.DataFrame({"prediction": answers, "target": truth})')
        names = {theirs: ours for theirs, ours in OURS.items() if _fits(recipe, theirs)}
        given = ", ".join(
            f"{_literal(theirs)}: metrics[{_literal(ours)}]" for theirs, ours in names.items()
        )
        lines.append(f"    known = {{{given}}}")
        for each in recipe.custom_metrics:
            lines.append(
                f"    metrics.values[{_literal(each.name)}] = float({each.function}(table, known))"
            )
    lines.append("    return metrics")
    return "\n".join(lines)


def _fits(recipe: Recipe, metric: str) -> bool:
    of_numbers = metric in ("root_mean_squared_error", "mean_absolute_error")
    # The others need probabilities, which not every estimator gives.
    return of_numbers != recipe.is_classification and metric not in ("roc_auc", "log_loss")


def _options(recipe: Recipe, metric: str) -> str:
    if metric not in _OF_CLASSES:
        return ""
    return ", pos_label=POSITIVE" if recipe.is_binary else ', average="macro"'


def _pipeline(recipe: Recipe) -> str:
    rows = f"ingest({recipe.dataset})" if recipe.loader else recipe.dataset
    return f'''\
@ms.pipeline
def {recipe.name}({recipe.dataset}: ms.Dataset) -> ms.Metrics:
    """Ingest, split, transform, train, evaluate; a service registers what comes out."""
    rows, validation, test = split({rows})
    model = train(transform(rows), rows)
    return evaluate(model, validation, test)'''


def _stand_in(recipe: Recipe) -> str:
    return "HistGradientBoosting" + ("Classifier" if recipe.is_classification else "Regressor")


def _literal(value: Any) -> str:
    if isinstance(value, str):
        # JSON's escapes are Python's too.
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(k)}: {_literal(v)}" for k, v in value.items()) + "}"
    if isinstance(value, Sequence):
        return "[" + ", ".join(map(_literal, value)) + "]"
    return repr(value)
