"""Data checks: what is expected of a table, and what was found."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, NewType

from mainspring.domain.dataset import DatasetVersionId
from mainspring.kernel.digests import Digest

CheckReportId = NewType("CheckReportId", str)

Scalar = str | int | float | bool | None


class Severity(StrEnum):
    BLOCK = "block"
    """A failure keeps the data out."""
    QUARANTINE = "quarantine"
    """A failure keeps the failing rows out, and lets the others in."""
    WARN = "warn"
    """A failure is shown and nothing more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """One check against one table.

    `observed` and `expected` are for people; `examples` holds a few failing rows, each as column -> value
    with the row's number (0-based) under `#`; values of private columns are masked. `value` is what was
    observed, for programs: a number, text, list or table. `row_count` says of how many rows the check speaks,
    which leaves out rows without a value and those that its `where` leaves out. `anomaly` is what TensorFlow Data
    Validation calls such a finding, if it knows it.
    """

    check: str
    column: str | None
    severity: Severity
    passed: bool
    observed: str
    expected: str
    failed_row_count: int = 0
    examples: tuple[dict[str, Scalar], ...] = ()
    value: Any = None  # any JSON: what is observed of a table has many shapes
    row_count: int | None = None
    mostly: float = 1.0
    name: str = ""
    anomaly: str = ""

    @property
    def title(self) -> str:
        """What people call it: the name that they gave it, or what it checks."""
        if self.name:
            return self.name
        return f"{self.column}, {self.check}" if self.column else self.check


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckReport:
    """All checks of one schema against one table; `passed` means that no blocking check failed.

    `quarantined_row_count` rows failed checks that keep single rows out.
    """

    schema: Digest
    row_count: int
    results: tuple[CheckResult, ...]
    quarantined_row_count: int = 0

    @property
    def passed(self) -> bool:
        return not self.blocking

    @property
    def blocking(self) -> tuple[CheckResult, ...]:
        return tuple(r for r in self.results if not r.passed and r.severity is Severity.BLOCK)

    @property
    def quarantining(self) -> tuple[CheckResult, ...]:
        return tuple(r for r in self.results if not r.passed and r.severity is Severity.QUARANTINE)

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        return tuple(r for r in self.results if not r.passed and r.severity is Severity.WARN)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredCheckReport:
    """A report as it was recorded beside the dataset version that it judged."""

    id: CheckReportId
    dataset: str
    number: int
    version: DatasetVersionId
    passed: bool
    report: CheckReport
    created_at: datetime
