"""The monitoring room's SQL."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, or_, select, true, update

from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import Finding, Incident, IncidentId, IncidentKind, Window, WindowId
from mainspring.domain.prediction import Label, Prediction, PredictionId
from mainspring.monitoring.state import WindowState, decode_state, encode_state
from mainspring.monitoring.summary import Summary
from mainspring.store.tables.monitoring import (
    incidents,
    label_cursors,
    log_cursors,
    pending_labels,
    seen_predictions,
    windows,
)
from mainspring.store.tables.services import services
from mainspring.store.tx import Tx

# SQLite takes at most 32,766 variables in a statement, PostgreSQL 65,535.
_CHUNK = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A prediction that a label may still be joined to."""

    prediction: PredictionId
    key: str | None
    version: ModelVersionId
    event_at: datetime
    output: float | str | bool | None
    is_labelled: bool


@dataclass(slots=True, kw_only=True)
class OpenWindow:
    """A window being added to."""

    start: datetime
    end: datetime
    state: WindowState
    id: WindowId | None = None
    is_closed: bool = False


def lock_service(tx: Tx, service: str) -> None:
    """Let nobody else record for this service until the transaction ends."""
    tx.execute(select(services.c.name).where(services.c.name == service).with_for_update())


def cursors(tx: Tx, service: str) -> dict[str, int]:
    rows = tx.execute(
        select(log_cursors.c.segment, log_cursors.c.offset).where(log_cursors.c.service == service)
    )
    return {row.segment: row.offset for row in rows}


def cursor(tx: Tx, service: str, segment: str) -> int:
    found = tx.execute(
        select(log_cursors.c.offset).where(
            log_cursors.c.service == service, log_cursors.c.segment == segment
        )
    ).scalar_one_or_none()
    return found or 0


def move_cursor(tx: Tx, service: str, segment: str, offset: int) -> None:
    values = {"offset": offset, "updated_at": tx.now}
    changed = tx.execute(
        update(log_cursors)
        .where(log_cursors.c.service == service, log_cursors.c.segment == segment)
        .values(**values)
    )
    if changed.rowcount == 0:
        tx.execute(insert(log_cursors).values(service=service, segment=segment, **values))


def label_number(tx: Tx, service: str, dataset: str) -> int:
    found = tx.execute(
        select(label_cursors.c.number).where(
            label_cursors.c.service == service, label_cursors.c.dataset == dataset
        )
    ).scalar_one_or_none()
    return found or 0


def move_label_cursor(tx: Tx, service: str, dataset: str, number: int) -> None:
    changed = tx.execute(
        update(label_cursors)
        .where(label_cursors.c.service == service, label_cursors.c.dataset == dataset)
        .values(number=number)
    )
    if changed.rowcount == 0:
        tx.execute(insert(label_cursors).values(service=service, dataset=dataset, number=number))


def known_ids(tx: Tx, service: str, ids: Sequence[PredictionId]) -> set[PredictionId]:
    """Those of the ids that were recorded before."""
    known: set[PredictionId] = set()
    for part in _chunks(ids):
        known.update(
            tx.execute(
                select(seen_predictions.c.prediction).where(
                    seen_predictions.c.service == service, seen_predictions.c.prediction.in_(part)
                )
            ).scalars()
        )
    return known


def add_seen(tx: Tx, service: str, new: Sequence[tuple[Prediction, datetime, bool]]) -> None:
    """Each prediction with the event time it counts under and whether its label is known."""
    if new:
        tx.execute(
            insert(seen_predictions),
            [
                {
                    "service": service,
                    "prediction": prediction.id,
                    "key": prediction.key,
                    "version": prediction.version,
                    "arm": prediction.arm,
                    "event_at": event_at,
                    "output": prediction.output,
                    "is_labelled": is_labelled,
                }
                for prediction, event_at, is_labelled in new
            ],
        )


def seen_by_ids(tx: Tx, service: str, ids: Collection[str]) -> list[Seen]:
    return _seen_where(tx, service, seen_predictions.c.prediction, ids)


def seen_by_keys(tx: Tx, service: str, keys: Collection[str]) -> list[Seen]:
    return _seen_where(tx, service, seen_predictions.c.key, keys)


def _seen_where(tx: Tx, service: str, column: Any, values: Collection[str]) -> list[Seen]:
    found: list[Seen] = []
    for part in _chunks(sorted(values)):
        rows = tx.execute(
            select(seen_predictions).where(seen_predictions.c.service == service, column.in_(part))
        )
        found += [
            Seen(
                prediction=PredictionId(row.prediction),
                key=row.key,
                version=ModelVersionId(row.version),
                event_at=row.event_at,
                output=row.output,
                is_labelled=row.is_labelled,
            )
            for row in rows
        ]
    return found


