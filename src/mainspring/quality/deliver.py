"""Recording a delivery: a version and the report that judged it, together or not at all."""

from mainspring.datasets.add import announce as announce_version
from mainspring.datasets.add import record_version
from mainspring.datasets.requests import AddDatasetVersion
from mainspring.domain.dataset import DatasetVersionState
from mainspring.quality import quarantines, queries, reports
from mainspring.quality.requests import Deliver, Delivery
from mainspring.store.tx import Tx


def deliver(tx: Tx, request: Deliver) -> Delivery:
    """Record what was delivered: accepted, unless a blocking check of the report failed.

    Content that is there already in that state is not recorded again, nor is a report that says what its
    newest one says.
    """
    report = request.report
    refused = report is not None and not report.passed
    version, is_new = record_version(
        tx,
        AddDatasetVersion(
            dataset=request.dataset,
            manifest=request.manifest,
            file_count=request.file_count,
            size_bytes=request.size_bytes,
            row_count=request.row_count,
            columns=request.columns,
            profile=request.profile,
            state=DatasetVersionState.REFUSED if refused else DatasetVersionState.ACCEPTED,
            producer=request.producer,
            note=request.note,
        ),
    )
    stored = queries.newest_report(tx, version.id)
    if report is not None and (stored is None or stored.report != report):
        stored = reports.keep_report(tx, version, report)
        if not (is_new and refused):
            # A new refusal is told by one event, which names the report.
            reports.announce(tx, stored)
    if is_new:
        announce_version(
            tx,
            version,
            report=stored.id if stored else "",
            failed_checks=reports.names_of_failed(report) if report else (),
        )
    quarantine = None
    if request.kept_apart is not None:
        # A refused delivery keeps all of its rows together; people look at it whole.
        quarantine = quarantines.keep(tx, version, request.kept_apart) if not refused else None
    return Delivery(version=version, report=stored, is_new=is_new, quarantine=quarantine)
