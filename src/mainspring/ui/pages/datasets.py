"""Datasets, and what each version of them looks like."""

from dataclasses import dataclass

from mainspring.datasets.diff import diff
from mainspring.datasets.requests import (
    GetDatasetVersion,
    GetDatasetVersionById,
    ListDatasets,
    ListDatasetVersions,
)
from mainspring.domain.check import CheckResult, Severity, StoredCheckReport
from mainspring.domain.dataset import DatasetDiff, DatasetVersion
from mainspring.domain.pipeline import PipelineRun
from mainspring.domain.quarantine import Quarantine
from mainspring.governance.requests import ListEvents
from mainspring.kernel.errors import Corrupt, NotFound
from mainspring.pipelines.requests import ListPipelineRuns
from mainspring.quality.requests import (
    GetCheckReport,
    GetSchema,
    ListCheckReports,
    ListQuarantines,
)
from mainspring.ui.answering import Asked
from mainspring.ui.pages.profiles import ColumnView, column_views
from mainspring.ui.reader import Reader
from mainspring.ui.rendering import Page

_FILES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionLine:
    """A dataset version with the verdict of its checks, if it was checked."""

    version: DatasetVersion
    report: StoredCheckReport | None
    rows_change: int | None


def datasets(reader: Reader, asked: Asked) -> Page:
    """Every dataset."""
    return Page(
        template="datasets.html",
        title="Datasets",
        section="datasets",
        context={"datasets": reader.ask(ListDatasets())},
    )


def dataset(reader: Reader, asked: Asked) -> Page:
    """One dataset: its versions and its schema."""
    name = asked.path["dataset"]
    versions = reader.ask(ListDatasetVersions(dataset=name, limit=200))
    reports = reader.ask(ListCheckReports(dataset=name, limit=1000))
    newest = {report.version: report for report in reversed(reports)}
    rows = {version.id: version.row_count for version in versions}
    lines = [
        VersionLine(
            version=version,
            report=newest.get(version.id),
            rows_change=_change(
                version.row_count, rows.get(version.parent) if version.parent else None
            ),
        )
        for version in versions
    ]
    return Page(
        template="dataset.html",
        title=name,
        section="datasets",
        context={"name": name, "lines": lines, "schema": reader.ask(GetSchema(dataset=name))},
    )


def dataset_version(reader: Reader, asked: Asked) -> Page:
    """One version: columns, checks, and what changed from its parent."""
    name, number = asked.path["dataset"], asked.path["number"]
    if not number.isdigit() or len(number) > 9:
        raise NotFound(f"{number[:40]!r} is not the number of a version of {name!r}")
    version = reader.ask(GetDatasetVersion(dataset=name, number=int(number)))
    parent = _parent(reader, version)
    report = reader.ask(GetCheckReport(version=version.id))
    removed = reader.ask(
        ListEvents(subject=version.id, type="DatasetVersionRemoved", limit=1)
    ).items
    return Page(
        template="dataset_version.html",
        title=f"{name} v{number}",
        section="datasets",
        context={
            "version": version,
            "removal": next(iter(removed), None),
            "parent": parent,
            "report": report.report if report else None,
            "checked_at": report.created_at if report else None,
            "results": _by_urgency(report),
            "columns": _columns(reader, version, parent),
            "changes": _changes(reader, parent, version),
            "file_limit": _FILES,
            "used_by": _used_by(reader, version),
            "quarantines": _quarantines(reader, version),
        },
    )


def _quarantines(reader: Reader, version: DatasetVersion) -> list[Quarantine]:
    found = reader.ask(ListQuarantines(dataset=version.dataset, limit=1000))
    return [each for each in found if each.version == version.id]


def _parent(reader: Reader, version: DatasetVersion) -> DatasetVersion | None:
    return reader.ask(GetDatasetVersionById(id=version.parent)) if version.parent else None


def _change(after: int | None, before: int | None) -> int | None:
    return after - before if after is not None and before is not None else None


def _by_urgency(report: StoredCheckReport | None) -> list[CheckResult]:
    results = report.report.results if report else ()
    return sorted(results, key=lambda r: (r.passed, r.severity is not Severity.BLOCK))


def _columns(
    reader: Reader, version: DatasetVersion, parent: DatasetVersion | None
) -> list[ColumnView]:
    try:
        return column_views(reader.app.blobs, version, parent)
    except Corrupt:
        # The columns' names are still known; `mainspring fsck` tells of the damage.
        return []


def _changes(
    reader: Reader, parent: DatasetVersion | None, version: DatasetVersion
) -> DatasetDiff | None:
    return diff(reader.app.blobs, parent, version) if parent else None


def _used_by(reader: Reader, version: DatasetVersion) -> list[PipelineRun]:
    runs = reader.ask(ListPipelineRuns(limit=500))
    return [run for run in runs if version.id in run.inputs.values()][:20]
