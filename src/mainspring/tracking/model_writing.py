"""The MLflow model format, written: an estimator as a folder that MLflow and `model_format` can load.

scikit-learn's own types are kept by skops, which stores data and no code. What skops can't keep is
pickled, with the project's code beside it under `code/`. Nothing in the folder tells the time, so the
same model gives the same digest.
"""

import json
import math
import shutil
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.datasets.tables import data_type
from mainspring.domain.data_type import DataType
from mainspring.domain.signature import Feature, Signature
from mainspring.kernel.errors import Invalid
from mainspring.tracking.model_format import (
    EXAMPLE,
    MLMODEL,
    ModelDescription,
    describe_folder,
    is_trusted,
    to_container,
)
from mainspring.tracking.skops_zip import settle

if TYPE_CHECKING:
    import polars as pl

EXAMPLE_ROWS = 5
_SKOPS = "model.skops"
_PICKLE = "model.pkl"
_TO_MLFLOW = {
    DataType.BOOLEAN: "boolean",
    DataType.INTEGER: "long",
    DataType.FLOAT: "double",
    DataType.STRING: "string",
    DataType.DATE: "datetime",
    DataType.DATETIME: "datetime",
    DataType.OTHER: "any",
}


def signature_of(inputs: "pl.DataFrame") -> Signature:
    """The signature of a model that was trained on these columns."""
    return Signature(
        inputs=tuple(
            Feature(
                name=name,
                type=data_type(inputs.schema[name]),
                nullable=inputs[name].null_count() > 0 or _has_nan(inputs[name]),
            )
            for name in inputs.columns
        )
    )


def write_model(
    folder: Path,
    estimator: Any,
    *,
    inputs: "pl.DataFrame",
    container: str = "polars",
    project: Path | None = None,
) -> ModelDescription:
    """Write an estimator that was trained on `inputs` into a new folder, and read it back once.

    `container` is the kind of object that its training saw. `project` is the folder with the user's code,
    copied along if the model is pickled. Raises `Invalid` if it can't be kept.
    """
    if not callable(getattr(estimator, "predict", None)):
        raise Invalid(
            f"a {type(estimator).__name__} is no model: it has no predict()",
            code="not_an_estimator",
            hint="Give ms.Model a fitted scikit-learn estimator, or any object with predict(table).",
        )
    folder.mkdir(parents=True)
    signature = signature_of(inputs)
    example = inputs.head(EXAMPLE_ROWS)
    answers = _first_answers(estimator, to_container(example, container))
    native = _write_data(folder, estimator, to_container(example, container), project)
    requirements = _requirements(native["serialization_format"], container)
    _write_example(folder, example)
    _write_environment(folder, requirements)
    flavors = _flavors(native, is_sklearn=_is_sklearn(estimator))
    _write_mlmodel(folder, flavors, signature, answers=answers, container=container)
    return describe_folder(folder)


def _first_answers(estimator: Any, example: Any) -> Any:
    if not len(example):
        return None
    try:
        return estimator.predict(example)
    except Exception as error:
        raise Invalid(
            f"the {type(estimator).__name__} can't predict the first rows of its own inputs: "
            f"{type(error).__name__}: {error}",
            code="model_fails",
            hint="Fit it first, and give ms.Model the same columns that it was fitted on.",
        ) from error


def _write_data(folder: Path, estimator: Any, example: Any, project: Path | None) -> dict[str, Any]:
    """Keep the estimator's own bytes; returns the settings of its flavor."""
    import sklearn

    native: dict[str, Any] = {"code": None, "sklearn_version": sklearn.__version__}
    trusted = _write_skops(folder / _SKOPS, estimator, example)
    if trusted is not None:
        return native | {
            "pickled_model": _SKOPS,
            "serialization_format": "skops",
            "skops_trusted_types": trusted,
        }
    _write_pickle(folder / _PICKLE, estimator)
    if project is not None and _copy_code(project, folder / "code"):
        native["code"] = "code"
    return native | {
        "pickled_model": _PICKLE,
        "serialization_format": "cloudpickle",
        "skops_trusted_types": None,
    }


def _write_skops(path: Path, estimator: Any, example: Any) -> list[str] | None:
    """Keep the estimator by skops; None (and no file) if it holds anything that skops can't keep whole."""
    import skops.io

    if not _is_sklearn(estimator):
        return None
    try:
        data = settle(skops.io.dumps(estimator))
        types: list[str] = skops.io.get_untrusted_types(data=data)
        if not all(is_trusted(name) for name in types):
            return None
        same = _answers_alike(estimator, skops.io.loads(data, trusted=types), example)
    except Exception:
        # skops raises whatever its reducers meet; the pickle that follows says if there is a real problem.
        return None
    if not same:
        return None
    path.write_bytes(data)
    return types


