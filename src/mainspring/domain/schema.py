"""Schemas: what people expect of a table. Inferred once, then owned and edited by people as TOML."""

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from mainspring.domain.check import Scalar, Severity
from mainspring.domain.data_type import DataType
from mainspring.domain.times import Times
from mainspring.kernel.digests import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnSchema:
    """What one column must be. A field left at its default asks for nothing.

    `minimum` and `maximum` are numbers, or ISO dates and times for `date` and `datetime` columns.
    `max_null_share` is a share of rows, 0 to 1. Up to `max_outside_share` of the rows may lie
    outside of them, which then only warns. `categories` is the closed set of allowed values; up
    to `max_unseen_share` of the rows may have others, which then only warns. Values of a
    `private` column are shown in no report. With `environments` the column is asked for only in these: a label
    is there in "training" and not in "serving".
    """

    name: str
    type: DataType
    required: bool = True
    max_null_share: float = 0.0
    minimum: float | str | None = None
    maximum: float | str | None = None
    max_outside_share: float = 0.0
    categories: tuple[Scalar, ...] | None = None
    max_unseen_share: float = 0.0
    pattern: str | None = None
    unique: bool = False
    increasing: bool = False
    severity: Severity = Severity.BLOCK
    description: str = ""
    unit: str = ""
    private: bool = False
    environments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for what in ("max_null_share", "max_outside_share", "max_unseen_share"):
            share = getattr(self, what)
            if not 0 <= share <= 1:
                raise ValueError(f"{what} of {self.name} is {share}; it is a share between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """One more thing that is expected of a table: an entry of the catalogue with its arguments.

    `mostly` is the share of the rows that must be so, where it is about rows. `where` is a condition in SQL
    that says of which rows it is asked.
    """

    that: str
    arguments: dict[str, Any] = field(default_factory=dict)  # any JSON: each entry has its own
    mostly: float = 1.0
    where: str | None = None
    severity: Severity = Severity.BLOCK
    name: str = ""
    environments: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 <= self.mostly <= 1:
            raise ValueError(f"mostly is {self.mostly}; it is a share between 0 and 1")


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSchema:
    """What a table must be. `allow_extra_columns` lets unknown columns pass with a warning.

    `event_time` is the column that says when a row was so, `label_at` the one that says when its `labels` became
    known: what reads as of a moment go by.
    """

    dataset: str
    columns: tuple[ColumnSchema, ...]
    min_row_count: int = 1
    key: tuple[str, ...] = ()
    allow_extra_columns: bool = False
    expectations: tuple[Expectation, ...] = ()
    event_time: str | None = None
    label_at: str | None = None
    labels: tuple[str, ...] = ()

    @property
    def times(self) -> Times | None:
        """The columns that tell of time, or None if none does."""
        if self.event_time is None and self.label_at is None:
            return None
        return Times(
            event_time=self.event_time, label_at=self.label_at, labels=self.labels, key=self.key
        )

    def within(self, environment: str | None) -> "TableSchema":
        """What is asked in an environment; everything if none is named."""
        if environment is None:
            return self
        return replace(
            self,
            columns=tuple(c for c in self.columns if _is_asked(c.environments, environment)),
            expectations=tuple(
                e for e in self.expectations if _is_asked(e.environments, environment)
            ),
        )


def _is_asked(environments: tuple[str, ...], environment: str) -> bool:
    return not environments or environment in environments


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredSchema:
    """A schema as it was accepted for a dataset; the newest number is in force.

    `code` is the tree of the files that hold its own checks, if it names any.
    """

    dataset: str
    number: int
    digest: Digest
    toml: str
    created_at: datetime
    created_by: str
    code: Digest | None = None
