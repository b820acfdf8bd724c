"""What a takeover found, did and left."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Takeover:
    """The report of one takeover.

    `found` counts what is over there, `added` what of it is new here. `left_behind` counts what isn't carried
    over, by kind; `notes` say what could not be, one by one. `differences` is None unless asked for.
    """

    source: str
    is_dry_run: bool
    found: dict[str, int]
    added: dict[str, int]
    left_behind: dict[str, int]
    notes: tuple[str, ...]
    differences: tuple[str, ...] | None = None


@dataclass(slots=True)
class Tally:
    """The counts while a takeover goes on."""

    found: dict[str, int] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def count(self, what: str, found: int = 1, added: int | None = 0) -> None:
        """Add to the counts; without `added` it isn't known how many are new."""
        self.found[what] = self.found.get(what, 0) + found
        if added is not None:
            self.added[what] = self.added.get(what, 0) + added


def takeover_lines(report: Takeover) -> Iterator[str]:
    """The report for people."""
    yield report.source
    for what, count in report.found.items():
        is_known = what in report.added and not report.is_dry_run
        new = f", {report.added[what]:,} new here" if is_known else ""
        yield f"  {what:<20} {count:>12,}{new}"
    for what, count in report.left_behind.items():
        yield f"  not carried over: {count:,} {what}"
    for note in report.notes:
        yield f"  note: {note}"
    if report.is_dry_run:
        yield "Nothing was written (--dry-run)."
    if report.differences is None:
        return
    for difference in report.differences:
        yield f"  differs: {difference}"
    if not report.differences:
        yield "Verified: everything carried over is the same here, bytes included."
