"""Writing and reading the MLflow model format."""

import json
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from mainspring.domain.data_type import DataType
from mainspring.domain.signature import Feature, Signature
from mainspring.kernel.errors import Invalid, Rejected, Unavailable
from mainspring.tracking.model_format import (
    describe_folder,
    describe_model,
    load_model,
    read_example,
)
from mainspring.tracking.model_writing import signature_of, write_model
from mainspring.tracking.trust import FULL_TRUST, Trust

FRAME = pl.DataFrame(
    {
        "hour": [1, 2, 3, 4, 5, 6, 7, 8],
        "temperature": [1.5, 2.0, None, 4.0, 1.0, 3.5, 8.0, 2.5],
        "weather": ["rain", "sun", "sun", "snow", "rain", "rain", "sun", "snow"],
    }
)
TARGET = np.array([1.0, 2.0, 3.5, 4.0, 5.5, 6.0, 7.0, 8.5])


class Halver(RegressorMixin, BaseEstimator):
    """A user's own estimator."""

    def fit(self, X: Any, y: Any) -> "Halver":
        self.scale_ = 0.5
        return self

    def predict(self, X: pl.DataFrame) -> Any:
        return X["hour"].to_numpy() * self.scale_


def a_pipeline() -> Any:
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), ["weather"]),
        (StandardScaler(), ["hour"]),
    )
    return make_pipeline(columns, LinearRegression()).fit(FRAME, TARGET)


def test_a_saved_model_gives_the_same_answers(tmp_path: Path) -> None:
    model = a_pipeline()

    write_model(tmp_path / "model", model, inputs=FRAME)

    answers = load_model(tmp_path / "model", FULL_TRUST)(FRAME)
    np.testing.assert_array_equal(answers, model.predict(FRAME))


def test_columns_are_taken_by_name_and_order(tmp_path: Path) -> None:
    model = a_pipeline()
    write_model(tmp_path / "model", model, inputs=FRAME)
    shuffled = FRAME.select("weather", pl.lit(1).alias("extra"), "temperature", "hour")

    answers = load_model(tmp_path / "model", FULL_TRUST)(shuffled)

    np.testing.assert_array_equal(answers, model.predict(FRAME))


def test_scikit_learn_is_kept_without_pickle(tmp_path: Path) -> None:
    numeric = FRAME.select("hour", "temperature")
    for number, model in enumerate(
        [
            HistGradientBoostingRegressor().fit(numeric, TARGET),
            RandomForestClassifier(n_estimators=3).fit(numeric, TARGET > 4),
        ]
    ):
        folder = tmp_path / str(number)
        write_model(folder, model, inputs=numeric)

        assert describe_folder(folder).flavors["sklearn"]["serialization_format"] == "skops"
        assert not (folder / "model.pkl").exists()


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_model(tmp_path / name, a_pipeline(), inputs=FRAME)

    files = sorted(path.name for path in (tmp_path / "a").iterdir())

    assert files == sorted(path.name for path in (tmp_path / "b").iterdir())
    for name in files:
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes(), name


