"""The pipelines room's SQL."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, delete, func, insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mainspring.domain.dataset import DatasetVersionId
from mainspring.domain.pipeline import (
    CacheEntry,
    Limit,
    LogLine,
    PipelineRun,
    PipelineRunState,
    StepAttempt,
    StepState,
    Wait,
    WaitKind,
)
from mainspring.domain.run import RunId
from mainspring.kernel.digests import Digest
from mainspring.pipelines.lease_names import (
    is_scheduler,
    lease_name,
    step_lease_name,
    step_leases,
)
from mainspring.store.tables.ledger import events, leases
from mainspring.store.tables.pipelines import (
    cache_entries,
    limits,
    pipeline_runs,
    step_logs,
    steps,
    waits,
)
from mainspring.store.tables.tracking import run_tags
from mainspring.store.tx import Tx


def add_run(tx: Tx, run: PipelineRun) -> None:
    tx.execute(
        insert(pipeline_runs).values(
            id=run.id,
            service=run.service,
            pipeline=run.pipeline,
            graph=run.graph,
            params=run.params,
            inputs=run.inputs,
            project=run.project,
            environment=run.environment,
            state=run.state.value,
            why=run.why,
            requested_at=run.requested_at,
            requested_by=run.requested_by,
            started_at=run.started_at,
            finished_at=run.finished_at,
            error=run.error,
            cancel_requested=run.cancel_requested,
            outputs=run.outputs,
            parent=run.parent,
            kept=run.kept,
            verify_cache=run.verify_cache,
            trigger=run.trigger,
            cause_count=run.cause_count,
            partition=run.partition,
            priority=run.priority,
        )
    )


def run(tx: Tx, id_: str, *, locked: bool = False) -> PipelineRun | None:
    """A run; `locked` keeps other transactions from changing it until this one ends."""
    query = select(pipeline_runs).where(pipeline_runs.c.id == id_)
    row = tx.execute(query.with_for_update() if locked else query).one_or_none()
    return _run(row) if row else None


def active_run_of(tx: Tx, service: str) -> str | None:
    """A run of the service that has not ended, if there is one."""
    final = [state.value for state in PipelineRunState if state.is_final]
    found: str | None = tx.execute(
        select(pipeline_runs.c.id)
        .where(pipeline_runs.c.service == service, pipeline_runs.c.state.not_in(final))
        .limit(1)
    ).scalar_one_or_none()
    return found


def runs(
    tx: Tx, *, service: str | None, state: PipelineRunState | None, limit: int
) -> list[PipelineRun]:
    """Runs, newest first."""
    query = select(pipeline_runs).order_by(
        pipeline_runs.c.requested_at.desc(), pipeline_runs.c.id.desc()
    )
    if service is not None:
        query = query.where(pipeline_runs.c.service == service)
    if state is not None:
        query = query.where(pipeline_runs.c.state == state.value)
    return [_run(row) for row in tx.execute(query.limit(limit))]


def takeable(tx: Tx, *, holder: str, limit: int, only: str | None = None) -> list[str]:
    """Ids of runs that were asked for, whose lease ran out or is `holder`'s, or for which what they waited
    for is there; of the highest priority first, and of these the longest waiting."""
    lease = "run:" + pipeline_runs.c.id
    query = (
        select(pipeline_runs.c.id)
        .outerjoin(leases, leases.c.name == lease)
        .where(
            or_(
                pipeline_runs.c.state.in_(
                    [PipelineRunState.REQUESTED.value, PipelineRunState.RUNNING.value]
                ),
                and_(
                    pipeline_runs.c.state == PipelineRunState.WAITING.value,
                    _there(tx).where(waits.c.run == pipeline_runs.c.id).exists(),
                ),
            ),
            or_(leases.c.name.is_(None), leases.c.expires_at <= tx.now, leases.c.holder == holder),
        )
        .order_by(
            func.coalesce(pipeline_runs.c.priority, 0).desc(),
            pipeline_runs.c.requested_at,
            pipeline_runs.c.id,
        )
        .limit(limit)
    )
    if only is not None:
        query = query.where(pipeline_runs.c.id == only)
    return list(tx.execute(query).scalars())


def is_woken(tx: Tx, run_id: str) -> bool:
    """Whether anything that a run waits for is there, and the run has not heard of it."""
    return tx.execute(_there(tx).where(waits.c.run == run_id).limit(1)).first() is not None


def _there(tx: Tx) -> Any:
    return select(waits.c.node).where(
        waits.c.settled.is_(False), or_(waits.c.approved.is_not(None), waits.c.until <= tx.now)
    )


def wait(tx: Tx, run_id: str, node: str) -> Wait | None:
    row = tx.execute(select(waits).where(waits.c.run == run_id, waits.c.node == node)).one_or_none()
    return _wait(row) if row else None


def waits_of(
    tx: Tx, *, run: str | None = None, kind: WaitKind | None = None, limit: int
) -> list[Wait]:
    """What a run waits or waited for; or what all wait for that is not decided; the longest first."""
    query = select(waits).order_by(waits.c.since, waits.c.run, waits.c.node).limit(limit)
    if run is not None:
        query = query.where(waits.c.run == run)
    else:
        query = query.where(waits.c.approved.is_(None), waits.c.settled.is_(False))
    if kind is not None:
        query = query.where(waits.c.kind == kind.value)
    return [_wait(row) for row in tx.execute(query)]


def add_wait(tx: Tx, new: Wait) -> None:
    tx.execute(
        insert(waits).values(
            run=new.run,
            node=new.node,
            kind=new.kind.value,
            what=new.what,
            since=new.since,
            until=new.until,
            cursor=new.cursor,
            approved=new.approved,
            decided_at=new.decided_at,
            decided_by=new.decided_by,
            note=new.note,
            settled=False,
        )
    )


def change_wait(tx: Tx, run_id: str, node: str, **values: Any) -> None:
    tx.execute(update(waits).where(waits.c.run == run_id, waits.c.node == node).values(**values))


def end_waits(tx: Tx, run_id: str, state: StepState) -> None:
    """Nothing is waited for any more in a run that is over."""
    tx.execute(update(waits).where(waits.c.run == run_id).values(settled=True))
    tx.execute(
        update(steps)
        .where(steps.c.run == run_id, steps.c.state == StepState.WAITING.value)
        .values(state=state.value, finished_at=tx.now)
    )


def last_event(tx: Tx) -> int:
    newest: int = tx.execute(select(func.coalesce(func.max(events.c.seq), 0))).scalar_one()
    return newest


def run_with_key(tx: Tx, pipeline: str, tag: str, key: str) -> PipelineRun | None:
    """The newest run of a pipeline that was begun with a key, which stands in the tag."""
    row = tx.execute(
        select(pipeline_runs)
        .join(run_tags, run_tags.c.run == pipeline_runs.c.id)
        .where(run_tags.c.key == tag, run_tags.c.value == key, pipeline_runs.c.pipeline == pipeline)
        .order_by(pipeline_runs.c.requested_at.desc(), pipeline_runs.c.id.desc())
        .limit(1)
    ).one_or_none()
    return _run(row) if row else None


def tag_of(tx: Tx, run_id: str, tag: str) -> str | None:
    return tx.execute(
        select(run_tags.c.value).where(run_tags.c.run == run_id, run_tags.c.key == tag)
    ).scalar_one_or_none()


def fence_of(tx: Tx, lease: str, holder: str) -> int | None:
    """The fence of a lease, if `holder` has it."""
    return tx.execute(
        select(leases.c.fence).where(leases.c.name == lease, leases.c.holder == holder)
    ).scalar_one_or_none()


def change_run(tx: Tx, id_: str, **values: Any) -> None:
    tx.execute(update(pipeline_runs).where(pipeline_runs.c.id == id_).values(**values))


def steps_of(tx: Tx, run_id: str) -> list[StepAttempt]:
    """Every attempt of a run, in the order they began."""
    query = (
        select(steps)
        .where(steps.c.run == run_id)
        .order_by(steps.c.started_at, steps.c.node, steps.c.attempt)
    )
    return [_step(row) for row in tx.execute(query)]


def step(tx: Tx, run_id: str, node: str, attempt: int) -> StepAttempt | None:
    row = tx.execute(
        select(steps).where(steps.c.run == run_id, steps.c.node == node, steps.c.attempt == attempt)
    ).one_or_none()
    return _step(row) if row else None


def run_computing(tx: Tx, key: Digest) -> str | None:
    """A run with a live lease that has an attempt with this cache key under way.

    Of a run that was handed on the step has a lease of its own, or the mapped step that it is an item of.
    """
    attempts = tx.execute(
        select(steps.c.run, steps.c.node, leases.c.holder)
        .join(leases, leases.c.name == "run:" + steps.c.run)
        .where(
            steps.c.cache_key == key,
            steps.c.state == StepState.RUNNING.value,
            leases.c.expires_at > tx.now,
        )
    )
    for row in attempts.all():
        if not is_scheduler(row.holder) or _is_step_held(tx, row.run, row.node):
            return str(row.run)
    return None


def _is_step_held(tx: Tx, run_id: str, node: str) -> bool:
    names = [step_lease_name(run_id, step) for step in (node, node.partition("[")[0])]
    query = select(leases.c.name).where(leases.c.name.in_(names), leases.c.expires_at > tx.now)
    return tx.execute(query.limit(1)).one_or_none() is not None


def lease_on(tx: Tx, run_id: str) -> tuple[str, int] | None:
    """Who had or has a run, and the fence; None for a run that nobody had."""
    row = tx.execute(
        select(leases.c.holder, leases.c.fence)
        .where(leases.c.name == lease_name(run_id))
        .with_for_update()
    ).one_or_none()
    return (row.holder, row.fence) if row else None


def forget_step_leases(tx: Tx, run_id: str) -> None:
    """Remove the leases on steps of a run that is over."""
    prefix = step_leases(run_id)
    # A PostgreSQL database may sort by a language, which passes over punctuation.
    name = leases.c.name if tx.is_sqlite else leases.c.name.collate("C")
    # Half open, so that an index by code points finds them: "0" is what follows "/".
    tx.execute(delete(leases).where(name >= prefix, name < prefix[:-1] + "0"))


def last_attempt(tx: Tx, run_id: str, node: str) -> int:
    """The number of a node's newest attempt; 0 before the first."""
    newest: int = tx.execute(
        select(func.coalesce(func.max(steps.c.attempt), 0)).where(
            steps.c.run == run_id, steps.c.node == node
        )
    ).scalar_one()
    return newest


