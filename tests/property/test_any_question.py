"""Whatever a caller sends, the answer is columns or an error that says what is wrong."""

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from mainspring.api.oip.invocations import read_invocation
from mainspring.api.oip.labels import read_labels
from mainspring.api.oip.tensors import read_infer
from mainspring.domain.data_type import DataType
from mainspring.domain.signature import Feature, Signature
from mainspring.kernel.errors import Invalid
from mainspring.serving.answer import Question
from mainspring.serving.inputs import check_rows, event_times_of, keys_of

SIGNATURE = Signature(
    inputs=tuple(
        Feature(name=f"f{n}", type=type_, nullable=bool(n % 2)) for n, type_ in enumerate(DataType)
    )
)
NAMES = st.sampled_from([f.name for f in SIGNATURE.inputs] + ["key", "event_time", "x", ""])
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
    | st.sampled_from(["2026-01-01", "2026-01-01T00:00:00+25:00", "9999-12-31T23:59:59-23:59"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=12,
)
TENSORS = st.fixed_dictionaries(
    {
        "name": NAMES,
        "shape": st.lists(st.integers(-1, 3), max_size=3),
        "datatype": st.sampled_from(
            ["FP64", "FP32", "INT8", "UINT64", "BOOL", "BYTES", "FP16", "X"]
        ),
    },
    optional={
        "data": st.lists(VALUES, max_size=6),
        "parameters": st.dictionaries(st.sampled_from(["binary_data_size"]), VALUES),
    },
)


def checked(question: Question) -> None:
    rows = check_rows(
        SIGNATURE,
        question.columns,
        count=question.count,
        ignore_unknown=question.ignore_unknown,
    )
    assert all(len(column) == question.count for column in (*rows.sent, *rows.logged))
    if question.keys is not None:
        assert len(keys_of(question.keys, question.count)) == question.count
    if question.event_times is not None:
        assert len(event_times_of(question.event_times, question.count)) == question.count


@given(
    st.lists(TENSORS, max_size=9),
    st.dictionaries(st.sampled_from(["key", "event_time"]), VALUES),
    st.binary(max_size=20),
    st.booleans(),
)
def test_any_tensors(
    tensors: list[Any], parameters: dict[str, Any], tail: bytes, is_binary: bool
) -> None:
    body = json.dumps({"inputs": tensors, "parameters": parameters}).encode()
    try:
        asked = read_infer(
            body + tail if is_binary else body,
            service="demand",
            signature=SIGNATURE,
            json_bytes=len(body) if is_binary else None,
        )
        checked(asked.question)
    except Invalid as error:
        assert error.message


@given(
    st.dictionaries(
        st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "params"]),
        VALUES
        | st.lists(st.dictionaries(NAMES, VALUES, max_size=3), max_size=3)
        | st.fixed_dictionaries({"columns": st.lists(NAMES, max_size=3), "data": VALUES}),
        max_size=2,
    )
)
def test_any_scoring_call(body: dict[str, Any]) -> None:
    data = json.dumps(body).encode()
    for signature in (SIGNATURE, None):
        try:
            question = read_invocation(data, service="demand", signature=signature)
            check_rows(signature, question.columns, count=question.count, ignore_unknown=True)
        except Invalid as error:
            assert error.message


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["value", "key", "prediction_id", "x"]), VALUES, max_size=3
        ),
        max_size=4,
    )
    | VALUES
)
def test_any_labels(body: Any) -> None:
    try:
        labels = read_labels(json.dumps(body).encode())
    except Invalid as error:
        assert error.message
    else:
        assert len(labels.values) == len(labels.keys) == len(labels.predictions)


@given(st.binary(max_size=60))
def test_any_bytes(body: bytes) -> None:
    for read in (
        lambda: read_infer(body, service="demand", signature=SIGNATURE),
        lambda: read_invocation(body, service="demand", signature=SIGNATURE),
        lambda: read_labels(body),
    ):
        try:
            read()
        except Invalid as error:
            assert error.message
