"""Taking over statistics of TensorFlow Data Validation as a profile. What can't be carried is listed."""

import math
import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from mainspring.domain.data_type import DataType
from mainspring.kernel.errors import Invalid
from mainspring.quality.pbtxt import Message, one, parse_pbtxt
from mainspring.quality.profile import ColumnProfile, Moments, Profile
from mainspring.quality.protobuf import Kind, parse_binary, records
from mainspring.quality.sketches import (
    FREQUENT_SIZE,
    QUANTILE_SIZE,
    Distinct,
    Frequent,
    Quantiles,
    Value,
    hash_strings,
)

Floats = npt.NDArray[np.float64]

_PATH = Kind(fields={1: ("step", "text")})
_BUCKET = Kind(
    fields={1: ("low_value", "double"), 2: ("high_value", "double"), 4: ("sample_count", "double")}
)
_HISTOGRAM = Kind(
    fields={
        1: ("num_nan", "uint"),
        2: ("num_undefined", "uint"),
        3: ("buckets", _BUCKET),
        4: ("type", ("STANDARD", "QUANTILES")),
    }
)
_ANY = Kind(fields={})
_COMMON = Kind(
    fields={
        1: ("num_non_missing", "uint"),
        2: ("num_missing", "uint"),
        3: ("min_num_values", "uint"),
        4: ("max_num_values", "uint"),
        7: ("weighted_common_stats", _ANY),
        8: ("tot_num_values", "uint"),
    }
)
_NUMERIC = Kind(
    fields={
        1: ("common_stats", _COMMON),
        2: ("mean", "double"),
        3: ("std_dev", "double"),
        5: ("min", "double"),
        7: ("max", "double"),
        8: ("histograms", _HISTOGRAM),
        9: ("weighted_numeric_stats", _ANY),
    }
)
_RANKED = Kind(
    fields={
        1: ("low_rank", "uint"),
        2: ("high_rank", "uint"),
        4: ("label", "text"),
        5: ("sample_count", "double"),
    }
)
_STRING = Kind(
    fields={
        1: ("common_stats", _COMMON),
        2: ("unique", "uint"),
        3: ("top_values", Kind(fields={2: ("value", "text"), 3: ("frequency", "double")})),
        5: ("rank_histogram", Kind(fields={1: ("buckets", _RANKED)})),
        6: ("weighted_string_stats", _ANY),
        7: ("vocabulary_file", "text"),
    }
)
_FEATURE = Kind(
    fields={
        1: ("name", "text"),
        2: ("type", ("INT", "FLOAT", "STRING", "BYTES", "STRUCT")),
        3: ("num_stats", _NUMERIC),
        4: ("string_stats", _STRING),
        5: ("bytes_stats", Kind(fields={1: ("common_stats", _COMMON), 2: ("unique", "uint")})),
        6: ("custom_stats", Kind(fields={1: ("name", "text")})),
        7: ("struct_stats", Kind(fields={1: ("common_stats", _COMMON)})),
        8: ("path", _PATH),
    }
)
_DATASET = Kind(
    fields={
        1: ("name", "text"),
        2: ("num_examples", "uint"),
        3: ("features", _FEATURE),
        4: ("weighted_num_examples", "double"),
        5: ("cross_features", _ANY),
    }
)
_LIST = Kind(fields={1: ("datasets", _DATASET)})

_TYPES = {
    "INT": DataType.INTEGER,
    "FLOAT": DataType.FLOAT,
    "STRING": DataType.STRING,
    "BYTES": DataType.OTHER,
    "STRUCT": DataType.OTHER,
}
_STATS = ("num_stats", "string_stats", "bytes_stats", "struct_stats")


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedStatistics:
    """A profile that was taken over, and in a line each what could not be and why."""

    profile: Profile
    left_out: tuple[str, ...]


def from_statistics(data: bytes) -> CarriedStatistics:
    """The profile in a file of statistics: a message in binary or text format, or a TFRecord file of one.

    Raises `Invalid` for what is none. Of several datasets (slices) in it the first is taken, which is the whole.
    """
    datasets = _message(data).get("datasets", [])
    if not datasets or not isinstance(datasets[0], dict) or "features" not in datasets[0]:
        raise Invalid(
            "these are no statistics of TFDV: they name no features", code="not_tfdv_statistics"
        )
    carrier = _Carrier(one(datasets[0], "num_examples", 0))
    columns = tuple(carrier.column(feature) for feature in datasets[0]["features"])
    carrier.left_out += [
        f"{one(each, 'name', 'a dataset')!r}: only the first dataset of the file is taken over"
        for each in datasets[1:]
    ]
    for name in ("weighted_num_examples", "cross_features"):
        if one(datasets[0], name):
            carrier.left_out.append(f"{name}: it has no counterpart")
    return CarriedStatistics(
        profile=Profile(row_count=carrier.row_count, columns=columns),
        left_out=tuple(carrier.left_out),
    )


def are_statistics(data: bytes) -> bool:
    """Whether a file of TFDV holds statistics: in text format they begin with datasets, and schemas are always text."""
    return not _is_text(data) or re.match(rb"(\s|#[^\n]*\n)*datasets\b", data) is not None


def _is_text(data: bytes) -> bool:
    """Nothing in it but what people can read."""
    return not any(byte < 32 and byte not in b"\t\n\r" for byte in data[:4096])


def _message(data: bytes) -> Message:
    if _is_text(data):
        return parse_pbtxt(data.decode("utf-8", "replace"))
    framed = records(data)
    if framed is None:
        return parse_binary(data, _LIST)
    found: Message = {"datasets": []}
    for record in framed:
        found["datasets"] += parse_binary(record, _LIST).get("datasets", [])
    return found


