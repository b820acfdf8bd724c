"""Limits on what steps of all runs share, and the order in which runs are taken, on both databases."""

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from mainspring.app import App
from mainspring.domain.event import LimitChanged
from mainspring.domain.pipeline import Limit, PipelineRun, PipelineRunState, StepState
from mainspring.kernel.errors import Conflict, NotFound
from mainspring.pipelines.requests import (
    BeginRun,
    CancelRun,
    FindWork,
    FinishRun,
    FinishStep,
    ListLimits,
    RemoveLimit,
    RequestRun,
    RunLease,
    SetLimit,
    StartStep,
    TakeRun,
    TakeStep,
)
from mainspring.store.tables.ledger import leases
from mainspring.testing.apps import an_app, clock_of, emitted
from mainspring.testing.postgres import PostgresServer
from mainspring.testing.triggers import a_graph


def asked_for(app: App, **differing: int) -> RequestRun:
    graph = a_graph()
    graph = replace(graph, nodes=(replace(graph.nodes[0], uses="warehouse"),))
    return RequestRun(
        pipeline="flow:flow",
        graph=graph,
        inputs={},
        project=app.blobs.put_bytes(b"project"),
        environment=app.blobs.put_bytes(b"environment"),
        **differing,  # type: ignore[arg-type]
    )


def a_run(app: App, **differing: int) -> PipelineRun:
    return app.call(asked_for(app, **differing))


def taken(app: App, number: int) -> RunLease:
    lease = app.call(TakeRun(holder=f"w{number}", run=a_run(app).id))
    assert lease is not None
    return lease


def start(app: App, lease: RunLease) -> None:
    app.call(StartStep(lease=lease, node="work"))


def end(app: App, lease: RunLease) -> None:
    app.call(FinishStep(lease=lease, node="work", attempt=1, state=StepState.FAILED))
    app.call(FinishRun(lease=lease, state=PipelineRunState.FAILED))


def test_so_many_steps_use_the_same_at_once_whatever_run_they_are_of(any_app: App) -> None:
    any_app.call(SetLimit(name="warehouse", at_once=2))
    first, second, third = (taken(any_app, number) for number in range(3))
    start(any_app, first)
    start(any_app, second)

    with pytest.raises(Conflict, match="2 steps that use warehouse are under way") as caught:
        start(any_app, third)

    assert caught.value.code == "limit_reached"
    end(any_app, first)
    start(any_app, third)


def test_a_worker_that_died_holds_no_place(app: App) -> None:
    app.call(SetLimit(name="warehouse", at_once=1))
    start(app, taken(app, 0))
    clock_of(app).advance(timedelta(minutes=1))

    start(app, taken(app, 1))


def test_a_process_of_another_scheduler_that_died_holds_no_place(any_app: App) -> None:
    any_app.call(SetLimit(name="warehouse", at_once=1))

    def begun(key: str) -> RunLease:
        asked = asked_for(any_app)
        run = any_app.call(BeginRun(asked=asked, key=key, scheduler="airflow"))
        lease = any_app.call(TakeStep(run=run.id, step="work", holder=key))
        assert lease is not None
        return lease

    start(any_app, begun("first"))
    second = begun("second")
    with pytest.raises(Conflict, match="1 steps that use warehouse"):
        start(any_app, second)
    clock_of(any_app).advance(timedelta(minutes=1))

    start(any_app, second)


def test_leases_on_steps_go_with_their_run_where_text_sorts_by_a_language(
    postgres: PostgresServer, tmp_path: Path
) -> None:
    postgres.run_sql(
        "CREATE DATABASE of_a_language TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en-US-u-ka-shifted'"
    )
    app = an_app(tmp_path / "home", database=postgres.url("of_a_language"))
    run = app.call(BeginRun(asked=asked_for(app), key="k", scheduler="airflow"))
    assert app.call(TakeStep(run=run.id, step="work", holder="h")) is not None

    app.call(CancelRun(run=run.id))

    with app.store.read(app.actor, "test") as tx:
        left = [row.name for row in tx.execute(select(leases))]
    app.close()
    assert left == []


def test_so_many_steps_begin_within_a_span(any_app: App) -> None:
    any_app.call(SetLimit(name="warehouse", starts=2, per_seconds=60))
    leases = [taken(any_app, number) for number in range(3)]
    for lease in leases[:2]:
        start(any_app, lease)
        end(any_app, lease)

    with pytest.raises(Conflict, match="2 steps that use warehouse began in 60 s"):
        start(any_app, leases[2])

    clock_of(any_app).advance(timedelta(seconds=61))
    start(any_app, taken(any_app, 4))


def test_of_those_that_ask_at_once_no_more_than_may_begin(any_app: App) -> None:
    any_app.call(SetLimit(name="warehouse", at_once=3))
    leases = [taken(any_app, number) for number in range(8)]
    outcomes: list[str] = []

    def ask(lease: RunLease) -> None:
        try:
            start(any_app, lease)
            outcomes.append("began")
        except Conflict as error:
            outcomes.append(error.code)

    threads = [threading.Thread(target=ask, args=(lease,)) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["began"] * 3 + ["limit_reached"] * 5


def test_a_limit_is_set_listed_and_removed(any_app: App) -> None:
    limit = any_app.call(SetLimit(name="warehouse", at_once=2, starts=5, per_seconds=10))
    any_app.call(SetLimit(name="warehouse", at_once=2, starts=5, per_seconds=10))

    assert limit == Limit(name="warehouse", at_once=2, starts=5, per_seconds=10)
    assert any_app.call(ListLimits()) == (limit,)
    any_app.call(RemoveLimit(name="warehouse"))
    assert any_app.call(ListLimits()) == ()
    with pytest.raises(NotFound, match="no limit on 'warehouse'"):
        any_app.call(RemoveLimit(name="warehouse"))
    assert [e.payload["what"] for e in emitted(any_app, LimitChanged)] == ["set", "removed"]


def test_runs_are_taken_by_their_priority_and_then_by_their_age(any_app: App) -> None:
    runs = []
    for priority in (0, 5, -10, 5):
        runs.append(a_run(any_app, priority=priority).id)
        clock_of(any_app).advance(timedelta(seconds=1))

    assert any_app.call(FindWork()) == (runs[1], runs[3], runs[0], runs[2])
