"""Tensors of the Open Inference Protocol v2, in JSON or by its binary extension, to columns and back."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import msgspec

from mainspring.api.oip import binary
from mainspring.domain.signature import Signature
from mainspring.kernel.codec import decode
from mainspring.kernel.errors import Invalid
from mainspring.serving.answer import Question, Reply
from mainspring.serving.inputs import RESERVED

MAX_ROWS = 100_000

_INTEGERS = {
    "INT8": (-(2**7), 2**7 - 1),
    "INT16": (-(2**15), 2**15 - 1),
    "INT32": (-(2**31), 2**31 - 1),
    "INT64": (-(2**63), 2**63 - 1),
    "UINT8": (0, 2**8 - 1),
    "UINT16": (0, 2**16 - 1),
    "UINT32": (0, 2**32 - 1),
    "UINT64": (0, 2**64 - 1),
}
_PYTHON = {
    "BOOL": (bool,),
    "FP32": (float, int),
    "FP64": (float, int),
    "BYTES": (str,),
} | dict.fromkeys(_INTEGERS, (int,))
_NONE = type(None)


class Tensor(msgspec.Struct):
    """An input as JSON names it. `data` is absent when it follows the JSON in binary."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] | None = None


class RequestedOutput(msgspec.Struct):
    """An output that the caller wants."""

    name: str
    parameters: dict[str, Any] | None = None


class InferRequest(msgspec.Struct):
    """The body of an infer call."""

    inputs: list[Tensor]
    id: str | None = None
    parameters: dict[str, Any] | None = None
    outputs: list[RequestedOutput] | None = None


class OutputTensor(msgspec.Struct, omit_defaults=True):
    """An output as JSON names it."""

    name: str
    shape: list[int]
    datatype: str
    data: list[Any] | None = None
    parameters: dict[str, Any] | None = None


class InferReply(msgspec.Struct):
    """The body of an answer."""

    model_name: str
    model_version: str
    id: str
    parameters: dict[str, Any]
    outputs: list[OutputTensor]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and how its answer is to be sent."""

    question: Question
    outputs: tuple[str, ...] | None
    binary_outputs: frozenset[str]
    binary_by_default: bool


_requests = msgspec.json.Decoder(InferRequest)
_encoder = msgspec.json.Encoder()


def read_infer(
    body: bytes,
    *,
    service: str,
    signature: Signature | None,
    version: int | None = None,
    json_bytes: int | None = None,
) -> Asked:
    """Decode an infer call; raises `Invalid` naming the input that can't be right."""
    text, tail = (body, b"") if json_bytes is None else (body[:json_bytes], body[json_bytes:])
    try:
        request = _requests.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        # Again, for an error that names the field.
        request = decode(text, InferRequest)
    columns, count = _columns(request.inputs, tail, signature)
    parameters = request.parameters or {}
    question = Question(
        service=service,
        columns=columns,
        count=count,
        version=version,
        request_id=request.id,
        keys=parameters.get("key"),
        event_times=parameters.get("event_time"),
    )
    wanted = request.outputs
    return Asked(
        question,
        tuple(output.name for output in wanted) if wanted else None,
        frozenset(o.name for o in wanted or () if (o.parameters or {}).get("binary_data")),
        parameters.get("binary_data_output") is True,
    )


def check_outputs(asked: Asked, signature: Signature | None) -> None:
    """Raise `Invalid` if the caller wants an output that the model does not have."""
    names = output_names(signature)
    for name in asked.outputs or ():
        if name not in names:
            raise Invalid(
                f"the model has no output {name!r}",
                where=name,
                hint=f"It answers with: {', '.join(names)}.",
            )


def output_names(signature: Signature | None) -> tuple[str, ...]:
    """What a model's outputs are called."""
    return signature.outputs if signature and signature.outputs else ("prediction",)


def write_reply(asked: Asked, reply: Reply) -> tuple[bytes, int | None]:
    """An answer's body, and how many of its bytes are JSON if binary tensors follow."""
    name = output_names(reply.signature)[0]
    datatype, shape, data = _flat(reply.outputs)
    tensor = OutputTensor(name=name, shape=shape, datatype=datatype)
    tail = b""
    if name in asked.binary_outputs or (asked.binary_by_default and asked.outputs is None):
        tail = binary.pack(datatype, data)
        tensor.parameters = {"binary_data_size": len(tail)}
    else:
        tensor.data = data
    body = _encoder.encode(
        InferReply(
            model_name=asked.question.service,
            model_version=str(reply.numbers[0]),
            id=asked.question.request_id or reply.ids[0],
            parameters=reply_parameters(reply),
            outputs=[tensor],
        )
    )
    return (body + tail, len(body)) if tail else (body, None)


def reply_parameters(reply: Reply) -> dict[str, Any]:
    """What every answer carries: prediction ids (one per row), and who answered.

    `model_version` and `arm` are lists when the rows were not all answered by the same version.
    """
    one = len(set(reply.numbers)) == 1 and len(set(reply.arms)) == 1
    return {
        "prediction_id": reply.ids,
        "model_version": str(reply.numbers[0]) if one else [str(n) for n in reply.numbers],
        "arm": reply.arms[0] if one else reply.arms,
    }


def datatype_of(values: Sequence[Any]) -> str:
    """The protocol's name for a column of answers."""
    types = {type(value) for value in values}
    if types <= {bool}:
        return "BOOL"
    if types <= {int}:
        return "INT64"
    return "FP64" if types <= {int, float} else "BYTES"


