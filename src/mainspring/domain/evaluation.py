"""What a training run leaves for gates and monitoring: metrics, the held-out table, the reference."""

from dataclasses import dataclass, field

from mainspring.domain.data_type import DataType
from mainspring.kernel.digests import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """The content of a METRICS value: what a model showed on held-out rows.

    `values` are metrics by name. `model` is the manifest of the model that was evaluated; `table` the blob
    with the held-out rows as Parquet (the model's inputs, the column `target` and those kept to slice by);
    `reference` the blob with the `Reference` that monitoring compares with. All but `values` are None for
    metrics that a user made by hand.
    """

    values: dict[str, float] = field(default_factory=dict)
    model: Digest | None = None
    table: Digest | None = None
    target: str | None = None
    reference: Digest | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeatureReference:
    """How one column was distributed: counts in fixed bins, so that windows merge without error.

    A numeric column has `edges` (ascending, k of them make k + 1 bins: `(-inf, e0]`, ..., `(ek-1, inf)`);
    any other has `categories`, followed by one bin for all other values. The last bin, in both cases,
    counts nulls and NaN. `counts` has one entry per bin. `abs_errors` and `error_counts`, where known, hold
    for each bin the sum of absolute errors and the number of the held-out rows in it.
    """

    name: str
    type: DataType
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
    abs_errors: tuple[float, ...] | None = None
    error_counts: tuple[int, ...] | None = None

    @property
    def bin_count(self) -> int:
        """Bins including the one for nulls (and, for categories, the one for other values)."""
        return len(self.edges) + 2 if self.type.is_numeric else len(self.categories) + 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """What live predictions are compared with: training inputs, held-out predictions and errors."""

    row_count: int
    features: tuple[FeatureReference, ...]
    prediction: FeatureReference | None = None
    mae: float | None = None
    rmse: float | None = None
    accuracy: float | None = None
