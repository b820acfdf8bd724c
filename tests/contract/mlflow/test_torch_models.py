"""PyTorch's models: what the real MLflow saves in each of its formats answers the same without MLflow."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.kernel.errors import Rejected, Unavailable
from mainspring.tracking.model_format import describe_folder, load_model
from mainspring.tracking.trust import FULL_TRUST, NO_TRUST, Trust

pytestmark = pytest.mark.mlflow

ROOT = Path(__file__).parents[3]
SAVE = """
import json, sys, warnings
sys.path.append(sys.argv[1])
warnings.simplefilter("ignore")
import mlflow.pytorch, numpy as np, torch
from mlflow.models import infer_signature
torch.manual_seed(0)
net = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1)).eval()
rows = np.array([[1, 2], [3, 4]], dtype=np.float32)
answers = net(torch.from_numpy(rows)).detach().numpy()
said = {"signature": infer_signature(rows, answers)}
match sys.argv[3]:
    case "exported":
        said |= {"serialization_format": "pt2", "input_example": rows}
    case "exported by one row":
        said |= {"serialization_format": "pt2", "input_example": rows[:1]}
    case "script":
        net = torch.jit.script(net)
if sys.argv[3] in ("pickle", "script") and mlflow.__version__[0] != "2":
    said["serialization_format"] = "pickle"
mlflow.pytorch.save_model(net, sys.argv[2], **said)
print(json.dumps(answers.ravel().tolist()))
"""
LOAD = """
import json, sys, warnings
sys.path.append(sys.argv[1])
warnings.simplefilter("ignore")
from pathlib import Path
import polars as pl
from mainspring.tracking.model_format import load_model
from mainspring.tracking.trust import FULL_TRUST
predict = load_model(Path(sys.argv[2]), FULL_TRUST)
print(json.dumps(predict(pl.DataFrame({"x1": [2.0, 4.0], "x0": [1.0, 3.0]})).tolist()))
"""


def torch_place() -> Path:
    """Where PyTorch is installed: in an environment of its own, which both sides look into last."""
    found = sorted((ROOT / ".venv-torch" / "lib").glob("python*/site-packages/torch"))
    if not found:
        pytest.fail("there is no .venv-torch: make it with `make setup-torch`", pytrace=False)
    return found[0].parent


def printed(python: Path, code: str, *arguments: object) -> str:
    if not python.exists():
        pytest.fail(f"there is no {python}: make it with `make setup-mlflow`", pytrace=False)
    command = [str(python), "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()[-1]


def saved(folder: Path, environment: str, form: str) -> tuple[float, ...]:
    client = ROOT / environment / "bin" / "python"
    return tuple(json.loads(printed(client, SAVE, torch_place(), folder, form)))


FORMS = [
    (".venv-mlflow", "exported"),
    (".venv-mlflow", "exported by one row"),
    (".venv-mlflow", "pickle"),
    (".venv-mlflow2", "script"),
]


@pytest.mark.parametrize(("environment", "form"), FORMS)
def test_a_model_answers_as_in_pytorch_itself(tmp_path: Path, environment: str, form: str) -> None:
    folder = tmp_path / "model"
    expected = saved(folder, environment, form)

    answers = json.loads(printed(Path(sys.executable), LOAD, torch_place(), folder))

    assert describe_folder(folder).flavor == "pytorch"
    assert answers == pytest.approx(expected, rel=1e-5)


PICKLE, CODE = Trust(pickle=True), Trust(code=True)


@pytest.mark.parametrize(
    ("form", "too_little", "enough"),
    [
        ("exported", (NO_TRUST, PICKLE, CODE), FULL_TRUST),
        ("pickle", (NO_TRUST, CODE), PICKLE),
        ("script", (NO_TRUST, PICKLE), CODE),
    ],
)
def test_none_of_its_formats_is_taken_for_plain_data(
    tmp_path: Path, form: str, too_little: tuple[Trust, ...], enough: Trust
) -> None:
    folder = tmp_path / "model"
    saved(folder, ".venv-mlflow2" if form == "script" else ".venv-mlflow", form)

    for trust in too_little:
        with pytest.raises(Rejected, match="may run anything when it is loaded"):
            load_model(folder, trust)
    # Past the question of trust; this environment has no PyTorch.
    with pytest.raises(Unavailable, match="needs a library") as lacking:
        load_model(folder, enough)
    assert "mainspring[torch]" in str(lacking.value.hint)