def _answers_alike(before: Any, after: Any, example: Any) -> bool:
    import numpy as np

    if not len(example):
        return True
    return np.array_equal(np.asarray(before.predict(example)), np.asarray(after.predict(example)))


def _write_pickle(path: Path, estimator: Any) -> None:
    import pickle

    import cloudpickle

    try:
        path.write_bytes(cloudpickle.dumps(estimator, protocol=pickle.DEFAULT_PROTOCOL))
    except Exception as error:
        raise Invalid(
            f"the {type(estimator).__name__} can't be pickled: {error}",
            code="unserialisable_model",
            hint="Keep open files, locks, connections and threads out of the model.",
        ) from error


def _copy_code(project: Path, target: Path) -> bool:
    sources = sorted(path for path in project.rglob("*.py") if path.is_file())
    for source in sources:
        destination = target / source.relative_to(project)
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, destination)
    return bool(sources)


def _flavors(native: dict[str, Any], *, is_sklearn: bool) -> dict[str, dict[str, Any]]:
    pyfunc = {
        "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
        # Its loader takes any object with predict(), scikit-learn's or not.
        "loader_module": "mlflow.sklearn",
        "model_path": native["pickled_model"],
        "predict_fn": "predict",
        "python_version": _python_version(),
    }
    if native["code"]:
        pyfunc["code"] = native["code"]
    flavors = {"python_function": pyfunc}
    return flavors | {"sklearn": native} if is_sklearn else flavors


def _write_mlmodel(
    folder: Path,
    flavors: dict[str, dict[str, Any]],
    signature: Signature,
    *,
    answers: Any,
    container: str,
) -> None:
    import yaml

    content = {
        "flavors": flavors,
        "metadata": {"mainspring": {"container": container}},
        "model_size_bytes": sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()),
        "saved_input_example_info": {
            "artifact_path": EXAMPLE,
            "pandas_orient": "split",
            "serving_input_path": "serving_input_example.json",
            "type": "dataframe",
        },
        "signature": {
            "inputs": json.dumps([_column(feature) for feature in signature.inputs]),
            "outputs": _output_spec(answers),
            "params": None,
        },
    }
    (folder / MLMODEL).write_text(yaml.safe_dump(content, default_flow_style=False))


def _column(feature: Feature) -> dict[str, Any]:
    # MLflow holds that an integer can't be missing: pandas turns such a column into floats.
    missing_integer = feature.nullable and feature.type is DataType.INTEGER
    type_ = "double" if missing_integer else _TO_MLFLOW[feature.type]
    return {"type": type_, "name": feature.name, "required": not feature.nullable}


def _output_spec(answers: Any) -> str | None:
    import numpy as np

    if answers is None:
        return None
    array = np.asarray(answers)
    if array.dtype.kind in "OUST":
        return json.dumps([{"type": "string", "required": True}])
    spec = {"dtype": str(array.dtype), "shape": [-1, *array.shape[1:]]}
    return json.dumps([{"type": "tensor", "tensor-spec": spec}])


def _write_example(folder: Path, example: "pl.DataFrame") -> None:
    table = {
        "columns": example.columns,
        "data": [[_plain(value) for value in row] for row in example.rows()],
    }
    (folder / EXAMPLE).write_text(json.dumps(table))
    (folder / "serving_input_example.json").write_text(json.dumps({"dataframe_split": table}))


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _write_environment(folder: Path, requirements: Sequence[str]) -> None:
    import yaml

    (folder / "requirements.txt").write_text("".join(line + "\n" for line in requirements))
    builders = _pinned(["pip", "setuptools", "wheel"])
    python_env = {
        "python": _python_version(),
        "build_dependencies": builders,
        "dependencies": ["-r requirements.txt"],
    }
    (folder / "python_env.yaml").write_text(yaml.safe_dump(python_env, sort_keys=False))
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={_python_version()}", "pip", {"pip": list(requirements)}],
    }
    (folder / "conda.yaml").write_text(yaml.safe_dump(conda, sort_keys=False))


def _requirements(serialisation: str, container: str) -> list[str]:
    names = ["numpy", "scikit-learn", "scipy", serialisation]
    return _pinned(names if container == "numpy" else [*names, container])


def _pinned(names: Iterable[str]) -> list[str]:
    lines = []
    for name in names:
        try:
            lines.append(f"{name}=={version(name)}")
        except PackageNotFoundError:
            continue
    return sorted(lines)


def _python_version() -> str:
    return ".".join(str(part) for part in sys.version_info[:3])


def _is_sklearn(estimator: Any) -> bool:
    from sklearn.base import BaseEstimator

    return isinstance(estimator, BaseEstimator)


def _has_nan(column: "pl.Series") -> bool:
    return column.dtype.is_float() and bool(column.is_nan().any())
