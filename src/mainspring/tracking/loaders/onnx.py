"""ONNX models, run by onnxruntime."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.kernel.errors import Invalid
from mainspring.tracking.loaders.port import LoadedModel, data_file, missing

if TYPE_CHECKING:
    import polars as pl

_TYPES = {
    "tensor(float)": "float32",
    "tensor(double)": "float64",
    "tensor(int64)": "int64",
    "tensor(int32)": "int32",
    "tensor(bool)": "bool",
    "tensor(string)": "object",
}


def load(folder: Path, settings: Mapping[str, Any]) -> LoadedModel:
    """A model that takes one tensor of all columns, or a tensor for each; its first output answers."""
    try:
        import onnxruntime
    except ImportError as error:
        raise missing("onnx", "onnx") from error
    options = onnxruntime.SessionOptions()
    # Of workers there are as many as there are cores.
    options.intra_op_num_threads = 1
    path = str(data_file(folder, settings, "model.onnx"))
    session = onnxruntime.InferenceSession(
        path, sess_options=options, providers=["CPUExecutionProvider"]
    )
    inputs = [(each.name, _type_of(each.name, each.type)) for each in session.get_inputs()]
    return LoadedModel(predict=_predictor(session, inputs), container="polars")


def _type_of(name: str, told: str) -> str:
    if told not in _TYPES:
        raise Invalid(
            f"the model's input {name!r} is a {told}, which no table can give", code="not_a_model"
        )
    return _TYPES[told]


def _predictor(session: Any, inputs: list[tuple[str, str]]) -> Callable[["pl.DataFrame"], Any]:
    first_output = session.get_outputs()[0].name

    def predict(table: "pl.DataFrame") -> Any:
        if len(inputs) == 1:
            name, type_ = inputs[0]
            feeds = {name: table.to_numpy().astype(type_)}
        else:
            feeds = {
                name: table[name].to_numpy().astype(type_).reshape(-1, 1) for name, type_ in inputs
            }
        return session.run([first_output], feeds)[0]

    return predict
