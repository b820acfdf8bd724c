"""Backfills on both databases: what is run, how far it is, and stopping it."""

import threading
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from mainspring.app import App
from mainspring.backfills.requests import (
    AdvanceBackfill,
    CancelBackfill,
    DueBackfills,
    GetBackfill,
    ListBackfillParts,
    ListBackfills,
    PauseBackfill,
    PreviewBackfill,
    ResumeBackfill,
    Span,
    StartBackfill,
)
from mainspring.datasets.requests import RemoveDatasetVersion
from mainspring.domain.backfill import Backfill, BackfillState, PartState, Reprocess
from mainspring.domain.event import BackfillChanged
from mainspring.domain.partition import Partitions, PartitionUnit
from mainspring.domain.pipeline import Graph, PipelineParameter, PipelineRun, PipelineRunState
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.pipelines.requests import GetPipelineRun, ListPipelineRuns, RequestRun
from mainspring.reconcile.backfills import Backfills
from mainspring.testing.apps import clock_of, emitted
from mainspring.testing.triggers import a_graph, data_arrives, ended

DAYS = Span(first="2026-01-30", last="2026-02-02")


def by_day(unit: PartitionUnit = PartitionUnit.DAY, keys: tuple[str, ...] = ()) -> Graph:
    plain = a_graph()
    return Graph(
        pipeline=plain.pipeline,
        parameters=(
            PipelineParameter(name="day", is_dataset=False),
            PipelineParameter(name="depth", is_dataset=False, has_default=True, default=3),
        ),
        nodes=plain.nodes,
        outputs=(),
        partitions=Partitions(parameter="day", unit=unit, keys=keys),
    )


def a_backfill(app: App, graph: Graph | None = None, **differing: Any) -> Backfill:
    what = {"graph": graph or by_day(), "span": DAYS}
    what |= {
        key: differing.pop(key)
        for key in ("span", "partitions", "reprocess", "newest_first")
        if key in differing
    }
    return app.call(
        StartBackfill(
            what=PreviewBackfill(**what),  # type: ignore[arg-type]
            inputs=differing.pop("inputs", {}),
            project=app.blobs.put_bytes(b"project"),
            environment=app.blobs.put_bytes(b"environment"),
            **differing,
        )
    )


def a_run(app: App, day: str, state: PipelineRunState | None = None) -> PipelineRun:
    run = app.call(
        RequestRun(
            pipeline="flow:flow",
            graph=by_day(),
            inputs={},
            project=app.blobs.put_bytes(b"project"),
            environment=app.blobs.put_bytes(b"environment"),
            params={"day": day},
        )
    )
    # Which of two runs is the newer is told by time.
    clock_of(app).advance(timedelta(seconds=1))
    return run if state is None else ended(app, run, state)


def advanced(app: App) -> None:
    loop = Backfills(app.call)
    while loop.tick((), app.clock.now()):
        pass


def under_way(app: App) -> list[PipelineRun]:
    found = app.call(ListPipelineRuns(limit=1000))
    return sorted((r for r in found if not r.state.is_final), key=lambda run: str(run.partition))


def states(app: App, backfill: Backfill) -> dict[str, str]:
    parts = app.call(ListBackfillParts(backfill=backfill.id, limit=1000)).items
    return {part.partition: part.state.value for part in parts}


def test_partitions_are_run_so_many_at_a_time_in_their_order_to_the_end(any_app: App) -> None:
    backfill = a_backfill(any_app, concurrency=2, params={"depth": 5}, why="new features")
    assert backfill.counts == {PartState.WAITING: 4}
    order = []

    advanced(any_app)
    assert len(under_way(any_app)) == 2
    while runs := under_way(any_app):
        order.append(runs[0].partition)
        assert runs[0].params == {"day": runs[0].partition, "depth": 5}
        ended(any_app, runs[0])
        advanced(any_app)

    assert order == ["2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02"]
    after = any_app.call(GetBackfill(backfill=backfill.id))
    assert (after.state, after.counts) == (BackfillState.FINISHED, {PartState.SUCCEEDED: 4})
    run = next(r for r in any_app.call(ListPipelineRuns()) if r.partition == "2026-02-02")
    assert run.why == f"backfill {backfill.id}: day 2026-02-02 (new features)"
    assert not any_app.call(DueBackfills())
    assert [e.payload["what"] for e in emitted(any_app, BackfillChanged)] == [
        "asked for",
        "finished",
    ]


