"""PyTorch's models, as MLflow saves them: exported graphs, TorchScript, pickled modules. On the CPU.

None of these holds data only, whatever they are said to be. A pickled module is a pickle. An exported graph (`.pt2`)
names functions that PyTorch looks up anywhere below its own package, `os` among them, has formulas that are evaluated, and
may have pickles for weights. TorchScript is a program. So each needs trust.
"""

import importlib
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from mainspring.blobs.trees import check_relative
from mainspring.kernel.errors import Invalid
from mainspring.tracking.loaders.port import LoadedModel, missing
from mainspring.tracking.trust import Trust, check_trust

_EXPORTED = "model.pt2"
_SAVED = "model.pth"


def load(
    folder: Path,
    settings: Mapping[str, Any],
    trust: Trust,
    put_on_path: Callable[[str], None],
) -> LoadedModel:
    """A model that takes one tensor of all columns and answers with one tensor.

    `put_on_path` makes a folder of the model's own modules importable. Raises `Rejected` for what asks for
    more trust than it has, before anything of it is read.
    """
    relative = str(settings.get("model_data") or "data")
    check_relative(relative)
    path = folder / relative
    exported, saved = path / _EXPORTED, path / _SAVED
    if not exported.is_file() and not saved.is_file():
        raise Invalid(
            f"the model folder lacks its data file {relative[:200]}/{_SAVED}",
            code="model_incomplete",
        )
    is_script = not exported.is_file() and _is_script(saved)
    if exported.is_file() or not is_script:
        check_trust(trust.pickle, "pickle", "a PyTorch model that is or may hold a pickle")
    if exported.is_file() or is_script:
        check_trust(trust.code, "code", "an exported PyTorch model, which is a program,")
    if code := settings.get("code"):
        check_trust(trust.code, "code", "a model that brings code of its own")
        put_on_path(str(code))
    torch = _torch()
    if exported.is_file():
        program = torch.export.load(str(exported))
        return LoadedModel(predict=_of_program(torch, program), container="numpy")
    model = (
        torch.jit.load(str(saved), map_location="cpu") if is_script else _unpickled(torch, saved)
    )
    model.eval()
    return LoadedModel(predict=_of_module(torch, model), container="numpy")


def _torch() -> Any:
    try:
        import torch
        import torch.export
    except ImportError as error:
        raise missing("pytorch", "torch") from error
    # Of workers there are as many as there are cores.
    torch.set_num_threads(1)
    return torch


def _is_script(path: Path) -> bool:
    """Whether a file is TorchScript's archive; a pickled module's has no constants."""
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/constants.pkl") for name in archive.namelist())
    except (OSError, zipfile.BadZipFile):
        return False


def _unpickled(torch: Any, path: Path) -> Any:
    # MLflow pickles by cloudpickle, whose pickles are plain ones that need it installed.
    importlib.import_module("cloudpickle")
    model = torch.load(str(path), map_location="cpu", weights_only=False)
    if not isinstance(model, torch.nn.Module):
        raise Invalid(
            f"the model is a {type(model).__name__}, no module of PyTorch", code="not_a_model"
        )
    return model


def _of_module(torch: Any, model: Any) -> Callable[[Any], Any]:
    weights = (each.dtype for each in model.parameters() if each.is_floating_point())
    dtype = next(weights, torch.float32)

    def predict(table: Any) -> Any:
        with torch.inference_mode():
            return _answers(torch, model(_tensor(torch, table, dtype)))

    return predict


def _of_program(torch: Any, program: Any) -> Callable[[Any], Any]:
    wanted = set(program.graph_signature.user_inputs)
    inputs = [node.meta["val"] for node in program.graph.nodes if node.name in wanted]
    if len(inputs) != 1:
        raise Invalid(
            f"the model takes {len(inputs)} tensors, and a table gives one", code="not_a_model"
        )
    (one,) = inputs
    module = program.module()
    # An example of one row makes a graph that takes one row for ever.
    by_row = bool(one.shape) and one.shape[0] == 1 and isinstance(one.shape[0], int)

    def predict(table: Any) -> Any:
        tensor = _tensor(torch, table, one.dtype)
        with torch.inference_mode():
            if not by_row:
                return _answers(torch, module(tensor))
            rows = [_answers(torch, module(row.reshape(1, -1))) for row in tensor]
            return torch.cat([torch.from_numpy(row) for row in rows]).numpy()

    return predict


def _tensor(torch: Any, table: Any, dtype: Any) -> Any:
    return torch.from_numpy(table.copy()).to(dtype)


def _answers(torch: Any, result: Any) -> Any:
    if not isinstance(result, torch.Tensor):
        raise Invalid(
            f"the model answered with a {type(result).__name__}, not with one tensor",
            code="wrong_answer_count",
        )
    return result.detach().cpu().numpy()
