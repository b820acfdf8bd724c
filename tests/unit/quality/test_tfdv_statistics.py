"""Statistics of TFDV that are damaged, odd or of other tools; what the real ones become is tested beside the real TFDV."""

import base64
import json
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.data_type import DataType
from mainspring.kernel.errors import Invalid
from mainspring.quality.protobuf import Kind, parse_binary, records
from mainspring.quality.tfdv_statistics import are_statistics, from_statistics

TEXT = """
# what a colleague left
datasets {
  num_examples: 10
  weighted_num_examples: 12.5
  features {
    path { step: "ride" step: "fare" }
    type: FLOAT
    num_stats {
      common_stats { num_non_missing: 8 max_num_values: 1 weighted_common_stats { num_missing: 1 } }
      mean: 2 std_dev: 1 max: 4
      histograms { num_nan: 2 type: STANDARD buckets { high_value: 4 sample_count: 6 } }
    }
    custom_stats { name: "entropy" num: 1 }
  }
  features {
    name: "city"
    type: STRING
    string_stats {
      common_stats { num_non_missing: 10 }
      unique: 700
      top_values { value: "Rome" frequency: 6 }
      vocabulary_file: "words.txt"
    }
  }
  features { name: "empty" type: INT num_stats { common_stats { num_missing: 10 } } }
}
datasets { name: "only Rome" }
"""


def test_what_statistics_say_is_kept_and_the_rest_is_listed() -> None:
    carried = from_statistics(TEXT.encode())

    fare, city, empty = carried.profile.columns
    assert (fare.name, fare.row_count, fare.null_count, fare.nan_count) == ("ride.fare", 10, 2, 2)
    # A zero is not written there.
    assert (fare.minimum, fare.maximum) == (0.0, 4.0)
    assert fare.quantiles is not None
    assert fare.quantiles.quantile(0.5) == pytest.approx(2, abs=0.5)
    assert city.frequent is not None
    assert not city.frequent.is_exact
    assert city.distinct_count is None
    assert (empty.type, empty.null_count, empty.minimum) == (DataType.INTEGER, 10, None)
    assert carried.left_out == (
        "ride.fare.weighted_common_stats: there are no weights here",
        "ride.fare.custom_stats 'entropy': not known",
        "city.vocabulary_file: it is not read",
        "city: 1 of 700 values are named in it",
        "'only Rome': only the first dataset of the file is taken over",
        "weighted_num_examples: it has no counterpart",
    )


def test_statistics_are_told_from_schemas() -> None:
    assert are_statistics(TEXT.encode())
    assert are_statistics(b"\x0a\x02\x10\x05")
    assert not are_statistics(b'feature { name: "datasets" }')


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"feature { }", "name no features"),
        (b"\x0a\xff\xff\xff\xff\x0f", "reaches beyond the end"),
        (b"\x0b\x00", "unknown wire type 3"),
        (b"\x0a\x03\x1a\x01", "reaches beyond the end"),
        (b"\x0a\x02\x1a\x00", "a feature has no name"),
        (b"\x08" + b"\xff" * 11, "a number is too long"),
        (b"\x00\x00", "a field has no number"),
        (b"\x08\x01", "datasets is of the wrong wire type 0"),
    ],
)
def test_what_is_no_statistics_says_so(data: bytes, why: str) -> None:
    with pytest.raises(Invalid, match=why):
        from_statistics(data)


def test_a_damaged_record_file_is_found_out() -> None:
    told = json.loads((Path(__file__).parents[2] / "contract" / "tfdv" / "told.json").read_text())
    framed = base64.b64decode(told["tfrecord"])

    for data, why in (
        (framed[:-1], "cut short"),
        (framed[:100] + bytes([framed[100] ^ 1]) + framed[101:], "a record is damaged"),
        (framed + framed[:5], "a record's length is damaged"),
    ):
        with pytest.raises(Invalid, match=why):
            from_statistics(data)
    assert records(b"no records") is None


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    try:
        from_statistics(data)
    except Invalid as error:
        assert error.message


def test_messages_are_not_read_deeper_than_fifty() -> None:
    fields: dict[int, tuple[str, object]] = {}
    endless = Kind(fields=fields)
    fields[1] = ("self", endless)
    data = b""
    for _ in range(60):
        data = b"\x0a" + bytes([len(data) & 0x7F | 0x80, len(data) >> 7]) + data

    with pytest.raises(Invalid, match="nested too deep"):
        parse_binary(data, endless)


def test_numbers_are_read_as_they_were_written() -> None:
    kind = Kind(
        fields={1: ("n", "uint"), 2: ("d", "double"), 3: ("f", "float"), 4: ("e", ("A", "B"))}
    )
    data = (
        b"\x08\xac\x02"
        + b"\x11"
        + struct.pack("<d", 2.5)
        + b"\x1d"
        + struct.pack("<f", 0.5)
        + b"\x20\x01"
        + b"\x28\x07"
        + b"\x20\x09"
    )

    assert parse_binary(data, kind) == {"n": [300], "d": [2.5], "f": [0.5], "e": ["B", "9"]}
