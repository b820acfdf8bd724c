"""The triggers room's SQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mainspring.domain.pipeline import PipelineRunState
from mainspring.domain.run import RunId
from mainspring.domain.trigger import Cause, CauseKind, CauseState, Trigger
from mainspring.kernel.digests import Digest
from mainspring.store.tables.ledger import events
from mainspring.store.tables.pipelines import pipeline_runs
from mainspring.store.tables.triggers import trigger_causes as causes
from mainspring.store.tables.triggers import triggers
from mainspring.store.tx import Tx
from mainspring.triggers.plan import Waiting

_FINAL = [state.value for state in PipelineRunState if state.is_final]
# A statement takes a bounded number of parameters on either database.
_ROWS = 500


def trigger(tx: Tx, name: str, *, locked: bool = False) -> Trigger | None:
    """A trigger; `locked` keeps other transactions from changing it until this one ends."""
    query = select(triggers).where(triggers.c.name == name)
    row = tx.execute(query.with_for_update() if locked else query).one_or_none()
    return _trigger(row) if row else None


def all_triggers(tx: Tx) -> list[Trigger]:
    return [_trigger(row) for row in tx.execute(select(triggers).order_by(triggers.c.name))]


def secret_of(tx: Tx, name: str) -> str:
    """The secret that calls are signed with; empty if there is none, or no such trigger."""
    found: str | None = tx.execute(
        select(triggers.c.secret).where(triggers.c.name == name)
    ).scalar_one_or_none()
    return found or ""


def save(tx: Tx, new: Trigger, *, is_new: bool) -> None:
    values = {
        "spec": new.spec,
        "graph": new.graph,
        "digest": new.digest,
        "project": new.project,
        "environment": new.environment,
        "applied_at": new.applied_at,
        "applied_by": new.applied_by,
        "cursor": new.cursor,
        "looked_at": new.looked_at,
        "since": new.since,
        "tips": new.tips,
        "error": None,
    }
    if is_new:
        row = {"name": new.spec.name, "paused": False, "secret": "", **values}
        tx.execute(insert(triggers).values(row))
    else:
        change(tx, new.spec.name, **values)


def change(tx: Tx, name: str, **values: Any) -> None:
    tx.execute(update(triggers).where(triggers.c.name == name).values(**values))


def remove(tx: Tx, name: str) -> None:
    """Remove a trigger and what waits with it."""
    tx.execute(
        delete(causes).where(causes.c.trigger == name, causes.c.state == CauseState.WAITING.value)
    )
    tx.execute(delete(triggers).where(triggers.c.name == name))


def last_event(tx: Tx) -> int:
    newest: int = tx.execute(select(func.coalesce(func.max(events.c.seq), 0))).scalar_one()
    return newest


def events_after(tx: Tx, types: Sequence[str], after: int, limit: int) -> list[Row[Any]]:
    """Events of some types, oldest first."""
    return list(
        tx.execute(
            select(
                events.c.seq,
                events.c.at,
                events.c.type,
                events.c.service,
                events.c.why,
                events.c.payload,
            )
            .where(events.c.seq > after, events.c.type.in_(types))
            .order_by(events.c.seq)
            .limit(limit)
        )
    )


def has_events_after(tx: Tx, types: Sequence[str], after: int) -> bool:
    found = tx.execute(
        select(events.c.seq).where(events.c.seq > after, events.c.type.in_(types)).limit(1)
    )
    return found.one_or_none() is not None


def add_causes(tx: Tx, new: Sequence[Cause]) -> int:
    """Record what happened; what is recorded already stays as it is. Gives how many were new."""
    count = 0
    for start in range(0, len(new), _ROWS):
        rows = [_row(cause) for cause in new[start : start + _ROWS]]
        statement = _insert(tx, causes).values(rows).on_conflict_do_nothing()
        count += len(tx.execute(statement.returning(causes.c.id)).all())
    return count


def cause_with_key(tx: Tx, trigger: str, key: str) -> Cause:
    row = tx.execute(select(causes).where(causes.c.trigger == trigger, causes.c.key == key)).one()
    return _cause(row)


def waiting(tx: Tx, trigger: str) -> Waiting | None:
    """What waits for a run of a trigger; None if nothing does."""
    of_trigger = (causes.c.trigger == trigger, causes.c.state == CauseState.WAITING.value)
    row = tx.execute(
        select(
            func.count().label("all"),
            func.min(causes.c.id).label("first"),
            func.max(causes.c.id).label("last"),
        ).where(*of_trigger)
    ).one()
    if not row.all:
        return None
    return Waiting(
        count=row.all,
        first=row.first,
        last=row.last,
        first_seen=_seen_at(tx, row.first),
        last_seen=_seen_at(tx, row.last),
    )


def _seen_at(tx: Tx, cause: int) -> datetime:
    found: datetime = tx.execute(select(causes.c.seen_at).where(causes.c.id == cause)).scalar_one()
    return found


def causes_between(
    tx: Tx, trigger: str, first: int, last: int, *, newest: int
) -> tuple[list[Cause], int]:
    """The newest of those that wait in a range, oldest of them first, and how many wait in it."""
    among = (
        causes.c.trigger == trigger,
        causes.c.state == CauseState.WAITING.value,
        causes.c.id.between(first, last),
    )
    rows = tx.execute(select(causes).where(*among).order_by(causes.c.id.desc()).limit(newest))
    found = [_cause(row) for row in rows][::-1]
    return found, tx.execute(select(func.count()).where(*among)).scalar_one()


def settle(tx: Tx, trigger: str, first: int, last: int, *, run: RunId, state: CauseState) -> None:
    """Say which run came of those that wait in a range."""
    tx.execute(
        update(causes)
        .where(
            causes.c.trigger == trigger,
            causes.c.state == CauseState.WAITING.value,
            causes.c.id.between(first, last),
        )
        .values(state=state.value, run=run, decided_at=tx.now)
    )


def skip(tx: Tx, cause: int, reason: str) -> None:
    """Say why no run came of what waits."""
    tx.execute(
        update(causes)
        .where(causes.c.id == cause, causes.c.state == CauseState.WAITING.value)
        .values(state=CauseState.SKIPPED.value, decided_at=tx.now, reason=reason)
    )


def list_causes(
    tx: Tx,
    *,
    trigger: str | None,
    run: str | None,
    state: CauseState | None,
    before: int | None,
    limit: int,
) -> list[Cause]:
    """Newest first."""
    query = select(causes).order_by(causes.c.id.desc()).limit(limit)
    for column, value in (
        (causes.c.trigger, trigger),
        (causes.c.run, run),
        (causes.c.state, state.value if state else None),
    ):
        if value is not None:
            query = query.where(column == value)
    if before is not None:
        query = query.where(causes.c.id < before)
    return [_cause(row) for row in tx.execute(query)]


def runs_under_way(tx: Tx, trigger: str) -> tuple[str, ...]:
    """Ids of the trigger's runs that have not ended, oldest first."""
    rows = tx.execute(
        select(pipeline_runs.c.id)
        .where(pipeline_runs.c.trigger == trigger, pipeline_runs.c.state.not_in(_FINAL))
        .order_by(pipeline_runs.c.requested_at, pipeline_runs.c.id)
    )
    return tuple(rows.scalars())