def mark_labelled(tx: Tx, service: str, ids: Collection[PredictionId]) -> None:
    for part in _chunks(sorted(ids)):
        tx.execute(
            update(seen_predictions)
            .where(seen_predictions.c.service == service, seen_predictions.c.prediction.in_(part))
            .values(is_labelled=True)
        )


def newest_event_at(tx: Tx, service: str) -> datetime | None:
    newest: datetime | None = tx.execute(
        select(func.max(seen_predictions.c.event_at)).where(seen_predictions.c.service == service)
    ).scalar_one_or_none()
    return newest


def forget_seen_before(tx: Tx, service: str, before: datetime) -> int:
    gone = tx.execute(
        delete(seen_predictions).where(
            seen_predictions.c.service == service, seen_predictions.c.event_at < before
        )
    )
    return gone.rowcount


def has_pending_labels(tx: Tx, service: str) -> bool:
    found = tx.execute(
        select(pending_labels.c.id).where(pending_labels.c.service == service).limit(1)
    ).scalar_one_or_none()
    return found is not None


def take_pending_labels(
    tx: Tx, service: str, *, ids: Collection[str], keys: Collection[str]
) -> list[Label]:
    """Labels that waited for these predictions; they wait no longer."""
    taken: list[Label] = []
    for column, values in ((pending_labels.c.prediction, ids), (pending_labels.c.key, keys)):
        for part in _chunks(sorted(values)):
            found = and_(pending_labels.c.service == service, column.in_(part))
            rows = tx.execute(select(pending_labels).where(found).order_by(pending_labels.c.id))
            taken += [
                Label(
                    service=service,
                    value=row.value,
                    prediction=row.prediction,
                    key=row.key,
                    at=row.at,
                )
                for row in rows
            ]
            tx.execute(delete(pending_labels).where(found))
    return taken


def add_pending_labels(tx: Tx, service: str, labels: Sequence[Label]) -> None:
    if labels:
        tx.execute(
            insert(pending_labels),
            [
                {
                    "id": tx.new_id("lab"),
                    "service": service,
                    "prediction": label.prediction,
                    "key": label.key,
                    "value": label.value,
                    "at": label.at,
                }
                for label in labels
            ],
        )


def forget_pending_labels_before(tx: Tx, service: str, before: datetime) -> int:
    gone = tx.execute(
        delete(pending_labels).where(
            pending_labels.c.service == service, pending_labels.c.at < before
        )
    )
    return gone.rowcount


def open_window(tx: Tx, service: str, start: datetime, end: datetime) -> OpenWindow:
    """A window with its sums; empty if it is new."""
    row = tx.execute(
        select(windows.c.id, windows.c.state, windows.c.is_closed).where(
            windows.c.service == service, windows.c.start == start, windows.c.end == end
        )
    ).one_or_none()
    if row is None:
        return OpenWindow(start=start, end=end, state=WindowState())
    return OpenWindow(
        start=start,
        end=end,
        state=decode_state(row.state),
        id=WindowId(row.id),
        is_closed=row.is_closed,
    )


def save_window(tx: Tx, service: str, window: OpenWindow, summary: Summary) -> None:
    """Write a window's sums and what they amount to; its findings are made later.

    Drift that could not be told anew (only labels came, and the reference is not at hand) stays as it was.
    """
    values: dict[str, Any] = {
        "needs_judging": True,
        "version": summary.version,
        "row_count": summary.row_count,
        "labelled_count": summary.labelled_count,
        "state": encode_state(window.state),
        "performance": summary.performance,
        "expected_error": summary.expected_error,
        "updated_at": tx.now,
    }
    if summary.drift is not None or window.id is None:
        values["drift"] = summary.drift or ()
        values["prediction_drift"] = summary.prediction_drift
        values["estimated_error"] = summary.estimated_error
    if window.id is None:
        tx.execute(
            insert(windows).values(
                id=tx.new_id("win"),
                service=service,
                start=window.start,
                end=window.end,
                is_closed=False,
                findings=(),
                **values,
            )
        )
    else:
        tx.execute(update(windows).where(windows.c.id == window.id).values(**values))