def test_users_own_code_travels_with_the_model(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    (project / "thinker_of_one_test.py").write_text(
        "class Thinker:\n    def predict(self, table):\n        return table['hour'].to_numpy() + 41\n"
    )
    sys.path.insert(0, str(project))
    try:
        import thinker_of_one_test as module

        write_model(tmp_path / "model", module.Thinker(), inputs=FRAME, project=project)
    finally:
        sys.path.remove(str(project))
        del sys.modules["thinker_of_one_test"]

    answers = load_model(tmp_path / "model", FULL_TRUST)(FRAME)

    assert answers[0] == 42
    assert (tmp_path / "model" / "code" / "thinker_of_one_test.py").exists()
    sys.path.remove(str(tmp_path / "model" / "code"))
    del sys.modules["thinker_of_one_test"]


def test_a_users_estimator_is_pickled(tmp_path: Path) -> None:
    write_model(tmp_path / "model", Halver().fit(FRAME, TARGET), inputs=FRAME)

    assert (
        describe_folder(tmp_path / "model").flavors["sklearn"]["serialization_format"]
        == "cloudpickle"
    )
    assert load_model(tmp_path / "model", FULL_TRUST)(FRAME)[1] == 1.0


def test_a_transformer_with_a_lambda_is_pickled_too(tmp_path: Path) -> None:
    model = make_pipeline(FunctionTransformer(lambda t: t.select("hour")), LinearRegression())
    model.fit(FRAME, TARGET)

    write_model(tmp_path / "model", model, inputs=FRAME)

    np.testing.assert_array_equal(
        load_model(tmp_path / "model", FULL_TRUST)(FRAME), model.predict(FRAME)
    )


def test_models_trained_on_arrays_are_given_arrays(tmp_path: Path) -> None:
    numeric = FRAME.select("hour", pl.col("temperature").fill_null(0.0))
    model = LinearRegression().fit(numeric.to_numpy(), TARGET)

    write_model(tmp_path / "model", model, inputs=numeric, container="numpy")

    np.testing.assert_allclose(
        load_model(tmp_path / "model", FULL_TRUST)(numeric), model.predict(numeric.to_numpy())
    )


def test_what_can_not_predict_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"no predict\(\)"):
        write_model(tmp_path / "model", object(), inputs=FRAME)


def test_an_unpicklable_model_is_refused_clearly(tmp_path: Path) -> None:
    model = Halver().fit(FRAME, TARGET)
    model.lock = threading.Lock()

    with pytest.raises(Invalid, match="can't be pickled"):
        write_model(tmp_path / "model", model, inputs=FRAME)


def test_a_model_that_was_not_fitted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="its own inputs"):
        write_model(tmp_path / "model", LinearRegression(), inputs=FRAME)


def test_the_signature_survives(tmp_path: Path) -> None:
    description = write_model(tmp_path / "model", a_pipeline(), inputs=FRAME)

    assert description.signature == signature_of(FRAME)
    assert description.signature == Signature(
        inputs=(
            Feature(name="hour", type=DataType.INTEGER),
            Feature(name="temperature", type=DataType.FLOAT, nullable=True),
            Feature(name="weather", type=DataType.STRING),
        )
    )


def test_the_example_comes_back_typed(tmp_path: Path) -> None:
    write_model(tmp_path / "model", a_pipeline(), inputs=FRAME)

    example = read_example(tmp_path / "model")

    assert example is not None
    assert example.equals(FRAME.head(5))


def test_a_signature_as_mlflow_writes_it_is_understood() -> None:
    columns = [
        {"type": "long", "name": "a", "required": True},
        {"type": "double", "name": "b", "required": False},
        {"type": "binary", "name": "c", "required": True},
    ]
    text = yaml.safe_dump(
        {
            "flavors": {"python_function": {}, "xgboost": {}},
            "signature": {"inputs": json.dumps(columns), "outputs": None, "params": None},
        }
    )

    description = describe_model(text)

    assert description.flavor == "xgboost"
    assert description.signature is not None
    assert [f.type for f in description.signature.inputs] == [
        DataType.INTEGER,
        DataType.FLOAT,
        DataType.OTHER,
    ]
    assert description.signature.inputs[1].nullable


def test_an_unnamed_array_becomes_numbered_columns() -> None:
    spec = [{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1, 2]}}]
    text = yaml.safe_dump({"flavors": {"sklearn": {}}, "signature": {"inputs": json.dumps(spec)}})

    signature = describe_model(text).signature

    assert signature is not None
    assert [(f.name, f.type) for f in signature.inputs] == [
        ("x0", DataType.FLOAT),
        ("x1", DataType.FLOAT),
    ]


@pytest.mark.parametrize(
    "text", ["", "- 1", "flavors: {}", "flavors: {a: 1}", "{", b"\xff\xfe\x00"]
)
def test_what_is_no_mlmodel_is_refused(text: str | bytes) -> None:
    with pytest.raises(Invalid, match="no model in MLflow's format"):
        describe_model(text)


def test_a_model_folder_can_not_point_outside_itself(tmp_path: Path) -> None:
    write_model(tmp_path / "model", a_pipeline(), inputs=FRAME)
    path = tmp_path / "model" / "MLmodel"
    path.write_text(path.read_text().replace("model.skops", "../../../etc/passwd"))

    with pytest.raises(Invalid, match="plain relative path"):
        load_model(tmp_path / "model", FULL_TRUST)


