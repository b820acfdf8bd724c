"""Profiles of columns, as a table with small histograms."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from markupsafe import Markup

from mainspring.blobs.port import BlobStore
from mainspring.domain.data_type import DataType
from mainspring.domain.dataset import DatasetVersion
from mainspring.ui import format as fmt
from mainspring.ui.charts.bars import Bin, histogram

if TYPE_CHECKING:
    # Profiles bring numpy along; a control process that shows none goes without.
    from mainspring.quality.profile import ColumnProfile, Profile

_BINS = 20
_CATEGORIES = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnView:
    """A column as a page shows it; numbers are text already, `–` where there is none."""

    name: str
    type: str
    picture: Markup
    missing: float
    missing_before: float | None
    distinct: str
    least: str
    mean: str
    greatest: str


def column_views(
    blobs: BlobStore, version: DatasetVersion, before: DatasetVersion | None
) -> list[ColumnView]:
    """Every column of a version that was profiled, beside the same column of the version before."""
    profile = _profile(blobs, version)
    if profile is None:
        return []
    old = _profile(blobs, before) if before else None
    return [_view(column, old.column(column.name) if old else None) for column in profile.columns]


def _profile(blobs: BlobStore, version: DatasetVersion) -> "Profile | None":
    from mainspring.quality.profile import decode_profile

    if version.profile is None:
        return None
    with blobs.open(version.profile) as file:
        return decode_profile(file.read())


def _view(column: "ColumnProfile", before: "ColumnProfile | None") -> ColumnView:
    bins = _bins(column, before)
    mean = column.moments.mean if column.moments and column.moments.count else None
    return ColumnView(
        name=column.name,
        type=column.type.value,
        picture=histogram(bins, column.name),
        missing=column.missing_share,
        missing_before=before.missing_share if before else None,
        distinct=fmt.number(column.distinct_count),
        least=_value(column.minimum, column.type),
        mean=_value(mean, column.type),
        greatest=_value(column.maximum, column.type),
    )


def _bins(column: "ColumnProfile", before: "ColumnProfile | None") -> list[Bin]:
    if column.quantiles is not None and column.quantiles.count:
        return _numeric_bins(column, before)
    return _category_bins(column, before)


def _numeric_bins(column: "ColumnProfile", before: "ColumnProfile | None") -> list[Bin]:
    """Bins of equal width over the extremes of both versions."""
    import numpy as np

    if column.quantiles is None or column.minimum is None or column.maximum is None:
        return []
    low, high = float(column.minimum), float(column.maximum)
    old = before.quantiles if before and before.quantiles and before.quantiles.count else None
    if old and before and before.minimum is not None and before.maximum is not None:
        low, high = min(low, float(before.minimum)), max(high, float(before.maximum))
    if not high > low:
        return [Bin(label=_value(low, column.type), share=1.0)]
    edges = np.linspace(low, high, _BINS + 1)
    shares = _shares(column.quantiles.shares_up_to, edges, low)
    olds = _shares(old.shares_up_to, edges, low) if old else [None] * _BINS
    return [
        Bin(
            label=f"{_value(float(edges[i]), column.type)} to {_value(float(edges[i + 1]), column.type)}",
            share=shares[i],
            before=olds[i],
        )
        for i in range(_BINS)
    ]


def _shares(shares_up_to: Callable[..., "object"], edges: "object", low: float) -> list[float]:
    import numpy as np

    cumulative = np.asarray(shares_up_to(edges), dtype=float)
    # Values equal to the least edge belong to the first bin.
    cumulative[0] = 0.0
    return [max(0.0, float(share)) for share in np.diff(cumulative)]


def _category_bins(column: "ColumnProfile", before: "ColumnProfile | None") -> list[Bin]:
    if column.frequent is None or not column.row_count:
        return []
    old = dict(before.frequent.top(1000)) if before and before.frequent else None
    old_rows = before.row_count if before else 0
    return [
        Bin(
            label=str(value),
            share=count / column.row_count,
            before=old.get(value, 0) / old_rows if old is not None and old_rows else None,
        )
        for value, count in column.frequent.top(_CATEGORIES)
    ]


def _value(value: float | None, type_: DataType) -> str:
    if value is None:
        return "–"
    if type_ is DataType.DATE:
        return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=value)).strftime("%Y-%m-%d")
    if type_ is DataType.DATETIME:
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=value)
        return at.strftime("%Y-%m-%d %H:%M")
    return fmt.number(value)
