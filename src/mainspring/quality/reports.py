"""Keeping and reading the reports of checks."""

from mainspring.datasets.read import version_with_id
from mainspring.domain.check import CheckReport, CheckReportId, StoredCheckReport
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.event import CheckReportRecorded
from mainspring.quality import queries
from mainspring.quality.report import headline
from mainspring.quality.requests import GetCheckReport, ListCheckReports, RecordCheckReport
from mainspring.store.tx import Tx


def record_check_report(tx: Tx, request: RecordCheckReport) -> StoredCheckReport:
    """Keep a report on a version that is there already; its state stays as it is."""
    version = version_with_id(tx, request.version)
    stored = keep_report(tx, version, request.report)
    announce(tx, stored)
    return stored


def keep_report(tx: Tx, version: DatasetVersion, report: CheckReport) -> StoredCheckReport:
    """Record a report, for use cases that announce it in their own words."""
    stored = StoredCheckReport(
        id=CheckReportId(tx.new_id("chk")),
        dataset=version.dataset,
        number=version.number,
        version=version.id,
        passed=report.passed,
        report=report,
        created_at=tx.now,
    )
    queries.add_report(tx, stored)
    return stored


def announce(tx: Tx, stored: StoredCheckReport) -> None:
    """Emit the event that tells of a report."""
    tx.emit(
        CheckReportRecorded(
            dataset=stored.dataset,
            number=stored.number,
            version=stored.version,
            report=stored.id,
            passed=stored.passed,
            failed_checks=names_of_failed(stored.report),
            why=headline(stored.report),
        )
    )


def names_of_failed(report: CheckReport) -> tuple[str, ...]:
    """The blocking checks that failed, as `column.check`."""
    return tuple(
        f"{result.column}.{result.check}" if result.column else result.check
        for result in report.blocking
    )


def get_check_report(tx: Tx, request: GetCheckReport) -> StoredCheckReport | None:
    """The newest report on a version, or None; raises `NotFound` for an unknown version."""
    version_with_id(tx, request.version)
    return queries.newest_report(tx, request.version)


def list_check_reports(tx: Tx, request: ListCheckReports) -> tuple[StoredCheckReport, ...]:
    """Reports on a dataset's versions, newest first."""
    return tuple(queries.reports(tx, request.dataset, limit=request.limit))