def test_undeclared_types_are_refused(tmp_path: Path) -> None:
    import skops.io

    write_model(tmp_path / "model", a_pipeline(), inputs=FRAME)
    skops.io.dump(Halver().fit(FRAME, TARGET), tmp_path / "model" / "model.skops")

    with pytest.raises(Invalid, match="does not declare"):
        load_model(tmp_path / "model", FULL_TRUST)


def test_flavors_that_need_mlflow_say_so(tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(
        "flavors: {python_function: {loader_module: mlflow.prophet}, prophet: {}}"
    )

    with pytest.raises(Unavailable, match="loaded by MLflow"):
        load_model(tmp_path, FULL_TRUST)


def test_a_wrong_number_of_answers_is_refused(tmp_path: Path) -> None:
    class Mean:
        def predict(self, table: pl.DataFrame) -> Any:
            return [1.0]

    write_model(tmp_path / "model", Mean(), inputs=FRAME.head(1))

    with pytest.raises(Invalid, match="for 8 rows"):
        load_model(tmp_path / "model", FULL_TRUST)(FRAME)


NUMBERS = pl.DataFrame({"hour": [1.0, 2.0]})


@pytest.mark.parametrize("trust", [Trust(), Trust(code=True)])
def test_a_pickle_is_refused_without_trust(trust: Trust, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_model(folder, LinearRegression().fit(NUMBERS, [1.0, 2.0]), inputs=NUMBERS)
    mlmodel = (folder / "MLmodel").read_text().replace("serialization_format: skops", "")
    (folder / "MLmodel").write_text(mlmodel)

    with pytest.raises(Rejected, match="a pickled model may run anything") as caught:
        load_model(folder, trust)
    assert caught.value.code == "not_trusted"


def test_code_in_a_folder_is_refused_without_trust(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    write_model(folder, LinearRegression().fit(NUMBERS, [1.0, 2.0]), inputs=NUMBERS)
    mlmodel = (folder / "MLmodel").read_text().replace("code: null", "code: code")
    (folder / "MLmodel").write_text(mlmodel)
    (folder / "code").mkdir()

    with pytest.raises(Rejected, match="code of its own"):
        load_model(folder, Trust(pickle=True))
    assert str(folder / "code") not in sys.path


def test_what_only_mlflow_can_load_is_refused_without_trust(tmp_path: Path) -> None:
    text = "flavors: {python_function: {loader_module: os, env: {}}, prophet: {}}"
    (tmp_path / "MLmodel").write_text(text)

    with pytest.raises(Rejected, match="flavor 'prophet' may run anything"):
        load_model(tmp_path, Trust(pickle=True))


def test_a_class_that_is_not_xgboosts_is_not_made(tmp_path: Path) -> None:
    text = "flavors: {xgboost: {data: m.ubj, model_class: subprocess.Popen}}"
    (tmp_path / "MLmodel").write_text(text)
    (tmp_path / "m.ubj").write_bytes(b"")

    with pytest.raises(Invalid, match="no class of XGBoost"):
        load_model(tmp_path, FULL_TRUST)


@pytest.mark.parametrize("flavor", ["lightgbm", "xgboost", "onnx"])
def test_a_data_file_outside_the_folder_is_not_read(flavor: str, tmp_path: Path) -> None:
    (tmp_path / "MLmodel").write_text(f"flavors: {{{flavor}: {{data: ../../etc/passwd}}}}")

    with pytest.raises(Invalid):
        load_model(tmp_path, FULL_TRUST)


@pytest.mark.parametrize(
    ("flavor", "module"),
    [("lightgbm", "lightgbm"), ("xgboost", "xgboost"), ("onnx", "onnxruntime")],
)
def test_a_library_that_is_missing_is_named_with_its_extra(
    flavor: str, module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "MLmodel").write_text(f"flavors: {{{flavor}: {{data: model}}}}")
    monkeypatch.setitem(sys.modules, module, None)

    with pytest.raises(Unavailable, match=rf"mainspring\[{flavor}\]"):
        load_model(tmp_path)
