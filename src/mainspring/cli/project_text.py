"""The files of a new project as text: a flow that reads like one written by hand, and its declaration."""

from dataclasses import dataclass
from string import Template

RESERVED = {"split", "train", "evaluate", "table", "holdout", "pl", "ms", "model", "estimator"}
"""Names that the flow uses itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What is known of the data that a project is written for.

    `time` is the column to split by, or None for a random split. `categories` are the inputs that need
    encoding.
    """

    dataset: str
    target: str
    inputs: tuple[str, ...]
    categories: tuple[str, ...]
    time: str | None
    is_classification: bool

    @property
    def metric(self) -> str:
        return "accuracy" if self.is_classification else "mae"


_FLOW = Template('''\
"""Predict `$target` from $dataset."""

import polars as pl
$imports
import mainspring as ms

TARGET = $target_literal
INPUTS = $inputs
$categories

@ms.step
def split($dataset: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """$split_doc"""
$split_body


@ms.step
def train(table: pl.DataFrame, learning_rate: float) -> ms.Model:
    """Fit boosted trees: they take numbers, missing values and encoded categories as they come."""
$estimator
    estimator.fit(table.select(INPUTS), table[TARGET].to_numpy())
    return ms.Model(estimator, inputs=table.select(INPUTS))


@ms.step
def evaluate(model: ms.Model, holdout: pl.DataFrame) -> ms.Metrics:
    """Measure the model on rows that it has not seen."""
    return ms.evaluate(model, holdout.select(*INPUTS, TARGET), target=TARGET)


@ms.pipeline
def $pipeline($dataset: ms.Dataset, learning_rate: float = 0.1) -> ms.Metrics:
    """A split, training, evaluation."""
    table, holdout = split($dataset)
    return evaluate(train(table, learning_rate), holdout)
''')

_SPLIT_BY_TIME = """\
    ordered = {dataset}.drop_nulls(TARGET).sort({time})
    cut = int(ordered.height * 0.8)
    return ordered[:cut], ordered[cut:]"""

_SPLIT_AT_RANDOM = """\
    shuffled = {dataset}.drop_nulls(TARGET).sample(fraction=1.0, shuffle=True, seed=0)
    cut = int(shuffled.height * 0.8)
    return shuffled[:cut], shuffled[cut:]"""

_ENCODED = """\
    encode = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1
    )
    estimator = make_pipeline(
        make_column_transformer((encode, CATEGORIES), remainder="passthrough"),
        {estimator}(learning_rate=learning_rate, random_state=0),
    )"""

_PLAIN = "    estimator = {estimator}(learning_rate=learning_rate, random_state=0)"

_DECLARATION = Template("""\
# What this service promises. Change it, have it reviewed like code, and put it in force with `mainspring apply`.
[service.$service]
pipeline = "flow:$service"
data = { $dataset = "$dataset" }
expect = { $dataset = "$dataset.schema.toml" }

# A challenger must be at least as good as the champion on the very same rows. Add `min` or `max` for a
# limit that no model may cross, champion or not.
[[service.$service.gate]]
metric = "$metric"
versus_champion = { max_regression = 0.0, confidence = 0.95 }

[service.$service.rollout]
strategy = "canary"
steps = [0.05, 0.25, 1.0]
hold = "10m"
guard = [
  { metric = "error_rate", max = 0.01 },
  { metric = "p99_latency_ms", max = 250 },
]

[service.$service.monitor]
window = "1h"
drift = "harmful"

[service.$service.retrain]
on = ["new-data", "harmful-drift"]  # or on a schedule: "schedule: 0 3 * * 1 Europe/Berlin"
""")


def flow_text(project: Project, service: str) -> str:
    """The text of `flow.py`."""
    estimator = "HistGradientBoosting" + (
        "Classifier" if project.is_classification else "Regressor"
    )
    by_time = project.time is not None
    split = _SPLIT_BY_TIME if by_time else _SPLIT_AT_RANDOM
    shape = _ENCODED if project.categories else _PLAIN
    return _FLOW.substitute(
        target=project.target,
        target_literal=_text(project.target),
        dataset=project.dataset,
        pipeline=service,
        imports=_imports(estimator, encoded=bool(project.categories)),
        inputs=_list(project.inputs),
        categories=f"CATEGORIES = {_list(project.categories)}\n" if project.categories else "",
        split_doc=(
            "Hold out the latest fifth: a model is asked about what comes after what it learned from."
            if by_time
            else "Hold out a random fifth, the same one for the same rows."
        ),
        split_body=split.format(dataset=project.dataset, time=_text(project.time or "")),
        estimator=shape.format(estimator=estimator),
    )


def declaration_text(project: Project, service: str) -> str:
    """The text of `mainspring.toml`."""
    return _DECLARATION.substitute(service=service, dataset=project.dataset, metric=project.metric)


def _imports(estimator: str, *, encoded: bool) -> str:
    lines = [f"from sklearn.ensemble import {estimator}"]
    if encoded:
        lines = [
            "from sklearn.compose import make_column_transformer",
            *lines,
            "from sklearn.pipeline import make_pipeline",
            "from sklearn.preprocessing import OrdinalEncoder",
        ]
    return "\n".join(lines) + "\n"


def _list(names: tuple[str, ...]) -> str:
    one_line = f"[{', '.join(map(_text, names))}]"
    if len(one_line) <= 80:
        return one_line
    return "[\n" + "".join(f"    {_text(name)},\n" for name in names) + "]"


def _text(value: str) -> str:
    # JSON's escapes are Python's too.
    import json

    return json.dumps(value, ensure_ascii=False)
