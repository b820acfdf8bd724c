"""What `recipe.yaml` and a profile say, as one value. MLflow 2.22 was the last that had recipes."""

import keyword
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mainspring.kernel.errors import Invalid, NotFound

_TABLES = ("csv", "parquet")
_FIRST_CLASS = {"regression/v1": False, "classification/v1": True}
# Names that the flow uses itself.
_RESERVED = {
    "ingest", "split", "transform", "train", "evaluate", "rows", "validation", "test", "model",
    "transformer", "estimator", "inputs", "place", "metrics", "pd", "pl", "ms", "steps",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """A limit of one metric, under MLflow's name of it."""

    metric: str
    threshold: float
    higher_is_better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CustomMetric:
    """A function of `steps/custom_metrics.py` and what its number is called."""

    name: str
    function: str
    higher_is_better: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A recipe with a profile's values filled in.

    `loader` reads files in a way of its own; without one the data is a table that Mainspring reads. `left_out`
    says what is there and can't be carried.
    """

    name: str
    title: str
    dataset: str
    location: str | None
    data_format: str
    loader: str | None
    target: str
    is_classification: bool
    positive_class: str | int | float | bool | None
    ratios: tuple[float, ...]
    split_function: str | None
    post_split: str | None
    post_split_filter: str | None
    transformer: str | None
    estimator: str | None
    estimator_params: Mapping[str, Any]
    rebalance_to: float | None
    calibration: str | None
    primary_metric: str
    criteria: tuple[Criterion, ...]
    custom_metrics: tuple[CustomMetric, ...]
    model: str
    left_out: tuple[str, ...]

    @property
    def is_binary(self) -> bool:
        return self.is_classification and self.positive_class is not None


def read_recipe(folder: Path, profile: str) -> Recipe:
    """Read the project in a folder; raises `NotFound` or `Invalid` with what is wrong and where."""
    config = _config(folder, profile)
    kind = str(config.get("recipe", ""))
    if kind not in _FIRST_CLASS:
        raise Invalid(
            f"the recipe is of the kind {kind[:60]!r}",
            where=str(folder / "recipe.yaml"),
            hint="recipe: is 'regression/v1' or 'classification/v1'.",
        )
    steps = {name: settings or {} for name, settings in (config.get("steps") or {}).items()}
    left_out: list[str] = []
    registry = config.get("model_registry") or {}
    registered = steps.get("register", {})
    model = str(registry.get("model_name") or registered.get("model_name") or folder.resolve().name)
    custom = tuple(_custom_metric(each) for each in config.get("custom_metrics") or ())
    source = _source(steps.get("ingest", {}), left_out)
    _say_rest(config, steps, left_out)
    split, train = steps.get("split", {}), steps.get("train", {})
    positive = config.get("positive_class")
    is_classification = _FIRST_CLASS[kind]
    return Recipe(
        name=identifier(model),
        title=model,
        target=_needed(config, "target_col", folder),
        is_classification=is_classification,
        positive_class=positive,
        ratios=_ratios(split),
        split_function=_function(split, "split_method") if split.get("using") == "custom" else None,
        post_split=_function(split, "post_split_method"),
        post_split_filter=_function(split, "post_split_filter_method"),
        transformer=_function(steps.get("transform", {}), "transformer_method"),
        estimator=_estimator(train, left_out),
        estimator_params=train.get("estimator_params") or {},
        rebalance_to=_rebalance(train) if is_classification and positive is not None else None,
        calibration=train.get("calibrate_proba") if is_classification else None,
        primary_metric=str(
            config.get("primary_metric") or ("f1_score" if is_classification else _RMSE)
        ),
        criteria=_criteria(steps.get("evaluate", {}), custom, left_out),
        custom_metrics=custom,
        model=model,
        left_out=tuple(left_out),
        **source,
    )


def identifier(text: str) -> str:
    """A name that Python and the declaration take, as near to the text as can be.

    >>> identifier("Taxi fare (v2)"), identifier("class"), identifier("2020")
    ('taxi_fare_v2', 'class_data', 'data_2020')
    """
    name = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_") or "data"
    if name[0].isdigit():
        name = f"data_{name}"
    return f"{name}_data" if keyword.iskeyword(name) or name in _RESERVED else name


_RMSE = "root_mean_squared_error"
_LOWER_IS_BETTER = {
    _RMSE, "mean_absolute_error", "mean_squared_error", "max_error",
    "mean_absolute_percentage_error", "log_loss",
}  # fmt: skip
_HIGHER_IS_BETTER = {"recall_score", "precision_score", "f1_score", "accuracy_score", "roc_auc"}


def _config(folder: Path, profile: str) -> dict[str, Any]:
    """The recipe's YAML with the profile's values in the places that Jinja marks."""
    import yaml
    from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
    from jinja2.sandbox import SandboxedEnvironment

    for path in (folder / "recipe.yaml", folder / "profiles" / f"{profile}.yaml"):
        if not path.is_file():
            raise NotFound(
                f"there is no {path}",
                code="source_missing",
                hint="Give the folder of a recipe, and a profile of it with --profile.",
            )
    # As MLflow did it, without its filter that reads any file.
    jinja = SandboxedEnvironment(
        loader=FileSystemLoader(folder), undefined=StrictUndefined, line_comment_prefix="#"
    )
    where = f"profiles/{profile}.yaml"
    try:
        values = yaml.safe_load(jinja.get_template(where).render({})) or {}
        where = "recipe.yaml"
        config = yaml.safe_load(jinja.get_template(where).render(values))
    except (TemplateError, yaml.YAMLError, RecursionError) as error:
        raise Invalid(
            f"{where} can't be read: {error}",
            where=str(folder / where),
            hint="Values of the form {{NAME}} come from the profile; choose it with --profile.",
        ) from error
    if not isinstance(config, dict) or not isinstance(values, dict):
        raise Invalid(f"{where} holds no settings", where=str(folder / where))
    return _merged(config, values)


def _merged(config: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    merged = dict(config)
    for key, value in values.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _source(ingest: Mapping[str, Any], left_out: list[str]) -> dict[str, Any]:
    using = str(ingest.get("using") or "")
    location = ingest.get("location")
    locations = location if isinstance(location, list) else [location] if location else []
    if len(locations) > 1:
        left_out.append(
            f"ingest: {len(locations)} locations; add them together as one version of the dataset"
        )
    if using not in (*_TABLES, "custom"):
        left_out.append(f"ingest: using {using!r}; add what it gives as a dataset, as a file")
    first = str(locations[0]) if locations else None
    return {
        "dataset": identifier(Path(first).stem if first else "data"),
        "location": first,
        "data_format": using,
        # MLflow wanted a loader for CSV; where none is named, Mainspring reads it.
        "loader": _function(ingest, "loader_method") if using in ("csv", "custom") else None,
    }


def _function(settings: Mapping[str, Any], key: str) -> str | None:
    name = settings.get(key)
    if name is not None and not (isinstance(name, str) and name.isidentifier()):
        raise Invalid(f"{key} is {str(name)[:60]!r}, which names no function")
    return name


def _needed(config: Mapping[str, Any], key: str, folder: Path) -> str:
    if not config.get(key):
        raise Invalid(f"the recipe has no {key}", where=str(folder / "recipe.yaml"))
    return str(config[key])


def _ratios(split: Mapping[str, Any]) -> tuple[float, ...]:
    found = split.get("split_ratios") or [0.75, 0.125, 0.125]
    if (
        not isinstance(found, list)
        or len(found) != 3
        or not all(isinstance(share, int | float) and share > 0 for share in found)
    ):
        raise Invalid(f"split_ratios is {str(found)[:60]}, not three positive numbers")
    return tuple(found)


def _estimator(train: Mapping[str, Any], left_out: list[str]) -> str | None:
    using = str(train.get("using") or "custom")
    if using != "custom":
        left_out.append(
            f"train: using {using!r} chooses an estimator by itself; boosted trees stand in for it"
        )
        return None
    tuning = train.get("tuning") or {}
    if tuning.get("enabled"):
        names = ", ".join(tuning.get("parameters") or {})
        left_out.append(f"train: tuning of {names or 'parameters'}; estimator_params are used")
    return _function(train, "estimator_method") or "estimator_fn"


def _rebalance(train: Mapping[str, Any]) -> float | None:
    if not train.get("rebalance_training_data", True):
        return None
    return float(train.get("resampling_minority_percentage", 0.3))


def _custom_metric(said: Mapping[str, Any]) -> CustomMetric:
    name, function = said.get("name"), _function(said, "function")
    if not isinstance(name, str) or function is None or "greater_is_better" not in said:
        raise Invalid(f"a custom metric lacks its name, function or greater_is_better: {said!r}")
    return CustomMetric(
        name=name, function=function, higher_is_better=bool(said["greater_is_better"])
    )


def _criteria(
    evaluate: Mapping[str, Any], custom: tuple[CustomMetric, ...], left_out: list[str]
) -> tuple[Criterion, ...]:
    higher = {each.name: each.higher_is_better for each in custom}
    higher |= dict.fromkeys(_HIGHER_IS_BETTER - higher.keys(), True)
    higher |= dict.fromkeys(_LOWER_IS_BETTER - higher.keys(), False)
    found = []
    for said in evaluate.get("validation_criteria") or ():
        metric, threshold = str(said.get("metric")), said.get("threshold")
        if metric not in higher or not isinstance(threshold, int | float):
            left_out.append(f"evaluate: the limit of {metric!r} ({threshold!r})")
            continue
        found.append(
            Criterion(metric=metric, threshold=float(threshold), higher_is_better=higher[metric])
        )
    return tuple(found)


def _say_rest(config: Mapping[str, Any], steps: Mapping[str, Any], left_out: list[str]) -> None:
    for name, instead in {
        "ingest_scoring": "`mainspring predict` and the serving address take rows",
        "predict": "a served model answers rows; batches are a step of your own",
    }.items():
        if steps.get(name):
            left_out.append(f"{name}: {instead}")
    if "register" in steps and steps["register"].get("allow_non_validated_model"):
        left_out.append(
            "register: allow_non_validated_model; a model whose gates fail is registered and never serves"
        )
    for key in ("predict_prefix", "predict_scores_for_all_classes"):
        if key in steps.get("train", {}):
            left_out.append(f"train: {key}; a model answers with its predictions")
    if (config.get("experiment") or {}).get("tracking_uri"):
        left_out.append("experiment: tracking_uri; runs are kept here")