def limit(tx: Tx, name: str, *, locked: bool = False) -> Limit | None:
    """A limit; `locked` keeps others from beginning a step under it until this transaction ends."""
    query = select(limits).where(limits.c.name == name)
    row = tx.execute(query.with_for_update() if locked else query).one_or_none()
    return _limit(row) if row else None


def all_limits(tx: Tx) -> list[Limit]:
    return [_limit(row) for row in tx.execute(select(limits).order_by(limits.c.name))]


def set_limit(tx: Tx, new: Limit) -> None:
    values = {"at_once": new.at_once, "starts": new.starts, "per_seconds": new.per_seconds}
    statement = _insert(tx, limits).values(name=new.name, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["name"], set_=values))


def remove_limit(tx: Tx, name: str) -> None:
    tx.execute(delete(limits).where(limits.c.name == name))


def count_under_way(tx: Tx, uses: str) -> int:
    """Attempts that use something and are under way, in runs that a worker holds, or steps that a process does."""
    rows = tx.execute(
        select(steps.c.run, steps.c.node, leases.c.holder)
        .join(leases, leases.c.name == "run:" + steps.c.run)
        .where(
            steps.c.uses == uses,
            steps.c.state == StepState.RUNNING.value,
            leases.c.expires_at > tx.now,
        )
    ).all()
    # Another scheduler has its run for hours; whether a process of it is alive, only its step's lease tells.
    return sum(not is_scheduler(row.holder) or _is_step_held(tx, row.run, row.node) for row in rows)