@pytest.mark.parametrize(
    ("reprocess", "waiting"),
    [
        (Reprocess.MISSING, ["2026-01-31", "2026-02-02"]),
        (Reprocess.FAILED, ["2026-01-31", "2026-02-01"]),
        (Reprocess.ALL, ["2026-01-30", "2026-01-31", "2026-02-01", "2026-02-02"]),
    ],
)
def test_a_dry_run_tells_which_partitions_would_be_run_and_changes_nothing(
    any_app: App, reprocess: Reprocess, waiting: list[str]
) -> None:
    done = a_run(any_app, "2026-01-30", PipelineRunState.SUCCEEDED)
    a_run(any_app, "2026-01-31", PipelineRunState.FAILED)
    a_run(any_app, "2026-02-01", PipelineRunState.SUCCEEDED)
    a_run(any_app, "2026-02-01", PipelineRunState.FAILED)

    parts = any_app.call(PreviewBackfill(graph=by_day(), span=DAYS, reprocess=reprocess))

    assert [part.partition for part in parts if part.state is PartState.WAITING] == waiting
    if reprocess is not Reprocess.ALL:
        assert parts[0].run == done.id
    assert any_app.call(ListBackfills()) == ()


def test_a_partition_that_is_under_way_is_left_alone(app: App) -> None:
    run = a_run(app, "2026-01-30")

    parts = app.call(PreviewBackfill(graph=by_day(), partitions=("2026-01-30",)))

    assert (parts[0].state, parts[0].run) == (PartState.SKIPPED, run.id)


def test_a_partition_that_fails_keeps_no_other_from_being_run(app: App) -> None:
    backfill = a_backfill(app)
    advanced(app)
    ended(app, under_way(app)[0], PipelineRunState.FAILED)
    advanced(app)
    while runs := under_way(app):
        ended(app, runs[0])
        advanced(app)

    after = app.call(GetBackfill(backfill=backfill.id))
    assert after.counts == {PartState.SUCCEEDED: 3, PartState.FAILED: 1}
    failed = app.call(ListBackfillParts(backfill=backfill.id, state=PartState.FAILED)).items
    assert [part.partition for part in failed] == ["2026-01-30"]


def test_a_backfill_is_paused_resumed_and_cancelled(any_app: App) -> None:
    backfill = a_backfill(any_app)
    advanced(any_app)
    any_app.call(PauseBackfill(backfill=backfill.id))
    ended(any_app, under_way(any_app)[0])
    advanced(any_app)
    assert not under_way(any_app)
    assert states(any_app, backfill)["2026-01-30"] == "succeeded"

    any_app.call(ResumeBackfill(backfill=backfill.id))
    advanced(any_app)
    (run,) = under_way(any_app)
    cancelled = any_app.call(CancelBackfill(backfill=backfill.id))

    assert any_app.call(GetPipelineRun(run=run.id)).state is PipelineRunState.CANCELLED
    assert cancelled.state is BackfillState.CANCELLED
    assert list(states(any_app, backfill).values()) == ["succeeded"] + ["cancelled"] * 3
    assert any_app.call(CancelBackfill(backfill=backfill.id)) == cancelled
    advanced(any_app)
    assert not under_way(any_app)
    with pytest.raises(Conflict, match="is cancelled already"):
        any_app.call(ResumeBackfill(backfill=backfill.id))