def due_windows(
    tx: Tx, service: str, *, passed: datetime | None, lateness: timedelta, idle: timedelta
) -> list[Window]:
    """Windows to be judged, oldest first: closed ones that changed, and open ones whose time is over.

    It is over when event time passed their end, or when the clock did and nothing came for `idle`.
    """
    rows = tx.execute(
        select(windows)
        .where(_is_due(tx, service, passed=passed, lateness=lateness, idle=idle))
        .order_by(windows.c.start)
    )
    return [_window(row) for row in rows]


def due_count(
    tx: Tx, service: str, *, passed: datetime | None, lateness: timedelta, idle: timedelta
) -> int:
    count: int = tx.execute(
        select(func.count())
        .select_from(windows)
        .where(_is_due(tx, service, passed=passed, lateness=lateness, idle=idle))
    ).scalar_one()
    return count


def _is_due(
    tx: Tx, service: str, *, passed: datetime | None, lateness: timedelta, idle: timedelta
) -> Any:
    by_clock = and_(windows.c.end <= tx.now - lateness, windows.c.updated_at <= tx.now - idle)
    by_events = windows.c.end <= passed - lateness if passed is not None else ~true()
    return and_(
        windows.c.service == service,
        windows.c.needs_judging.is_(True),
        or_(windows.c.is_closed.is_(True), by_events, by_clock),
    )


def save_findings(tx: Tx, id_: WindowId, found: tuple[Finding, ...]) -> None:
    tx.execute(
        update(windows)
        .where(windows.c.id == id_)
        .values(is_closed=True, needs_judging=False, findings=found, updated_at=tx.now)
    )


def windows_of(tx: Tx, service: str, *, limit: int, since: datetime | None) -> list[Window]:
    """Newest first."""
    query = (
        select(windows)
        .where(windows.c.service == service)
        .order_by(windows.c.start.desc(), windows.c.end.desc())
        .limit(limit)
    )
    if since is not None:
        query = query.where(windows.c.end > since)
    return [_window(row) for row in tx.execute(query)]


def _window(row: Row[Any]) -> Window:
    return Window(
        id=WindowId(row.id),
        service=row.service,
        start=row.start,
        end=row.end,
        is_closed=row.is_closed,
        row_count=row.row_count,
        labelled_count=row.labelled_count,
        drift=row.drift,
        performance=row.performance,
        expected_error=row.expected_error,
        estimated_error=row.estimated_error,
        findings=row.findings,
        updated_at=row.updated_at,
        version=ModelVersionId(row.version) if row.version else None,
        prediction_drift=row.prediction_drift,
    )


def incident(tx: Tx, id_: str) -> Incident | None:
    row = tx.execute(select(incidents).where(incidents.c.id == id_)).one_or_none()
    return _incident(row) if row else None


def active_incident(tx: Tx, service: str, kind: IncidentKind) -> Incident | None:
    row = tx.execute(
        select(incidents).where(incidents.c.active == active_name(service, kind))
    ).one_or_none()
    return _incident(row) if row else None


def active_name(service: str, kind: IncidentKind) -> str:
    return f"{service}/{kind.value}"


def add_incident(tx: Tx, new: Incident) -> None:
    tx.execute(
        insert(incidents).values(
            id=new.id,
            service=new.service,
            active=active_name(new.service, new.kind),
            kind=new.kind.value,
            summary=new.summary,
            version=new.version,
            findings=new.findings,
            windows=new.windows,
            opened_at=new.opened_at,
        )
    )


def close_incident(tx: Tx, id_: str, resolution: str) -> None:
    tx.execute(
        update(incidents)
        .where(incidents.c.id == id_)
        .values(active=None, closed_at=tx.now, resolution=resolution)
    )


def list_incidents(tx: Tx, *, service: str | None, open_only: bool, limit: int) -> list[Incident]:
    """Newest first."""
    query = (
        select(incidents).order_by(incidents.c.opened_at.desc(), incidents.c.id.desc()).limit(limit)
    )
    if service is not None:
        query = query.where(incidents.c.service == service)
    if open_only:
        query = query.where(incidents.c.active.is_not(None))
    return [_incident(row) for row in tx.execute(query)]


def _incident(row: Row[Any]) -> Incident:
    return Incident(
        id=IncidentId(row.id),
        service=row.service,
        kind=IncidentKind(row.kind),
        summary=row.summary,
        version=ModelVersionId(row.version) if row.version else None,
        findings=row.findings,
        windows=row.windows,
        opened_at=row.opened_at,
        closed_at=row.closed_at,
        resolution=row.resolution,
    )


def _chunks(values: Sequence[Any]) -> Iterator[list[Any]]:
    iterator = iter(values)
    while part := list(islice(iterator, _CHUNK)):
        yield part