def count_begun(tx: Tx, uses: str, since: datetime) -> int:
    """Attempts that use something and began after an instant."""
    found: int = tx.execute(
        select(func.count())
        .select_from(steps)
        .where(steps.c.uses == uses, steps.c.started_at > since, steps.c.started_at <= tx.now)
    ).scalar_one()
    return found


def _limit(row: Row[Any]) -> Limit:
    return Limit(name=row.name, at_once=row.at_once, starts=row.starts, per_seconds=row.per_seconds)


def add_step(tx: Tx, attempt: StepAttempt, *, uses: str | None = None) -> None:
    tx.execute(
        insert(steps).values(
            run=attempt.run,
            node=attempt.node,
            attempt=attempt.attempt,
            state=attempt.state.value,
            started_at=attempt.started_at,
            finished_at=attempt.finished_at,
            cache_key=attempt.cache_key,
            outputs=attempt.outputs,
            error=attempt.error,
            cached_from=attempt.cached_from,
            warning=attempt.warning,
            uses=uses,
        )
    )


def end_step(tx: Tx, attempt: StepAttempt) -> None:
    tx.execute(
        update(steps)
        .where(
            steps.c.run == attempt.run,
            steps.c.node == attempt.node,
            steps.c.attempt == attempt.attempt,
        )
        .values(
            state=attempt.state.value,
            finished_at=attempt.finished_at,
            outputs=attempt.outputs,
            error=attempt.error,
            warning=attempt.warning,
        )
    )


def end_running_steps(
    tx: Tx, run_id: str, state: StepState, *, only: Collection[str] | None = None
) -> None:
    """End every attempt that nobody works on any more; or those at the nodes `only`."""
    query = update(steps).where(steps.c.run == run_id, steps.c.state == StepState.RUNNING.value)
    if only is not None:
        query = query.where(steps.c.node.in_(only))
    tx.execute(query.values(state=state.value, finished_at=tx.now))


def running_nodes(tx: Tx, run_id: str) -> list[str]:
    """The nodes of a run, and items of mapped ones, that have an attempt under way."""
    query = select(steps.c.node).where(
        steps.c.run == run_id, steps.c.state == StepState.RUNNING.value
    )
    return list(tx.execute(query).scalars())


