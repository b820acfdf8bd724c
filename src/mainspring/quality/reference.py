"""What training looked like, as counts in fixed bins, and counting anything else into the same bins.

Counts in bins merge by addition, without error, over chunks, processes and windows; PSI and its like are
then computed from kilobytes, however many rows there were. Missing values have a bin of their own: a column
that falls silent is the failure that tests on the values alone never see.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from mainspring.datasets.tables import data_type
from mainspring.domain.data_type import DataType
from mainspring.domain.evaluation import FeatureReference, Reference
from mainspring.kernel.errors import Invalid

if TYPE_CHECKING:
    import polars as pl

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

DEFAULT_BINS = 10
DEFAULT_CATEGORIES = 20

_WATCHED = (DataType.INTEGER, DataType.FLOAT, DataType.STRING, DataType.BOOLEAN)


def build_reference(
    inputs: "pl.DataFrame",
    *,
    predictions: "pl.Series | Sequence[Any] | npt.NDArray[Any] | None" = None,
    held_out: "pl.DataFrame | None" = None,
    abs_errors: "Sequence[float] | npt.NDArray[Any] | None" = None,
    accuracy: float | None = None,
    bins: int = DEFAULT_BINS,
    categories: int = DEFAULT_CATEGORIES,
) -> Reference:
    """The reference of a model trained on `inputs`.

    `predictions` and `abs_errors` belong, row by row, to `held_out`; for classes an absolute error is 0 or
    1, and `accuracy` is then 1 minus their mean unless it is given. Columns that always move on (dates,
    times) or can't be binned (lists, structs) are left out. Raises `Invalid` for lengths that don't fit.
    """
    import polars as pl

    if held_out is None and abs_errors is not None:
        raise Invalid("errors without the held-out rows they belong to say nothing per feature")
    errors = None if abs_errors is None else np.asarray(abs_errors, dtype=np.float64)
    predicted = None if predictions is None else pl.Series("prediction", predictions)
    _check_lengths(held_out, predicted, errors)
    features = tuple(
        _with_errors(_bins_of(column, bins, categories), held_out, errors)
        for column in inputs.iter_columns()
        if data_type(column.dtype) in _WATCHED
    )
    prediction = None
    if predicted is not None and data_type(predicted.dtype) in _WATCHED:
        prediction = _with_errors(
            _bins_of(predicted, bins, categories), predicted.to_frame(), errors
        )
        if errors is not None and not prediction.type.is_numeric and accuracy is None:
            accuracy = 1.0 - float(errors.mean())
    return Reference(
        row_count=inputs.height,
        features=features,
        prediction=prediction,
        mae=None if errors is None else float(errors.mean()),
        rmse=None if errors is None else float(np.sqrt(np.square(errors).mean())),
        accuracy=accuracy,
    )


def count(features: Iterable[FeatureReference], frame: "pl.DataFrame") -> dict[str, Counts]:
    """How many rows of a frame fall in each bin of each feature.

    A column that is absent counts as missing in every row, and so does a value that can't be read as the
    feature's type.
    """
    return {
        feature.name: np.bincount(bin_numbers(feature, frame), minlength=feature.bin_count)
        for feature in features
    }


def bin_numbers(feature: FeatureReference, frame: "pl.DataFrame") -> npt.NDArray[np.int64]:
    """For each row of a frame, the number of the bin that the feature's value falls in."""
    if feature.name not in frame.columns:
        return np.full(frame.height, feature.bin_count - 1, dtype=np.int64)
    column = frame.get_column(feature.name)
    if feature.type.is_numeric:
        return _numeric_bins(column, feature.edges)
    return _category_bins(column, feature.categories)


def merge(*counts: Mapping[str, Counts]) -> dict[str, Counts]:
    """Counts of several chunks in the same bins as those of all of them.

    >>> merge({"temp": np.array([1, 0])}, {"temp": np.array([2, 5])})
    {'temp': array([3, 5])}
    """
    total: dict[str, Counts] = {}
    for chunk in counts:
        for name, values in chunk.items():
            total[name] = total[name] + values if name in total else values.copy()
    return total


def psi(reference_counts: "Sequence[int] | Counts", counts: "Sequence[int] | Counts") -> float:
    """The population stability index between a reference and other counts in the same bins.

    PSI = sum of (p - q) ln(p / q) (Lewis 1994; Siddiqi 2006): 0 for equal shares. Empty bins would make it
    infinite, so both sides are smoothed: the reference by half a row per bin (Jeffreys' prior), the counts
    by as many rows in all, spread as the reference is. The second keeps bins that are empty on both sides
    from counting as a difference, and leaves the mean without drift near (B - 1)(1/n + 1/m), which is what
    it is in theory (Yurdakul 2018).

    >>> round(psi([500, 500, 0], [50, 50, 0]), 2), round(psi([500, 500, 0], [90, 10, 0]), 2)
    (0.0, 0.84)
    """
    reference, seen = np.asarray(reference_counts, np.float64), np.asarray(counts, np.float64)
    if reference.shape != seen.shape:
        raise ValueError(f"{reference.size} bins can't be compared with {seen.size}")
    if not seen.sum() or not reference.sum():
        return 0.0
    weight = 0.5 * reference.size
    q = (reference + 0.5) / (reference.sum() + weight)
    p = (seen + weight * q) / (seen.sum() + weight)
    return float(np.sum((p - q) * np.log(p / q)))