def _columns(
    inputs: list[Tensor], tail: bytes, signature: Signature | None
) -> tuple[dict[str, list[Any]], int]:
    if not inputs:
        raise Invalid("the request has no inputs", where="inputs")
    columns: dict[str, list[Any]] = {}
    count: int | None = None
    offset = 0
    features = sum(tensor.name not in RESERVED for tensor in inputs)
    for tensor in inputs:
        size = (tensor.parameters or {}).get("binary_data_size")
        if size is None:
            values = _from_json(tensor)
        else:
            values, offset = _from_binary(tensor, tail, offset, size)
        rows = tensor.shape[0]
        if count is None:
            count = rows
        elif rows != count:
            raise _bad(tensor, f"has {rows} rows, and {inputs[0].name!r} has {count}")
        alone = features == 1 and tensor.name not in RESERVED
        for name, column in _as_columns(tensor, values, signature, alone=alone):
            if name in columns:
                raise _bad(tensor, "is given twice")
            columns[name] = column
    if offset != len(tail):
        raise Invalid(f"{len(tail) - offset} binary bytes belong to no input")
    return columns, count or 0


def _as_columns(
    tensor: Tensor, values: list[Any], signature: Signature | None, *, alone: bool
) -> list[tuple[str, list[Any]]]:
    """A column for a tensor of one value per row; for a table in one tensor, a column for each place."""
    width = prod(tensor.shape[1:])
    names = [feature.name for feature in signature.inputs] if signature else None
    is_table = alone and len(tensor.shape) == 2 and (width > 1 or names is not None)
    if width == 1 and (not is_table or names is None or tensor.name in names or len(names) > 1):
        return [(tensor.name, values)]
    if not alone:
        raise _bad(tensor, f"has {width} values in a row; an input among others has one")
    if names is None:
        names = [f"x{place}" for place in range(width)]
    if width != len(names):
        raise _bad(tensor, f"has {width} values in a row; the model takes {len(names)} inputs")
    return [(name, values[place::width]) for place, name in enumerate(names)]


def _from_json(tensor: Tensor) -> list[Any]:
    size = _checked_size(tensor)
    if tensor.datatype in ("FP16", "BF16"):
        raise _bad(tensor, f"{tensor.datatype} has no JSON form; send FP32, or binary data")
    if tensor.data is None:
        raise _bad(tensor, "has no data")
    values = tensor.data
    if values and type(values[0]) is list:
        values = _flattened(tensor, values, tensor.shape)
    if len(values) != size:
        raise _bad(tensor, f"has {len(values)} values, but its shape {tensor.shape} has {size}")
    _check_values(tensor, values)
    return values


def _checked_size(tensor: Tensor) -> int:
    shape = tensor.shape
    if tensor.datatype not in _PYTHON and tensor.datatype not in binary.CODES:
        raise _bad(tensor, f"has the unknown datatype {tensor.datatype!r}")
    if not shape or any(length < 1 for length in shape):
        raise _bad(tensor, f"has the shape {shape}; every length of it must be at least 1")
    if shape[0] > MAX_ROWS:
        raise _bad(tensor, f"has {shape[0]} rows; at most {MAX_ROWS} go into one request")
    return prod(shape)


def _flattened(tensor: Tensor, values: list[Any], shape: list[int]) -> list[Any]:
    """Nested lists, row by row; every list must be as long as the shape says."""
    if len(values) != shape[0]:
        raise _bad(tensor, f"its data is not nested as its shape {tensor.shape} says")
    flat = values
    for depth in range(1, len(shape)):
        inner: list[Any] = []
        for value in flat:
            if type(value) is not list or len(value) != shape[depth]:
                raise _bad(tensor, f"its data is not nested as its shape {tensor.shape} says")
            inner += value
        flat = inner
    return flat


def _check_values(tensor: Tensor, values: list[Any]) -> None:
    types = set(map(type, values)) - {_NONE}
    allowed = set(_PYTHON[tensor.datatype])
    if tensor.datatype == "BOOL" and types <= {bool, int}:
        allowed = {bool, int}
    if types - allowed:
        row, value = next((r, v) for r, v in enumerate(values) if type(v) in types - allowed)
        text = repr(value)
        raise _bad(
            tensor,
            f"value {row} is {text if len(text) <= 40 else text[:37] + '...'}, "
            f"which is no {tensor.datatype}",
        )
    if bounds := _INTEGERS.get(tensor.datatype):
        numbers = [value for value in values if value is not None]
        for value in (min(numbers), max(numbers)) if numbers else ():
            if not bounds[0] <= value <= bounds[1]:
                raise _bad(tensor, f"holds {value}, which does not fit into {tensor.datatype}")


def _from_binary(tensor: Tensor, tail: bytes, offset: int, size: object) -> tuple[list[Any], int]:
    count = _checked_size(tensor)
    if tensor.data is not None:
        raise _bad(tensor, "has both data and binary data")
    if type(size) is not int or size < 0 or offset + size > len(tail):
        raise _bad(tensor, f"announces {size} binary bytes; {len(tail) - offset} are left")
    try:
        return binary.unpack(tensor.datatype, tail[offset : offset + size], count), offset + size
    except ValueError as error:
        raise _bad(tensor, str(error)) from error


def _flat(outputs: list[Any]) -> tuple[str, list[int], list[Any]]:
    if outputs and isinstance(outputs[0], list):
        data = [value for row in outputs for value in row]
        return datatype_of(data), [len(outputs), len(outputs[0])], data
    return datatype_of(outputs), [len(outputs)], outputs


def _bad(tensor: Tensor, problem: str) -> Invalid:
    return Invalid(f"the input {tensor.name!r}: {problem}", where=tensor.name)