def cache_entry(tx: Tx, key: Digest) -> CacheEntry | None:
    row = tx.execute(select(cache_entries).where(cache_entries.c.key == key)).one_or_none()
    return _entry(row) if row else None


def cache_entries_of(
    tx: Tx,
    step: str,
    *,
    limit: int,
    until: datetime | None = None,
    other_than: RunId | None = None,
) -> list[CacheEntry]:
    """A step's entries, newest first; those kept `until` an instant, by runs `other_than` one."""
    query = select(cache_entries).where(cache_entries.c.step == step)
    if until is not None:
        query = query.where(cache_entries.c.created_at <= until)
    if other_than is not None:
        query = query.where(cache_entries.c.run != other_than)
    query = query.order_by(cache_entries.c.created_at.desc(), cache_entries.c.key).limit(limit)
    return [_entry(row) for row in tx.execute(query)]


def keep_cache_entry(tx: Tx, entry: CacheEntry) -> None:
    """Keep an entry; one that is there already is replaced, for its bytes may be gone."""
    values = {
        "step": entry.step,
        "run": entry.run,
        "outputs": entry.outputs,
        "components": entry.components,
        "created_at": entry.created_at,
    }
    statement = _insert(tx, cache_entries).values(key=entry.key, **values)
    tx.execute(statement.on_conflict_do_update(index_elements=["key"], set_=values))


def add_log_lines(tx: Tx, run_id: str, lines: tuple[LogLine, ...]) -> None:
    rows = [
        {
            "run": run_id,
            "node": line.node,
            "attempt": line.attempt,
            "seq": line.seq,
            "at": line.at,
            "stream": line.stream,
            "text": line.text,
        }
        for line in lines
    ]
    tx.execute(_insert(tx, step_logs).on_conflict_do_nothing(), rows)


def log_lines(
    tx: Tx,
    run_id: str,
    *,
    node: str | None,
    attempt: int | None,
    after: int,
    newest: bool,
    limit: int,
) -> list[LogLine]:
    """Lines in the order they were kept: the last of them with `newest`, else the first."""
    query = select(step_logs).where(step_logs.c.run == run_id, step_logs.c.id > after)
    if node is not None:
        query = query.where(step_logs.c.node == node)
    if attempt is not None:
        query = query.where(step_logs.c.attempt == attempt)
    order = step_logs.c.id.desc() if newest else step_logs.c.id
    lines = [_line(row) for row in tx.execute(query.order_by(order).limit(limit))]
    return lines[::-1] if newest else lines


def _entry(row: Row[Any]) -> CacheEntry:
    return CacheEntry(
        key=Digest(row.key),
        step=row.step,
        run=RunId(row.run),
        outputs=row.outputs,
        components=row.components,
        created_at=row.created_at,
    )


def _wait(row: Row[Any]) -> Wait:
    return Wait(
        run=RunId(row.run),
        node=row.node,
        kind=WaitKind(row.kind),
        what=row.what,
        since=row.since,
        until=row.until,
        cursor=row.cursor,
        approved=row.approved,
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        note=row.note,
    )


def _line(row: Row[Any]) -> LogLine:
    return LogLine(
        node=row.node,
        attempt=row.attempt,
        seq=row.seq,
        at=row.at,
        stream=row.stream,
        text=row.text,
        id=row.id,
    )


def _run(row: Row[Any]) -> PipelineRun:
    return PipelineRun(
        id=RunId(row.id),
        service=row.service,
        pipeline=row.pipeline,
        graph=row.graph,
        params=row.params,
        inputs={name: DatasetVersionId(version) for name, version in row.inputs.items()},
        project=Digest(row.project),
        environment=Digest(row.environment),
        state=PipelineRunState(row.state),
        why=row.why,
        requested_at=row.requested_at,
        requested_by=row.requested_by,
        started_at=row.started_at,
        finished_at=row.finished_at,
        error=row.error,
        cancel_requested=row.cancel_requested,
        outputs=row.outputs,
        parent=RunId(row.parent) if row.parent else None,
        kept=row.kept or (),
        verify_cache=row.verify_cache or 0.0,
        trigger=row.trigger,
        cause_count=row.cause_count or 0,
        partition=row.partition,
        priority=row.priority or 0,
    )


def _step(row: Row[Any]) -> StepAttempt:
    return StepAttempt(
        run=RunId(row.run),
        node=row.node,
        attempt=row.attempt,
        state=StepState(row.state),
        started_at=row.started_at,
        finished_at=row.finished_at,
        cache_key=Digest(row.cache_key) if row.cache_key else None,
        outputs=row.outputs,
        error=row.error,
        cached_from=RunId(row.cached_from) if row.cached_from else None,
        warning=row.warning,
    )


def _insert(tx: Tx, table: Any) -> Any:
    return sqlite.insert(table) if tx.is_sqlite else postgresql.insert(table)
