"""MLflow's scoring call: exactly one of four ways to write a table, as columns and back."""

from typing import Any

import msgspec

from mainspring.api.oip.tensors import MAX_ROWS, reply_parameters
from mainspring.domain.signature import Signature
from mainspring.kernel.codec import decode
from mainspring.kernel.errors import Invalid
from mainspring.serving.answer import Question, Reply

Columns = dict[str, list[Any]]

_FORMS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class Split(msgspec.Struct):
    """A table as pandas writes it with `orient="split"`."""

    data: list[list[Any]]
    columns: list[str | int] | None = None
    index: list[Any] | None = None


class Invocation(msgspec.Struct):
    """The body of `/invocations`."""

    dataframe_split: Split | None = None
    dataframe_records: list[dict[str, Any]] | None = None
    instances: list[Any] | None = None
    inputs: Any = None
    params: dict[str, Any] | None = None


def read_invocation(body: bytes, *, service: str, signature: Signature | None) -> Question:
    """Decode a scoring call; raises `Invalid`. Columns that the model doesn't take are ignored, as MLflow does."""
    request = decode(body, Invocation)
    given = [form for form in _FORMS if getattr(request, form) is not None]
    if len(given) != 1:
        raise Invalid(
            f"the request has {len(given)} of {', '.join(_FORMS)}; it takes exactly one",
            where=given[0] if given else "$",
        )
    columns, count = _READERS[given[0]](getattr(request, given[0]), signature)
    if count == 0:
        raise Invalid("the request has no rows", where=given[0])
    if count > MAX_ROWS:
        raise Invalid(f"the request has {count} rows; at most {MAX_ROWS} go into one")
    params = request.params or {}
    return Question(
        service=service,
        columns=columns,
        count=count,
        keys=params.get("key"),
        event_times=params.get("event_time"),
        ignore_unknown=True,
    )


def write_predictions(reply: Reply) -> bytes:
    """MLflow's answer, with our parameters beside it."""
    return msgspec.json.encode(
        {"predictions": reply.outputs, "parameters": reply_parameters(reply)}
    )


def _from_split(table: Split, signature: Signature | None) -> tuple[Columns, int]:
    width = len(table.data[0]) if table.data else 0
    names = (
        [str(name) for name in table.columns]
        if table.columns is not None
        else _names(signature, width)
    )
    if len(set(names)) != len(names):
        raise Invalid("a column is named twice", where="dataframe_split.columns")
    return _transposed(table.data, names, "dataframe_split.data"), len(table.data)


def _from_records(records: list[dict[str, Any]], _: Signature | None) -> tuple[Columns, int]:
    names = dict.fromkeys(name for record in records for name in record)
    # A column that a record leaves out is missing in that row.
    return {name: [record.get(name) for record in records] for name in names}, len(records)


def _from_instances(instances: list[Any], signature: Signature | None) -> tuple[Columns, int]:
    """TensorFlow Serving's row format: rows as objects, lists or single values."""
    if not instances:
        return {}, 0
    if all(isinstance(row, dict) for row in instances):
        return _from_records(instances, signature)
    return _from_rows(instances, signature, "instances")


def _from_inputs(inputs: Any, signature: Signature | None) -> tuple[Columns, int]:
    """TensorFlow Serving's columnar format: lists by name, or rows."""
    if isinstance(inputs, dict):
        columns = {name: v if isinstance(v, list) else [v] for name, v in inputs.items()}
        lengths = {len(values) for values in columns.values()}
        if len(lengths) > 1:
            raise Invalid(
                f"the columns have {', '.join(map(str, sorted(lengths)))} values: not one per row",
                where="inputs",
            )
        return columns, lengths.pop() if lengths else 0
    if isinstance(inputs, list):
        return _from_instances(inputs, signature)
    raise Invalid("inputs is neither an object of columns nor a list of rows", where="inputs")


def _from_rows(rows: list[Any], signature: Signature | None, where: str) -> tuple[Columns, int]:
    lists = [row if isinstance(row, list) else [row] for row in rows]
    return _transposed(lists, _names(signature, len(lists[0])), where), len(lists)


def _names(signature: Signature | None, width: int) -> list[str]:
    if signature is None:
        return [f"x{place}" for place in range(width)]
    return [feature.name for feature in signature.inputs]


def _transposed(rows: list[list[Any]], names: list[str], where: str) -> Columns:
    for number, row in enumerate(rows):
        if len(row) != len(names):
            raise Invalid(
                f"row {number} has {len(row)} values for {len(names)} columns ({', '.join(names)})",
                where=where,
            )
    return {name: [row[place] for row in rows] for place, name in enumerate(names)}


_READERS: dict[str, Any] = {  # each takes what its form decodes to
    "dataframe_split": _from_split,
    "dataframe_records": _from_records,
    "instances": _from_instances,
    "inputs": _from_inputs,
}