def last_end(tx: Tx, trigger: str) -> datetime | None:
    """When the trigger's newest ended run ended."""
    found: datetime | None = tx.execute(
        select(pipeline_runs.c.finished_at)
        .where(pipeline_runs.c.trigger == trigger, pipeline_runs.c.finished_at.is_not(None))
        .order_by(pipeline_runs.c.requested_at.desc())
        .limit(1)
    ).scalar_one_or_none()
    return found


def asked_at(tx: Tx, trigger: str, limit: int) -> tuple[datetime, ...]:
    """When the trigger's newest runs were asked for, newest first."""
    rows = tx.execute(
        select(pipeline_runs.c.requested_at)
        .where(pipeline_runs.c.trigger == trigger)
        .order_by(pipeline_runs.c.requested_at.desc())
        .limit(limit)
    )
    return tuple(rows.scalars())


def last_run(tx: Tx, trigger: str) -> RunId | None:
    found = tx.execute(
        select(pipeline_runs.c.id)
        .where(pipeline_runs.c.trigger == trigger)
        .order_by(pipeline_runs.c.requested_at.desc(), pipeline_runs.c.id.desc())
        .limit(1)
    ).scalar_one_or_none()
    return RunId(found) if found else None


def _trigger(row: Row[Any]) -> Trigger:
    return Trigger(
        spec=row.spec,
        graph=row.graph,
        digest=Digest(row.digest),
        project=Digest(row.project),
        environment=Digest(row.environment),
        applied_at=row.applied_at,
        applied_by=row.applied_by,
        paused=row.paused,
        cursor=row.cursor,
        looked_at=row.looked_at,
        since=row.since,
        tips=row.tips,
        error=row.error,
        has_secret=bool(row.secret),
    )


def _cause(row: Row[Any]) -> Cause:
    return Cause(
        id=row.id,
        trigger=row.trigger,
        kind=CauseKind(row.kind),
        key=row.key,
        at=row.at,
        seen_at=row.seen_at,
        what=row.what,
        values=row.told,
        event=row.event,
        state=CauseState(row.state),
        run=RunId(row.run) if row.run else None,
        decided_at=row.decided_at,
        reason=row.reason,
    )


def _row(cause: Cause) -> dict[str, Any]:
    return {
        "trigger": cause.trigger,
        "kind": cause.kind.value,
        "key": cause.key,
        "at": cause.at,
        "seen_at": cause.seen_at,
        "what": cause.what,
        "told": cause.values,
        "event": cause.event,
        "state": cause.state.value,
        "run": cause.run,
        "decided_at": cause.decided_at,
        "reason": cause.reason,
    }


def _insert(tx: Tx, table: Any) -> Any:
    return sqlite.insert(table) if tx.is_sqlite else postgresql.insert(table)