def null_share(counts: "Sequence[int] | Counts") -> float:
    """The share of rows without a value.

    >>> null_share([3, 0, 1])
    0.25
    """
    total = int(np.sum(counts))
    return float(counts[-1]) / total if total else 0.0


def _check_lengths(
    held_out: "pl.DataFrame | None", predicted: "pl.Series | None", errors: Floats | None
) -> None:
    lengths = {
        name: len(value)
        for name, value in (
            ("held-out rows", held_out),
            ("predictions", predicted),
            ("errors", errors),
        )
        if value is not None
    }
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{count} {name}" for name, count in lengths.items())
        raise Invalid(f"predictions, errors and held-out rows don't belong together: {said}")
    if errors is not None and (not errors.size or not np.isfinite(errors).all()):
        raise Invalid("the errors on the held-out rows must be finite numbers, at least one")


def _bins_of(column: "pl.Series", bins: int, categories: int) -> FeatureReference:
    type_ = data_type(column.dtype)
    if type_.is_numeric:
        feature = FeatureReference(name=column.name, type=type_, edges=_edges(column, bins))
    else:
        feature = FeatureReference(
            name=column.name, type=type_, categories=_top_categories(column, categories)
        )
    return _replace(feature, counts=count([feature], column.to_frame())[column.name])


def _edges(column: "pl.Series", bins: int) -> tuple[float, ...]:
    """Bins at the column's own quantiles; one bin per value, and one on either side, if it has few."""
    import polars as pl

    values = column.drop_nulls().cast(pl.Float64).to_numpy()
    values = np.sort(values[np.isfinite(values)])
    if not values.size:
        return ()
    distinct = _first_distinct(values, bins)
    if distinct is not None:
        below = distinct[0] - 1 if column.dtype.is_integer() else np.nextafter(distinct[0], -np.inf)
        return (float(below), *(float(value) for value in distinct))
    # Order statistics, not interpolated: ties then fall on one side of an edge, as they will later on.
    ranks = np.ceil(np.arange(1, bins) / bins * values.size).astype(np.int64) - 1
    return tuple(float(edge) for edge in np.unique(values[ranks]))


def _first_distinct(values: Floats, limit: int) -> Floats | None:
    """The distinct values of a sorted array, or None if there are more than `limit`."""
    starts = np.flatnonzero(np.diff(values)) + 1
    if starts.size + 1 > limit:
        return None
    return values[np.concatenate(([0], starts))]


def _top_categories(column: "pl.Series", limit: int) -> tuple[str, ...]:
    counted = _as_text(column).drop_nulls().value_counts(name="#")
    top = counted.sort(["#", column.name], descending=[True, False]).head(limit)
    return tuple(top.get_column(column.name).to_list())


def _numeric_bins(column: "pl.Series", edges: tuple[float, ...]) -> npt.NDArray[np.int64]:
    import polars as pl

    if not column.dtype.is_numeric() and column.dtype != pl.Boolean:
        # Numbers that came as text are read; dates must not turn into microseconds.
        column = _as_text(column)
    values = column.cast(pl.Float64, strict=False).to_numpy()
    numbers = np.searchsorted(np.asarray(edges, np.float64), values, side="left").astype(np.int64)
    numbers[np.isnan(values)] = len(edges) + 1
    return numbers


def _category_bins(column: "pl.Series", categories: tuple[str, ...]) -> npt.NDArray[np.int64]:
    import polars as pl

    text = _as_text(column)
    other, missing = len(categories), len(categories) + 1
    if not categories:
        return np.where(text.is_null().to_numpy(), missing, other).astype(np.int64)
    numbers = text.replace_strict(
        list(categories), list(range(len(categories))), default=other, return_dtype=pl.Int64
    )
    return np.where(text.is_null().to_numpy(), missing, numbers.to_numpy()).astype(np.int64)


def _as_text(column: "pl.Series") -> "pl.Series":
    import polars as pl

    if column.dtype.is_nested() or column.dtype in (pl.Binary, pl.Object):
        return pl.Series(column.name, [None] * len(column), dtype=pl.String)
    return column.cast(pl.String, strict=False)


def _with_errors(
    feature: FeatureReference, held_out: "pl.DataFrame | None", errors: Floats | None
) -> FeatureReference:
    if held_out is None or errors is None:
        return feature
    numbers = bin_numbers(feature, held_out)
    return _replace(
        feature,
        counts=feature.counts,
        abs_errors=np.bincount(numbers, errors, feature.bin_count).astype(np.float64),
        error_counts=np.bincount(numbers, minlength=feature.bin_count),
    )


def _replace(
    feature: FeatureReference,
    *,
    counts: "Sequence[int] | Counts",
    abs_errors: Floats | None = None,
    error_counts: Counts | None = None,
) -> FeatureReference:
    """The feature with counts as plain numbers, which JSON can hold."""
    return FeatureReference(
        name=feature.name,
        type=feature.type,
        edges=feature.edges,
        categories=feature.categories,
        counts=tuple(int(value) for value in counts),
        abs_errors=None if abs_errors is None else tuple(float(value) for value in abs_errors),
        error_counts=None if error_counts is None else tuple(int(value) for value in error_counts),
    )
