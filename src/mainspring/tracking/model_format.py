"""The MLflow model format, read: what a model folder says of itself, and the model inside it.

A folder is `MLmodel` (YAML) beside the model's data. Its description and signature are plain data, which
any process may read. `load_model` runs code from the folder: only worker processes call it.
`model_writing.py` is the other half.
"""

import importlib.util
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.blobs.trees import check_relative
from mainspring.domain.data_type import DataType
from mainspring.domain.signature import Feature, Signature
from mainspring.kernel.errors import Invalid, Unavailable
from mainspring.tracking.loaders import lightgbm, onnx, torch, xgboost
from mainspring.tracking.loaders.port import LoadedModel
from mainspring.tracking.trust import NO_TRUST, Trust, check_trust

if TYPE_CHECKING:
    import numpy as np
    import polars as pl

MLMODEL = "MLmodel"
EXAMPLE = "input_example.json"
# Packages whose types skops may build: they come from distributions, not from the model's author.
TRUSTED_PACKAGES = frozenset({"sklearn", "numpy", "scipy", "builtins", "collections", "datetime"})


Predict = Callable[["pl.DataFrame"], "np.ndarray[Any, Any]"]

_FROM_MLFLOW = {
    "boolean": DataType.BOOLEAN,
    "integer": DataType.INTEGER,
    "long": DataType.INTEGER,
    "float": DataType.FLOAT,
    "double": DataType.FLOAT,
    "string": DataType.STRING,
    "datetime": DataType.DATETIME,
}
_FROM_NUMPY = {
    "b": DataType.BOOLEAN,
    "i": DataType.INTEGER,
    "u": DataType.INTEGER,
    "f": DataType.FLOAT,
    "U": DataType.STRING,
    "o": DataType.STRING,
    "s": DataType.STRING,
    "M": DataType.DATETIME,
    "d": DataType.DATETIME,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDescription:
    """What a folder's `MLmodel` says, without running anything.

    `flavor` is the most specific flavor; `flavors` maps every flavor to its settings. `container` is what
    the model was trained on (`polars`, `pandas`, `numpy`), None if the folder doesn't say.
    """

    flavor: str
    flavors: Mapping[str, Mapping[str, Any]]
    signature: Signature | None
    container: str | None = None
    run: str | None = None
    model_id: str | None = None


def describe_model(mlmodel: bytes | str) -> ModelDescription:
    """Read the text of an `MLmodel` file; raises `Invalid` for what is none."""
    import yaml

    try:
        content = yaml.safe_load(mlmodel)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise _not_a_model(f"it is not YAML ({error})") from error
    flavors = content.get("flavors") if isinstance(content, dict) else None
    if not isinstance(flavors, dict) or not flavors:
        raise _not_a_model("it names no flavors")
    if not all(isinstance(settings, dict) for settings in flavors.values()):
        raise _not_a_model("a flavor has no settings")
    native = [name for name in flavors if name != "python_function"]
    metadata = content.get("metadata")
    ours = metadata.get("mainspring") if isinstance(metadata, dict) else None
    return ModelDescription(
        flavor=native[0] if native else "python_function",
        flavors=flavors,
        signature=_signature(content.get("signature")),
        container=ours.get("container") if isinstance(ours, dict) else None,
        run=content.get("run_id"),
        model_id=content.get("model_id"),
    )


def describe_folder(folder: Path) -> ModelDescription:
    """Read a model folder's `MLmodel`; raises `Invalid` if there is none."""
    try:
        text = (folder / MLMODEL).read_bytes()
    except OSError as error:
        raise _not_a_model("the folder has no such file") from error
    return describe_model(text)


def read_example(folder: Path) -> "pl.DataFrame | None":
    """The rows that were stored as an example of the model's inputs, typed by its signature."""
    import polars as pl

    path = folder / EXAMPLE
    signature = describe_folder(folder).signature
    if signature is None or not path.exists():
        return None
    content = json.loads(path.read_bytes())
    names = content.get("columns") if isinstance(content, dict) else None
    if names is None:
        return None
    rows = pl.DataFrame(content["data"], schema=[str(name) for name in names], orient="row")
    return rows.select(_as_declared(feature) for feature in signature.inputs)


def load_model(folder: Path, trust: Trust = NO_TRUST) -> Predict:
    """The model in a folder as a function from a table to one answer per row.

    Columns are taken by name, in the order of the signature. Without `trust` nothing of the folder is run: a
    pickle and a folder's own code are refused. Raises `Invalid` for a folder that can't be loaded,
    `Rejected` for one that asks for more trust than it has, `Unavailable` if a package that it needs is not
    installed.
    """
    description = describe_folder(folder)
    settings = description.flavors.get("python_function", {})
    if (loaded := _native(folder, description, trust)) is not None:
        return _predictor(loaded.predict, description, loaded.container)
    if not _is_estimator(description):
        check_trust(trust.code, "code", f"a model of the flavor {description.flavor!r}")
        return _with_mlflow(folder, description)
    estimator = load_estimator(folder, description, trust)
    method = getattr(estimator, str(settings.get("predict_fn", "predict")), None)
    if method is None:
        raise Invalid(
            f"the model in {folder.name} is a {type(estimator).__name__}: it can't predict"
        )
    return _predictor(method, description, _container(estimator, description))


def load_estimator(
    folder: Path, description: ModelDescription | None = None, trust: Trust = NO_TRUST
) -> Any:
    """The object itself that was saved; see `load_model` for what that runs."""
    description = description or describe_folder(folder)
    settings = description.flavors.get("python_function", {})
    native = description.flavors.get("sklearn") or description.flavors.get("lightgbm") or {}
    relative = native.get("pickled_model") or native.get("data") or settings.get("model_path", "")
    path = _inside(folder, str(relative))
    if not path.is_file():
        raise Invalid(
            f"the model folder lacks its data file {path.name!r}", code="model_incomplete"
        )
    if code := native.get("code") or settings.get("code"):
        check_trust(trust.code, "code", "a model that brings code of its own")
        _put_on_path(_inside(folder, str(code)))
    if native.get("serialization_format") == "skops":
        return _load_skops(path, native.get("skops_trusted_types") or [])
    check_trust(trust.pickle, "pickle", "a pickled model")
    import cloudpickle

    with path.open("rb") as stream:
        return cloudpickle.load(stream)


def _native(folder: Path, description: ModelDescription, trust: Trust) -> LoadedModel | None:
    """A model whose library has a format of its own; all but PyTorch's hold data only."""
    flavors = description.flavors
    if (found := flavors.get("lightgbm")) is not None and lightgbm.is_native(found):
        return lightgbm.load(folder, found)
    if (found := flavors.get("xgboost")) is not None:
        return xgboost.load(folder, found)
    if (found := flavors.get("onnx")) is not None:
        return onnx.load(folder, found)
    if (found := flavors.get("pytorch")) is not None:
        return torch.load(folder, found, trust, lambda code: _put_on_path(_inside(folder, code)))
    return None


def _is_estimator(description: ModelDescription) -> bool:
    """Whether the folder holds one object with scikit-learn's methods, pickled or by skops."""
    loader = description.flavors.get("python_function", {}).get("loader_module")
    return loader == "mlflow.sklearn" or bool({"sklearn", "lightgbm"} & set(description.flavors))


def _load_skops(path: Path, listed: list[str]) -> Any:
    import skops.io

    found = skops.io.get_untrusted_types(file=path)
    unknown = sorted(name for name in found if not is_trusted(name) and name not in listed)
    if unknown:
        raise Invalid(
            f"the model contains types that it does not declare: {', '.join(unknown)}",
            code="untrusted_types",
            hint="Save it again with these in skops_trusted_types, if you trust them.",
        )
    return skops.io.load(path, trusted=found)


def is_trusted(type_name: str) -> bool:
    """Whether a type, named by its full path, comes from a package that every model may use."""
    return type_name.partition(".")[0] in TRUSTED_PACKAGES


def _predictor(method: Callable[[Any], Any], description: ModelDescription, kind: str) -> Predict:
    names = (
        [feature.name for feature in description.signature.inputs]
        if description.signature
        else None
    )

    def predict(frame: "pl.DataFrame") -> "np.ndarray[Any, Any]":
        table = frame.select(names) if names is not None else frame
        return _answers(method(to_container(table, kind)), frame.height)

    return predict


def to_container(frame: "pl.DataFrame", kind: str) -> Any:
    """A table as the kind of object that a model was trained on."""
    if kind == "numpy":
        return frame.to_numpy()
    if kind == "pandas":
        import pandas

        # Not `to_pandas()`, which needs pyarrow; that is no part of the base install.
        return pandas.DataFrame({name: frame[name].to_numpy() for name in frame.columns})
    return frame


def _answers(result: Any, row_count: int) -> "np.ndarray[Any, Any]":
    import numpy as np

    answers = np.asarray(result.to_numpy() if hasattr(result, "to_numpy") else result)
    if answers.ndim == 2 and answers.shape[1] == 1:
        answers = answers[:, 0]
    if answers.shape[:1] != (row_count,):
        raise Invalid(
            f"the model gave answers of shape {answers.shape} for {row_count} rows",
            code="wrong_answer_count",
            hint="A model answers with one value per row.",
        )
    return answers


def _container(estimator: Any, description: ModelDescription) -> str:
    if description.container:
        return description.container
    if not hasattr(estimator, "feature_names_in_") and hasattr(estimator, "n_features_in_"):
        return "numpy"
    # Saved by MLflow, so it was trained on pandas; scikit-learn's own parts take polars as well.
    without = "numpy" if "lightgbm" in description.flavors else "polars"
    return "pandas" if importlib.util.find_spec("pandas") else without


def _with_mlflow(folder: Path, description: ModelDescription) -> Predict:
    try:
        import mlflow.pyfunc
        import pandas  # noqa: F401
    except ImportError as error:
        raise Unavailable(
            f"a model of the flavor {description.flavor!r} is loaded by MLflow, which is not installed",
            code="flavor_needs_mlflow",
            hint="Install mlflow and pandas beside Mainspring, or save the model with scikit-learn's flavor.",
        ) from error
    model = mlflow.pyfunc.load_model(str(folder))
    return _predictor(model.predict, description, "pandas")


def _put_on_path(code: Path) -> None:
    if str(code) not in sys.path:
        sys.path.insert(0, str(code))


def _inside(folder: Path, relative: str) -> Path:
    check_relative(relative)
    return folder / relative


def _as_declared(feature: Feature) -> "pl.Expr":
    import polars as pl

    column = pl.col(feature.name)
    match feature.type:
        case DataType.BOOLEAN:
            return column.cast(pl.Boolean)
        case DataType.INTEGER:
            return column.cast(pl.Int64)
        case DataType.FLOAT:
            return column.cast(pl.Float64)
        case DataType.DATE | DataType.DATETIME:
            return column.cast(pl.String).str.to_datetime(time_unit="us", strict=False)
        case _:
            return column


def _signature(content: object) -> Signature | None:
    if not isinstance(content, dict) or not content.get("inputs"):
        return None
    try:
        inputs = _features(json.loads(content["inputs"]))
        outputs = _output_names(json.loads(content.get("outputs") or "[]"))
    except (TypeError, ValueError, KeyError, AttributeError, IndexError) as error:
        raise _not_a_model(f"its signature is not one of MLflow's ({error})") from error
    return Signature(inputs=inputs, outputs=outputs) if inputs else None


def _features(columns: list[dict[str, Any]]) -> tuple[Feature, ...]:
    features: list[Feature] = []
    for number, column in enumerate(columns):
        name = column.get("name")
        if column["type"] == "tensor":
            spec = column["tensor-spec"]
            type_ = _FROM_NUMPY.get(str(spec["dtype"])[0], DataType.OTHER)
            width = 1 if name is not None else max(0, spec["shape"][-1])
            names = [name] if name is not None else [f"x{index}" for index in range(width)]
            features += [Feature(name=each, type=type_) for each in names]
        else:
            features.append(
                Feature(
                    name=f"x{number}" if name is None else name,
                    type=_FROM_MLFLOW.get(column["type"], DataType.OTHER),
                    nullable=not column.get("required", True),
                )
            )
    return tuple(features)


def _output_names(columns: list[dict[str, Any]]) -> tuple[str, ...]:
    names = [column.get("name") for column in columns]
    if not names or any(name is None for name in names):
        return ("prediction",)
    return tuple(str(name) for name in names)


def _not_a_model(why: str) -> Invalid:
    return Invalid(
        f"this is no model in MLflow's format: {MLMODEL}: {why}",
        code="not_a_model",
        hint="Give a folder that `log_model` or `ms.Model` wrote.",
    )