def test_loops_at_once_ask_for_every_partition_once(any_app: App) -> None:
    backfill = a_backfill(any_app, concurrency=4)
    threads = [
        threading.Thread(target=any_app.call, args=(AdvanceBackfill(backfill=backfill.id),))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(str(run.partition) for run in under_way(any_app)) == sorted(
        states(any_app, backfill)
    )


def test_nothing_left_to_do_is_finished_at_once(app: App) -> None:
    a_run(app, "2026-01-30", PipelineRunState.SUCCEEDED)

    backfill = a_backfill(app, span=None, partitions=("2026-01-30",))
    advanced(app)

    after = app.call(GetBackfill(backfill=backfill.id))
    assert (after.state, after.counts) == (BackfillState.FINISHED, {PartState.SKIPPED: 1})


def test_keys_are_all_run_unless_some_are_named(app: App) -> None:
    graph = by_day(PartitionUnit.KEY, ("de", "fr", "it"))

    everything = app.call(PreviewBackfill(graph=graph, newest_first=True))
    some = app.call(PreviewBackfill(graph=graph, partitions=("fr", "fr")))

    assert [part.partition for part in everything] == ["it", "fr", "de"]
    assert [part.partition for part in some] == ["fr"]
    with pytest.raises(Invalid, match="'es', which is no partition"):
        app.call(PreviewBackfill(graph=graph, partitions=("es",)))
    with pytest.raises(Invalid, match="which is no time"):
        app.call(PreviewBackfill(graph=graph, span=DAYS))


@pytest.mark.parametrize(
    ("differing", "told"),
    [
        ({"span": None}, "go on without end"),
        ({"partitions": ("2026-01-30",)}, "not of both"),
        ({"span": Span(first="2026-02-30", last="2026-03-01")}, "which names no day"),
        ({"span": Span(first="2026-1-3", last="2026-03-01")}, "Write it like 2026-01-31"),
        ({"span": Span(first="2026-02-02", last="2026-02-01")}, "comes before"),
        ({"span": Span(first="1000-01-01", last="2026-02-01")}, "more than 100000"),
        ({"graph": a_graph()}, "has no partitions"),
        ({"params": {"day": "2026-01-30"}}, "names the partition"),
        ({"params": {"wide": 3}}, "wide"),
    ],
)
def test_what_can_t_be_run_is_refused(app: App, differing: dict[str, Any], told: str) -> None:
    with pytest.raises(Invalid) as caught:
        a_backfill(app, **differing)

    assert told in str(caught.value)
    assert app.call(ListBackfills()) == ()


def test_a_run_of_a_pipeline_with_partitions_is_of_one(app: App) -> None:
    assert a_run(app, "2026-01-30").partition == "2026-01-30"
    with pytest.raises(Invalid, match="which names no day"):
        a_run(app, "today")
    with pytest.raises(NotFound, match="no backfill"):
        app.call(GetBackfill(backfill="bkf_1"))


def test_data_that_can_t_be_read_is_refused_and_later_pauses_a_backfill(any_app: App) -> None:
    version = data_arrives(any_app, 1)
    graph = replace(
        by_day(),
        parameters=(*by_day().parameters, PipelineParameter(name="rides", is_dataset=True)),
    )
    with pytest.raises(Invalid, match="takes the datasets rides"):
        a_backfill(any_app, graph)
    backfill = a_backfill(any_app, graph, inputs={"rides": version.id})
    any_app.call(RemoveDatasetVersion(dataset="rides", number=1, why="a mistake"))

    advanced(any_app)

    after = any_app.call(GetBackfill(backfill=backfill.id))
    assert (after.state, after.counts) == (BackfillState.PAUSED, {PartState.WAITING: 4})
    told = emitted(any_app, BackfillChanged)[-1].payload["what"]
    assert str(told).startswith("paused: version 1 of rides")
    assert not any_app.call(DueBackfills())
