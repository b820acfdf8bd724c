"""Models in folders: the real MLflow loads ours, and we load its."""

import importlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor

from mainspring.domain.data_type import DataType
from mainspring.tracking.model_format import describe_folder, load_model
from mainspring.tracking.model_writing import write_model
from mainspring.tracking.trust import FULL_TRUST, NO_TRUST, Trust

pytestmark = pytest.mark.mlflow

CLIENT = Path(__file__).parents[3] / ".venv-mlflow" / "bin" / "python"
FRAME = pl.DataFrame({"hour": np.arange(200) % 24, "temperature": np.linspace(-5, 30, 200)})
TARGET = (FRAME["hour"] * 2).to_numpy()


DOUBLER = """
class Doubler:
    def predict(self, table):
        return [2.0 * hour for hour in table["hour"]]
"""


def in_mlflow(code: str, *arguments: object) -> str:
    """Run a script where MLflow is installed; gives what it printed."""
    if not CLIENT.exists():
        pytest.fail("there is no .venv-mlflow: make it with `make setup-mlflow`", pytrace=False)
    done = subprocess.run(
        [str(CLIENT), "-c", code, *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


PREDICT = """
import json, sys
import mlflow.pyfunc, pandas
model = mlflow.pyfunc.load_model(sys.argv[1])
table = pandas.DataFrame({"hour": [3, 20], "temperature": [1.5, 25.0]})
print(json.dumps({
    "answers": [float(answer) for answer in model.predict(table)],
    "inputs": model.metadata.get_input_schema().input_names(),
    "example": len(model.input_example),
}))
"""


@pytest.fixture
def doubler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A model of a user's own class, in a project of its own."""
    (tmp_path / "project").mkdir()
    (tmp_path / "project" / "doubler.py").write_text(DOUBLER)
    monkeypatch.syspath_prepend(tmp_path / "project")
    return importlib.import_module("doubler").Doubler()


@pytest.mark.parametrize("kind", ["skops", "pickle"])
def test_mlflow_loads_a_model_of_ours(kind: str, doubler: Any, tmp_path: Path) -> None:
    model = doubler if kind == "pickle" else HistGradientBoostingRegressor().fit(FRAME, TARGET)
    write_model(tmp_path / "model", model, inputs=FRAME, project=tmp_path / "project")

    told = json.loads(in_mlflow(PREDICT, tmp_path / "model").splitlines()[-1])

    few = pl.DataFrame({"hour": [3, 20], "temperature": [1.5, 25.0]})
    np.testing.assert_allclose(told["answers"], load_model(tmp_path / "model", FULL_TRUST)(few))
    assert told["inputs"] == ["hour", "temperature"]
    assert told["example"] == 5


SAVE = """
import sys
import mlflow.sklearn, numpy, pandas
from mlflow.models import infer_signature
from sklearn.compose import make_column_transformer
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

table = pandas.DataFrame({"hour": range(48), "weather": ["sun", "rain"] * 24})
model = make_pipeline(
    make_column_transformer((OneHotEncoder(), ["weather"]), remainder="passthrough"), LinearRegression()
)
model.fit(table, numpy.arange(48) * 3.0)
mlflow.sklearn.save_model(
    model, sys.argv[1], signature=infer_signature(table, model.predict(table)), pip_requirements=[],
    serialization_format=sys.argv[2],
    **({"skops_trusted_types": ["sklearn.compose._column_transformer._RemainderColsList"]}
       if sys.argv[2] == "skops" else {}),
)
"""


@pytest.mark.parametrize("form", ["skops", "cloudpickle"])
def test_we_load_a_model_of_mlflow(form: str, tmp_path: Path) -> None:
    in_mlflow(SAVE, tmp_path / "model", form)

    description = describe_folder(tmp_path / "model")
    answers = load_model(tmp_path / "model", FULL_TRUST)(
        pl.DataFrame({"weather": ["rain", "sun"], "hour": [5, 10]})
    )

    assert description.flavor == "sklearn"
    assert description.signature is not None
    assert [(f.name, f.type) for f in description.signature.inputs] == [
        ("hour", DataType.INTEGER),
        ("weather", DataType.STRING),
    ]
    np.testing.assert_allclose(answers, [15.0, 30.0])


SAVE_OTHERS = """
import sys
import mlflow, numpy, pandas
from mlflow.models import infer_signature

folder, kind = sys.argv[1:]
table = pandas.DataFrame({"hour": numpy.arange(200) % 24, "temperature": numpy.linspace(-5, 30, 200)})
target = table["hour"] * 2.0 + table["temperature"]
high = (target > 30).astype(int)
if kind == "lightgbm booster":
    import lightgbm, mlflow.lightgbm
    model = lightgbm.train({"verbose": -1, "num_threads": 1}, lightgbm.Dataset(table, target), 20)
    save = mlflow.lightgbm.save_model
elif kind == "lightgbm classifier":
    import lightgbm, mlflow.lightgbm
    model = lightgbm.LGBMClassifier(verbose=-1, n_jobs=1, n_estimators=20).fit(table, high)
    save = mlflow.lightgbm.save_model
elif kind.startswith("xgboost"):
    import xgboost, mlflow.xgboost
    save = mlflow.xgboost.save_model
    if kind == "xgboost booster":
        model = xgboost.train({"nthread": 1}, xgboost.DMatrix(table, target), 20)
    else:
        model = xgboost.XGBClassifier(n_estimators=20, n_jobs=1).fit(table, high)
else:
    import mlflow.onnx
    from skl2onnx import to_onnx
    from sklearn.ensemble import GradientBoostingRegressor
    fitted = GradientBoostingRegressor(n_estimators=20).fit(table.to_numpy(), target)
    model = to_onnx(fitted, table.to_numpy().astype("float32")[:1])
    save = mlflow.onnx.save_model
given = {"serialization_format": "cloudpickle"} if kind == "lightgbm classifier" else {}
signature = infer_signature(table, numpy.asarray([1.0]))
save(model, folder, signature=signature, pip_requirements=[], **given)
answers = mlflow.pyfunc.load_model(folder).predict(table)
values = next(iter(answers.values())) if isinstance(answers, dict) else answers
numpy.save(folder + ".npy", numpy.asarray(values, dtype=float).ravel())
"""


@pytest.mark.parametrize(
    ("kind", "trust"),
    [
        ("lightgbm booster", NO_TRUST),
        ("lightgbm classifier", FULL_TRUST),
        ("xgboost booster", NO_TRUST),
        ("xgboost classifier", NO_TRUST),
        ("onnx", NO_TRUST),
    ],
)
def test_models_of_other_libraries_answer_as_in_mlflow_without_it(
    kind: str, trust: Trust, tmp_path: Path
) -> None:
    in_mlflow(SAVE_OTHERS, tmp_path / "model", kind)
    shuffled = pl.DataFrame({"temperature": np.linspace(-5, 30, 200), "hour": np.arange(200) % 24})

    answers = load_model(tmp_path / "model", trust)(shuffled)

    assert "mlflow" not in sys.modules
    assert describe_folder(tmp_path / "model").flavor == kind.split(maxsplit=1)[0]
    np.testing.assert_allclose(answers, np.load(tmp_path / "model.npy"), rtol=1e-5)
