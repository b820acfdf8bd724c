"""What serving processes say of themselves."""

from datetime import timedelta

from mainspring.domain.rollout import ServingReport
from mainspring.serving import queries
from mainspring.serving.requests import ForgetServing, ListServingReports, ReportServing
from mainspring.store.tx import Tx

_FRESH = timedelta(minutes=1)
_KEPT = timedelta(hours=1)


def report_serving(tx: Tx, request: ReportServing) -> None:
    """Keep a process's latest word; those that fell silent long ago are forgotten."""
    queries.save_report(tx, request.report)
    queries.forget_reports_before(tx, _KEPT)


def list_serving_reports(tx: Tx, request: ListServingReports) -> tuple[ServingReport, ...]:
    """What processes said within the last minute."""
    return tuple(queries.reports_since(tx, _FRESH))


def forget_serving(tx: Tx, request: ForgetServing) -> None:
    """A process ends; forgetting an unknown one changes nothing."""
    queries.forget_report(tx, request.process)
