"""Exports that were cut, flipped or made up are refused or understood; nothing else happens."""

import contextlib

from hypothesis import given, settings
from hypothesis import strategies as st

from mainspring.api.otlp import binary, text
from mainspring.api.otlp.spans import batches_of
from mainspring.kernel.codec import encode
from mainspring.kernel.errors import Invalid
from mainspring.testing.spans import a_span, otlp, otlp_json

_WHOLE = otlp(
    a_span(1, a="text", b=1, c=[1.5, {"d": None}]), a_span(2, parent=1), resource={"x": "y"}
)

_values = st.recursive(
    st.none()
    | st.booleans()
    | st.text()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.text().filter(lambda key: key not in ("bytesValue", "doubleValue")),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
_attributes = st.dictionaries(st.text(max_size=300), _values, max_size=5)


@given(st.binary(max_size=200))
def test_any_bytes_are_an_export_or_refused(data: bytes) -> None:
    with contextlib.suppress(Invalid):
        batches_of(binary.read_export(data))


@given(st.integers(0, len(_WHOLE)), st.integers(0, len(_WHOLE) - 1), st.integers(0, 255))
def test_a_damaged_export_is_read_or_refused(end: int, at: int, byte: int) -> None:
    damaged = bytearray(_WHOLE)
    damaged[at] = byte
    with contextlib.suppress(Invalid):
        batches_of(binary.read_export(bytes(damaged[:end])))


@settings(max_examples=50)
@given(_attributes, st.text(max_size=300))
def test_both_encodings_mean_the_same(attributes: dict[str, object], name: str) -> None:
    span = a_span(1)
    span = type(span)(
        **{
            **{field: getattr(span, field) for field in span.__dataclass_fields__},
            "attributes": attributes,
            "name": name,
        }
    )

    as_bytes, _ = batches_of(binary.read_export(otlp(span)))
    as_json, _ = batches_of(text.read_export(encode(otlp_json(span))))

    assert as_bytes == as_json
    assert as_bytes[0].spans == (span,)
