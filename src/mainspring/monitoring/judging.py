"""Closing windows and keeping what is found in them."""

from dataclasses import replace
from datetime import timedelta

from mainspring.domain.event import WindowJudged
from mainspring.domain.monitor import Finding, Window
from mainspring.monitoring import queries
from mainspring.monitoring.judge import findings_of
from mainspring.monitoring.read import idle_time
from mainspring.monitoring.requests import JudgeWindows
from mainspring.services.read import service_named
from mainspring.store.tx import Tx


def judge_windows(tx: Tx, request: JudgeWindows) -> tuple[Window, ...]:
    """Judge every window that is due; one whose findings stay the same tells nothing new."""
    policy = service_named(tx, request.service).spec.monitor
    due = queries.due_windows(
        tx,
        request.service,
        passed=queries.newest_event_at(tx, request.service),
        lateness=timedelta(seconds=policy.lateness_seconds),
        idle=idle_time(policy),
    )
    return tuple(
        _judged(tx, window, findings_of(replace(window, is_closed=True), policy)) for window in due
    )


def _judged(tx: Tx, window: Window, found: tuple[Finding, ...]) -> Window:
    queries.save_findings(tx, window.id, found)
    if not window.is_closed or _kinds(found) != _kinds(window.findings):
        tx.emit(
            WindowJudged(
                service=window.service,
                window=window.id,
                start=window.start.isoformat(),
                findings=tuple(spoken(finding) for finding in found),
                why=_why(window, found),
            )
        )
    return replace(window, is_closed=True, findings=found)


def spoken(finding: Finding) -> str:
    """A finding in one line."""
    name = f"{finding.kind.value} of {finding.feature}" if finding.feature else finding.kind.value
    effect = "" if finding.effect is None else f", effect {finding.effect:+.3g}"
    return f"{name}: {finding.method} {finding.score:.3g} over {finding.threshold:.3g}{effect}"


def _kinds(found: tuple[Finding, ...]) -> set[tuple[str, str | None]]:
    return {(finding.kind.value, finding.feature) for finding in found}


def _why(window: Window, found: tuple[Finding, ...]) -> str:
    rows = f"{window.row_count} rows, {window.labelled_count} labelled"
    head = "labels or late rows came" if window.is_closed else "it closed"
    if not found:
        return f"{head} with {rows}: all as expected"
    return f"{head} with {rows}: {len(found)} finding{'s' if len(found) > 1 else ''}"
