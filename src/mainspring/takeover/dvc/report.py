"""What a takeover of a DVC repository found, did and left."""

from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(slots=True, kw_only=True)
class TakenDataset:
    """What became of the data at one path. `newest` is the number of its newest version here."""

    name: str
    path: str
    found: int = 0
    added: int = 0
    newest: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MissingData:
    """A state of some data that did not come along, and which objects are to blame."""

    path: str
    commit: str
    subject: str
    is_checked_out: bool
    reasons: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class DvcTakeover:
    """The report of one takeover.

    `tags` gives the version of each dataset that a git tag names. `missing` lists states whose bytes could not
    be had, `left_out` what has no counterpart here. `differences` is None unless asked for.
    """

    source: str
    is_dry_run: bool
    datasets: dict[str, TakenDataset] = field(default_factory=dict)
    tags: dict[str, dict[str, int]] = field(default_factory=dict)
    runs_found: int = 0
    runs_added: int = 0
    stages: tuple[str, ...] = ()
    flow: str | None = None
    missing: list[MissingData] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    left_out: tuple[str, ...] = ()
    differences: tuple[str, ...] | None = None


def dvc_lines(report: DvcTakeover) -> Iterator[str]:
    """The report for people."""
    yield report.source
    width = max((len(each.path) for each in report.datasets.values()), default=0)
    for each in report.datasets.values():
        new = "" if report.is_dry_run else f", {each.added:,} new here"
        number = f" as {each.name} {each.newest}" if each.newest else f" as {each.name}"
        yield f"  {each.path:<{width}}  {_counted(each.found, 'version')}{new}{number}"
    for tag, versions in report.tags.items():
        named = ", ".join(f"{name} {number}" for name, number in sorted(versions.items()))
        yield f"  tag {tag}: {named}"
    if report.runs_found:
        new = "" if report.is_dry_run else f", {report.runs_added:,} new here"
        yield f"  {_counted(report.runs_found, 'run')} with parameters and metrics{new}"
    yield from _stage_lines(report)
    for missing in report.missing:
        yield f"  missing: {missing.path} at {missing.commit} ({missing.subject})"
        for reason in missing.reasons:
            yield f"    {reason}"
    for note in report.notes:
        yield f"  note: {note}"
    for what in report.left_out:
        yield f"  not carried over: {what}"
    if report.is_dry_run:
        yield "Nothing was written (--dry-run)."
    for difference in report.differences or ():
        yield f"  differs: {difference}"
    if report.differences == ():
        yield "Verified: every version that was carried over holds the bytes that DVC's md5 names."


def _stage_lines(report: DvcTakeover) -> Iterator[str]:
    if report.flow is not None:
        yield f"  {_counted(len(report.stages), 'stage')} in {report.flow}: read it, it is yours"
    elif report.stages:
        yield f"  {_counted(len(report.stages), 'stage')}: --flow flow.py writes them as a pipeline"


def _counted(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
