"""What changed between two versions of a table: its columns, its rows, and how its values are distributed."""

from dataclasses import dataclass

from mainspring.domain.check import Scalar
from mainspring.domain.dataset import DatasetDiff


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnChange:
    """A column that came, went or has another type; None on the side where it is absent.

    Types are named as Polars names them. `is_compared`: whether its values could still be compared.
    """

    column: str
    before: str | None
    after: str | None
    is_compared: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedRow:
    """One row with the same key in both versions, and the columns in which it differs."""

    key: dict[str, Scalar]
    before: dict[str, Scalar]
    after: dict[str, Scalar]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowDiff:
    """Which rows came, went and changed; without a `key` whole rows are compared, each as often as it is there.

    Rows whose key is repeated in a version (`repeated_key_count` different ones) or has a gap
    (`missing_key_row_count`) have no one counterpart: they are compared whole, so they may be added or removed and
    never changed. Columns that only one version has, or whose types can't be compared, have no part in it.
    """

    key: tuple[str, ...]
    before_count: int
    after_count: int
    added_count: int
    removed_count: int
    changed_count: int
    changed_columns: dict[str, int]
    repeated_key_count: int
    missing_key_row_count: int
    added: tuple[dict[str, Scalar], ...] = ()
    removed: tuple[dict[str, Scalar], ...] = ()
    changed: tuple[ChangedRow, ...] = ()
    repeated_keys: tuple[dict[str, Scalar], ...] = ()

    @property
    def unchanged_count(self) -> int:
        """Rows that both versions have."""
        return self.before_count - self.removed_count - self.changed_count

    @property
    def is_empty(self) -> bool:
        return not (self.added_count or self.removed_count or self.changed_count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How far a column's values moved, told from both versions' profiles; a gap is a value of its own.

    `psi` and `jensen_shannon` are None for columns whose values are private or can't be put into bins. `chance` is
    the PSI that two samples of so few rows have on average without any change.
    """

    column: str
    psi: float | None
    jensen_shannon: float | None
    missing_before: float
    missing_after: float
    mean_before: float | None = None
    mean_after: float | None = None
    chance: float = 0.0

    @property
    def size(self) -> str:
        """What Siddiqi (2006) calls a PSI of that size beyond chance: small up to 0.1, large from 0.25 on."""
        if self.psi is None:
            return "unknown"
        beyond = self.psi - self.chance
        return "small" if beyond < 0.1 else "medium" if beyond < 0.25 else "large"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDiff:
    """All that changed between two versions. `rows` is None where they are not both tables, or weren't compared."""

    files: DatasetDiff
    columns: tuple[ColumnChange, ...] = ()
    rows: RowDiff | None = None
    shifts: tuple[Shift, ...] = ()