class _Carrier:
    def __init__(self, row_count: int) -> None:
        self.row_count = int(row_count)
        self.left_out: list[str] = []

    def column(self, feature: Message) -> ColumnProfile:
        name = one(feature, "name") or ".".join(one(feature, "path", {}).get("step", []))
        if not name:
            raise Invalid("a feature has no name", code="not_tfdv_statistics")
        stats: Message = next((one(feature, kind) for kind in _STATS if kind in feature), {})
        common = one(stats, "common_stats", {})
        self._list(name, feature, stats, common)
        type_ = _TYPES.get(str(one(feature, "type", "INT")), DataType.OTHER)
        if int(one(common, "max_num_values", 1)) > 1:
            self.left_out.append(
                f"{name}: its rows have several values, of which only the gaps are kept"
            )
            type_ = DataType.OTHER
        present = int(one(common, "num_non_missing", 0))
        plain = ColumnProfile(
            name=str(name),
            type=type_,
            row_count=self.row_count,
            null_count=max(0, self.row_count - present),
        )
        if type_.is_numeric:
            return self._numeric(plain, stats, present)
        return self._string(plain, stats, present) if type_ is DataType.STRING else plain

    def _numeric(self, plain: ColumnProfile, stats: Message, present: int) -> ColumnProfile:
        histograms = stats.get("histograms", [])
        nan_count = max((int(one(h, "num_nan", 0)) for h in histograms), default=0)
        count = max(0, present - nan_count)
        low, high = (float(one(stats, end, 0.0)) for end in ("min", "max"))
        if not count or not (math.isfinite(low) and math.isfinite(high)):
            return replace(plain, nan_count=nan_count)
        is_whole = plain.type is DataType.INTEGER
        deviation = float(one(stats, "std_dev", 0.0))
        return replace(
            plain,
            nan_count=nan_count,
            minimum=int(low) if is_whole else low,
            maximum=int(high) if is_whole else high,
            moments=Moments(
                count=count, mean=float(one(stats, "mean", 0.0)), squares=deviation**2 * count
            ),
            quantiles=self._quantiles(plain.name, histograms, count, is_whole),
        )

    def _quantiles(
        self, name: str, histograms: list[Message], count: int, is_whole: bool
    ) -> Quantiles | None:
        """Order statistics at even ranks, between the edges of its quantiles' buckets, or else of its even ones."""
        ordered = sorted(histograms, key=lambda h: one(h, "type", "STANDARD") != "QUANTILES")
        for histogram in ordered:
            buckets = histogram.get("buckets", [])
            ends = [float(one(b, "high_value", 0.0)) for b in buckets]
            weights = [float(one(b, "sample_count", 0.0)) for b in buckets]
            if buckets and sum(weights) > 0 and all(map(math.isfinite, ends)):
                edges = np.array([float(one(buckets[0], "low_value", 0.0)), *ends])
                return _at_even_ranks(edges, np.cumsum([0.0, *weights]), count, is_whole)
        self.left_out.append(f"{name}: it has no histogram, so its distribution is not known")
        return None

    def _string(self, plain: ColumnProfile, stats: Message, present: int) -> ColumnProfile:
        import polars as pl

        counts = _counts(stats)
        is_all = sum(counts.values()) == present and len(counts) == int(one(stats, "unique", 0))
        if not is_all:
            self.left_out.append(
                f"{plain.name}: {len(counts):,} of {int(one(stats, 'unique', 0)):,} values are named in it"
            )
        rarest = 0 if is_all else max(1, min(counts.values(), default=1))
        frequent = Frequent(counts=counts, error=rarest).merge(Frequent.empty(), FREQUENT_SIZE)
        hashes = hash_strings(pl.Series(list(counts), dtype=pl.String))
        distinct = Distinct.empty().add(hashes) if is_all else None
        return replace(plain, frequent=frequent, distinct=distinct)

    def _list(self, name: str, feature: Message, stats: Message, common: Message) -> None:
        for kind in [key for key in stats if key.startswith("weighted_")]:
            self.left_out.append(f"{name}.{kind}: there are no weights here")
        if "weighted_common_stats" in common:
            self.left_out.append(f"{name}.weighted_common_stats: there are no weights here")
        for custom in feature.get("custom_stats", []):
            self.left_out.append(f"{name}.custom_stats {one(custom, 'name', '')!r}: not known")
        if one(stats, "vocabulary_file"):
            self.left_out.append(f"{name}.vocabulary_file: it is not read")


def _counts(stats: Message) -> dict[Value, int]:
    """How often the most frequent values occur: its ranks name more of them than its top values do."""
    found: dict[Value, int] = {}
    for bucket in one(stats, "rank_histogram", {}).get("buckets", []):
        if int(one(bucket, "low_rank", 0)) == int(one(bucket, "high_rank", 0)):
            found[str(one(bucket, "label", ""))] = round(float(one(bucket, "sample_count", 0.0)))
    for top in stats.get("top_values", []):
        found[str(one(top, "value", ""))] = round(float(one(top, "frequency", 0.0)))
    return found


def _at_even_ranks(edges: Floats, up_to: Floats, count: int, is_whole: bool) -> Quantiles:
    height = max(0, math.ceil(math.log2(max(1, count) / QUANTILE_SIZE)))
    size = max(1, round(count / (1 << height)))
    ranks = (np.arange(size) + 0.5) / size * up_to[-1]
    items: Any = np.interp(ranks, up_to, edges)
    if is_whole:
        items = np.rint(items)
    empty = np.empty(0)
    return Quantiles(count=count, levels=(*([empty] * height), np.asarray(items, np.float64)))
