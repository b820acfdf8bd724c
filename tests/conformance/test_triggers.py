"""Triggers on both databases: what happened, what waits, and which run came of it."""

import base64
import hmac
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from mainspring.app import App
from mainspring.blobs.trees import put_manifest
from mainspring.datasets.requests import RemoveDatasetVersion
from mainspring.domain.dataset import Manifest
from mainspring.domain.event import IncidentOpened, RunRequested, TriggerCalled, TriggerChanged
from mainspring.domain.monitor import IncidentKind
from mainspring.domain.partition import Partitions, PartitionUnit
from mainspring.domain.pipeline import PipelineRunState
from mainspring.domain.trigger import CatchUp, CauseKind, CauseState, Source, TriggerMode
from mainspring.governance.requests import ListAuditEntries
from mainspring.kernel.errors import Denied, Invalid, NotFound
from mainspring.monitoring.requests import OpenIncident
from mainspring.pipelines.requests import GetPipelineRun, ListPipelineRuns
from mainspring.registry.requests import RegisterModelVersion
from mainspring.testing.apps import clock_of, emitted
from mainspring.testing.services import a_service
from mainspring.testing.triggers import (
    a_graph,
    a_trigger,
    causes,
    collected,
    data_arrives,
    ended,
    fired,
    on_data,
    on_schedule,
    status_of,
)
from mainspring.triggers import collect
from mainspring.triggers.hooks import signature_of
from mainspring.triggers.requests import (
    CallTrigger,
    CheckHook,
    CollectCauses,
    DeleteTrigger,
    FireTrigger,
    FoundFile,
    HookCall,
    ListCauses,
    ListTriggers,
    NewTriggerSecret,
    NoteTriggerError,
    PauseTrigger,
    ReceiveHook,
    ReportCommit,
    ReportFiles,
    ResumeTrigger,
)

RIDES = on_data("rides")
DAILY = on_schedule("0 3 * * *")
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)


def test_a_new_dataset_version_gives_a_run_on_it_that_names_it(any_app: App) -> None:
    a_trigger(any_app, RIDES, graph=a_graph("rides"))
    version = data_arrives(any_app, 1)

    run = fired(any_app)

    assert run is not None
    assert (run.trigger, run.cause_count) == ("nightly", 1)
    assert run.inputs == {"rides": version.id}
    assert run.why == "trigger nightly: rides has version 1"
    assert any_app.call(GetPipelineRun(run=run.id)) == run
    (cause,) = causes(any_app, run=run.id)
    assert (cause.kind, cause.state, cause.run) == (CauseKind.DATA, CauseState.RAN, run.id)
    assert cause.values["number"] == "1"
    assert emitted(any_app, RunRequested)[0].payload["trigger"] == "nightly"
    assert fired(any_app) is None


def test_what_happened_before_it_was_declared_does_not_count(app: App) -> None:
    data_arrives(app, 1)
    a_trigger(app, RIDES, graph=a_graph("rides"))

    assert not status_of(app).has_news
    assert fired(app) is None


def test_four_events_while_a_run_is_under_way_are_all_consumed_and_attributed(any_app: App) -> None:
    a_trigger(any_app, RIDES, graph=a_graph("rides"))
    data_arrives(any_app, 0)
    first = fired(any_app)
    assert first is not None
    for number in range(1, 5):
        data_arrives(any_app, number)
        assert fired(any_app) is None
    assert status_of(any_app).why_not == f"run {first.id} is under way"
    assert status_of(any_app).waiting == 4

    ended(any_app, first)
    second = fired(any_app)

    assert second is not None
    assert second.cause_count == 4
    assert [c.values["number"] for c in causes(any_app, run=second.id)] == ["2", "3", "4", "5"]
    assert second.why == (
        "trigger nightly: rides has version 3; rides has version 4; rides has version 5; and 1 more"
    )


def test_each_gives_every_event_a_run_of_its_own_in_order(any_app: App) -> None:
    a_trigger(any_app, RIDES, graph=a_graph("rides"), mode=TriggerMode.EACH, concurrency=2)
    versions = [data_arrives(any_app, number).id for number in range(3)]

    first, second, third = fired(any_app), fired(any_app), fired(any_app)

    assert first is not None
    assert second is not None
    assert third is None
    ended(any_app, first)
    third = fired(any_app)
    assert third is not None
    assert [run.inputs["rides"] for run in (first, second, third)] == versions
    assert [run.cause_count for run in (first, second, third)] == [1, 1, 1]


def test_latest_runs_the_newest_and_records_what_it_supersedes(any_app: App) -> None:
    a_trigger(any_app, RIDES, graph=a_graph("rides"), mode=TriggerMode.LATEST)
    versions = [data_arrives(any_app, number).id for number in range(3)]

    run = fired(any_app)

    assert run is not None
    assert run.inputs == {"rides": versions[-1]}
    assert [c.state for c in causes(any_app, run=run.id)] == [
        CauseState.SUPERSEDED,
        CauseState.SUPERSEDED,
        CauseState.RAN,
    ]


@pytest.mark.slow
def test_10_000_events_are_all_in_one_run_and_each_is_attributed(any_app: App) -> None:
    a_trigger(any_app, Source(kind=CauseKind.INCIDENT, subject="demand"))
    with any_app.store.write(any_app.actor, "test") as tx:
        for number in range(10_000):
            tx.emit(
                IncidentOpened(
                    service="demand", incident=f"inc_{number}", kind="serving", findings=()
                )
            )

    run = fired(any_app)

    assert run is not None
    assert run.cause_count == 10_000
    found = causes(any_app, run=run.id)
    assert [c.values["incident"] for c in found] == [f"inc_{n}" for n in range(10_000)]
    assert not causes(any_app, state=CauseState.WAITING)


def test_schedulers_that_work_at_once_lose_nothing_and_do_nothing_twice(any_app: App) -> None:
    a_trigger(any_app, RIDES, graph=a_graph("rides"), mode=TriggerMode.EACH, concurrency=100)
    arrived: list[str] = []
    done = threading.Event()
    errors: list[BaseException] = []

    def schedule() -> None:
        try:
            while not done.is_set() or status_of(any_app).has_news or status_of(any_app).is_due:
                any_app.call(CollectCauses(name="nightly"))
                any_app.call(FireTrigger(name="nightly"))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=schedule) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(12):
        arrived.append(data_arrives(any_app, number).id)
    done.set()
    for thread in threads:
        thread.join()

    assert not errors
    runs = any_app.call(ListPipelineRuns(limit=1000))
    assert sorted(run.inputs["rides"] for run in runs) == sorted(arrived)
    assert all(len(causes(any_app, run=run.id)) == 1 for run in runs)


def test_a_daily_time_counts_once_over_a_change_of_the_clocks(app: App) -> None:
    clock = clock_of(app)
    clock.advance(datetime(2026, 10, 24, 22, tzinfo=UTC) - clock.now())
    a_trigger(
        app,
        on_schedule("30 2 * * * Europe/Berlin"),
        mode=TriggerMode.EACH,
        graph=a_graph(day=""),
        params={"day": "${day}"},
    )
    days = []

    # The hour from 2 to 3 comes twice on the 25th, and is looked at in both of its rounds.
    for _ in range(30):
        clock.advance(HOUR + timedelta(minutes=1))
        if run := fired(app):
            days.append(run.params["day"])
            ended(app, run)

    assert days == ["2026-10-25", "2026-10-26"]


def test_a_clock_that_is_put_back_makes_no_time_count_twice(any_app: App) -> None:
    clock = clock_of(any_app)
    a_trigger(any_app, on_schedule("@hourly"), catch_up=CatchUp.ALL)
    clock.advance(3 * HOUR)
    assert collected(any_app) == 3

    clock.advance(-2 * HOUR)
    assert collected(any_app) == 0
    clock.advance(3 * HOUR)

    assert collected(any_app) == 1
    assert [f"{c.at:%H:%M}" for c in causes(any_app)] == ["01:00", "02:00", "03:00", "04:00"]


def test_a_clock_that_was_years_ahead_for_a_while_does_not_silence_a_schedule(app: App) -> None:
    clock = clock_of(app)
    a_trigger(app, DAILY)
    clock.advance(3650 * DAY)
    run = fired(app)
    assert run is not None
    ended(app, run)
    clock.advance(-3650 * DAY)
    assert fired(app) is None

    clock.advance(DAY)

    assert fired(app) is not None


@pytest.mark.parametrize(
    ("policy", "ran", "skipped"),
    [
        (CatchUp.ALL, ["01-01", "01-02", "01-03"], 0),
        (CatchUp.ONE, ["01-03"], 1),
        (CatchUp.NONE, [], 1),
    ],
)
def test_times_that_were_missed_go_by_the_policy(
    app: App, policy: CatchUp, ran: list[str], skipped: int
) -> None:
    a_trigger(app, DAILY, catch_up=policy)

    clock_of(app).advance(3 * DAY)
    collected(app)

    assert [f"{c.at:%m-%d}" for c in causes(app, state=CauseState.WAITING)] == ran
    found = causes(app, state=CauseState.SKIPPED)
    assert len(found) == skipped
    if skipped:
        assert f"catch_up is {policy.value}" in str(found[0].reason)
        assert found[0].what.startswith(f"schedule 0 3 * * * came round {3 - len(ran)} times, 2026")


def test_a_time_that_is_looked_at_soon_is_not_missed(app: App) -> None:
    a_trigger(app, DAILY, catch_up=CatchUp.NONE)

    clock_of(app).advance(3 * HOUR + timedelta(minutes=4))

    assert collected(app) == 1
    assert len(causes(app, state=CauseState.WAITING)) == 1


def test_years_of_missed_minutes_are_looked_at_at_once(app: App) -> None:
    a_trigger(app, on_schedule("* * * * *"))

    clock_of(app).advance(1000 * DAY)
    collected(app)

    (skipped,) = causes(app, state=CauseState.SKIPPED)
    assert "came round more than 1000 times, 2026-01-01 00:01Z to 2028-09-" in skipped.what
    assert len(causes(app, state=CauseState.WAITING)) == 5


def test_quiet_is_waited_for_but_not_without_end(app: App) -> None:
    clock = clock_of(app)
    a_trigger(app, RIDES, graph=a_graph("rides"), debounce_seconds=60)
    data_arrives(app, 0)
    assert fired(app) is None
    assert str(status_of(app).why_not).startswith("quiet is waited for until 2026-01-01 00:01")
    clock.advance(timedelta(seconds=60))
    run = fired(app)
    assert run is not None
    ended(app, run)

    for number in range(1, 20):
        data_arrives(app, number)
        if run := fired(app):
            break
        clock.advance(timedelta(seconds=50))

    assert run is not None
    assert run.cause_count == 13


def test_a_cool_down_and_a_budget_hold_runs_back_and_lose_nothing(app: App) -> None:
    clock = clock_of(app)
    a_trigger(
        app,
        RIDES,
        graph=a_graph("rides"),
        mode=TriggerMode.EACH,
        cooldown_seconds=60,
        budget_runs=2,
        budget_seconds=3600,
    )
    for number in range(3):
        data_arrives(app, number)
    first = fired(app)
    assert first is not None
    ended(app, first)
    assert fired(app) is None
    assert str(status_of(app).why_not).startswith("its cool-down lasts until")
    clock.advance(timedelta(seconds=60))
    second = fired(app)
    assert second is not None
    ended(app, second)
    clock.advance(timedelta(seconds=60))

    assert fired(app) is None
    assert status_of(app).why_not == ("its budget of runs is used up until 2026-01-01 01:00:00Z")
    clock.advance(HOUR)
    assert fired(app) is not None


def test_too_long_without_a_run_is_a_reason_by_itself(app: App) -> None:
    clock = clock_of(app)
    a_trigger(app, RIDES, max_staleness_seconds=7 * 86400.0)
    clock.advance(6 * DAY)
    assert fired(app) is None
    clock.advance(DAY)

    run = fired(app)

    assert run is not None
    assert causes(app, run=run.id)[0].kind is CauseKind.STALE
    ended(app, run)
    clock.advance(DAY)
    assert fired(app) is None
    clock.advance(6 * DAY)
    assert fired(app) is not None


def test_what_happens_while_it_is_paused_counts_when_it_is_resumed(app: App) -> None:
    clock = clock_of(app)
    a_trigger(app, RIDES, DAILY, graph=a_graph("rides"))
    app.call(PauseTrigger(name="nightly"))
    data_arrives(app, 0)
    clock.advance(DAY)
    app.call(CollectCauses(name="nightly"))
    assert app.call(FireTrigger(name="nightly")) is None
    assert status_of(app).why_not == "it is paused"

    app.call(ResumeTrigger(name="nightly"))
    run = fired(app)

    assert run is not None
    assert {c.kind for c in causes(app, run=run.id)} == {CauseKind.DATA, CauseKind.SCHEDULE}
    assert [e.payload["what"] for e in emitted(app, TriggerChanged)] == [
        "declared",
        "paused",
        "resumed",
    ]


def test_a_declaration_that_changes_looks_at_the_past_as_it_was(app: App) -> None:
    a_trigger(app, RIDES)
    data_arrives(app, 0)
    data_arrives(app, 0, "trips")

    a_trigger(app, on_data("trips"))

    assert [c.what for c in causes(app)] == ["rides has version 1"]
    data_arrives(app, 1)
    data_arrives(app, 1, "trips")
    collected(app)
    assert [c.what for c in causes(app)] == ["rides has version 1", "trips has version 2"]


def test_a_declaration_that_changes_looks_past_all_that_does_not_concern_it(
    app: App, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collect, "EVENTS_AT_ONCE", 2)
    a_trigger(app, RIDES)
    for number in range(5):
        data_arrives(app, number, dataset="trips")
    data_arrives(app, 1)

    a_trigger(app, DAILY)

    assert [cause.what for cause in causes(app)] == ["rides has version 1"]


def test_the_same_declaration_changes_nothing(app: App) -> None:
    before = a_trigger(app, RIDES)
    clock_of(app).advance(HOUR)

    assert a_trigger(app, RIDES) == before
    assert len(emitted(app, TriggerChanged)) == 1


def test_incidents_models_and_their_kinds_are_told_apart(any_app: App) -> None:
    a_service(any_app)
    a_trigger(
        any_app,
        Source(kind=CauseKind.INCIDENT, subject="demand", detail="serving"),
        Source(kind=CauseKind.MODEL, subject="embedding"),
    )
    for kind in (IncidentKind.SERVING, IncidentKind.FAILING_RUNS):
        any_app.call(OpenIncident(service="demand", kind=kind, summary="it broke"))
    for name in ("embedding", "other"):
        any_app.call(
            RegisterModelVersion(
                model=name, manifest=put_manifest(any_app.blobs, Manifest(entries=()))
            )
        )

    collected(any_app)

    assert [c.what for c in causes(any_app)] == [
        "incident serving of demand: it broke",
        "model embedding has version 1",
    ]


def test_a_run_that_can_t_be_asked_for_leaves_everything_waiting(app: App) -> None:
    a_trigger(app, Source(kind=CauseKind.MODEL, subject="m"), graph=a_graph("rides"))
    app.call(CallTrigger(name="nightly"))

    with pytest.raises(NotFound, match="rides"):
        app.call(FireTrigger(name="nightly"))

    app.call(NoteTriggerError(name="nightly", error="there is no dataset"))
    assert status_of(app).trigger.error == "there is no dataset"
    assert status_of(app).waiting == 1
    data_arrives(app, 0)
    assert app.call(FireTrigger(name="nightly")) is not None
    assert status_of(app).trigger.error is None


def test_what_no_run_can_be_made_of_is_skipped_and_holds_up_nothing(any_app: App) -> None:
    partitions = Partitions(parameter="part", unit=PartitionUnit.KEY, keys=("north", "south"))
    source = Source(kind=CauseKind.FILE, subject="/in/*")
    a_trigger(
        any_app,
        source,
        graph=replace(a_graph(part=""), partitions=partitions),
        params={"part": "${name}"},
        mode=TriggerMode.EACH,
    )
    files = tuple(
        FoundFile(
            path=f"/in/{name}", size_bytes=1, modified_ns=1, changed_at=clock_of(any_app).now()
        )
        for name in ("nowhere", "south")
    )
    any_app.call(ReportFiles(name="nightly", source=str(source), files=files))

    first = any_app.call(FireTrigger(name="nightly"))
    then = any_app.call(FireTrigger(name="nightly"))

    assert first is None
    assert then is not None
    assert then.partition == "south"
    skipped, ran = causes(any_app)
    assert (skipped.state, ran.state) == (CauseState.SKIPPED, CauseState.RAN)
    assert skipped.reason == "part is 'nowhere', which is no partition"
    with pytest.raises(Invalid, match="which is no partition"):
        any_app.call(CallTrigger(name="nightly", values={"name": "east"}))


def test_data_that_was_removed_before_its_run_is_skipped(app: App) -> None:
    a_trigger(app, RIDES, graph=a_graph("rides"), mode=TriggerMode.EACH)
    data_arrives(app, 1)
    second = data_arrives(app, 2)
    collected(app)
    app.call(RemoveDatasetVersion(dataset="rides", number=1, why="a mistake"))

    first = app.call(FireTrigger(name="nightly"))
    then = app.call(FireTrigger(name="nightly"))

    assert first is None
    assert then is not None
    assert then.inputs == {"rides": second.id}
    assert causes(app)[0].reason == "rides has version 1, and that can't be read any more"


def test_a_file_that_is_told_of_just_after_a_pause_is_not_lost(app: App) -> None:
    source = Source(kind=CauseKind.FILE, subject="/in/*")
    a_trigger(app, source)
    app.call(PauseTrigger(name="nightly"))
    file = FoundFile(path="/in/a", size_bytes=1, modified_ns=1, changed_at=clock_of(app).now())

    count = app.call(ReportFiles(name="nightly", source=str(source), files=(file,)))

    assert count == 1
    assert fired(app) is None
    app.call(ResumeTrigger(name="nightly"))
    assert fired(app) is not None


def test_a_secret_counts_no_more_once_no_webhook_is_waited_for(app: App) -> None:
    a_trigger(app, Source(kind=CauseKind.WEBHOOK))
    secret = app.call(NewTriggerSecret(name="nightly"))
    call = HookCall(body="{}", headers={"x-hub-signature-256": signature_of(secret, "{}")})
    app.call(CheckHook(name="nightly", call=call))
    a_trigger(app, DAILY)

    with pytest.raises(Denied, match="not signed"):
        app.call(ReceiveHook(name="nightly", call=call))

    assert not causes(app)


def test_a_webhook_takes_a_body_with_what_no_database_keeps(any_app: App) -> None:
    a_trigger(any_app, Source(kind=CauseKind.WEBHOOK))
    secret = any_app.call(NewTriggerSecret(name="nightly"))
    body = r'{"nul": "a\u0000b", "half": "\ud800"}'
    call = HookCall(body=body, headers={"x-hub-signature-256": signature_of(secret, body)})

    cause = any_app.call(ReceiveHook(name="nightly", call=call))

    assert (cause.values["body.nul"], cause.values["body.half"]) == ("a\ufffdb", "?")


def test_a_call_by_hand_gives_the_values_that_parameters_need(app: App) -> None:
    a_trigger(
        app,
        Source(kind=CauseKind.FILE, subject="/in/*.csv"),
        graph=a_graph(path=""),
        params={"path": "${path}"},
    )

    with pytest.raises(Invalid, match="needs a value for path"):
        app.call(CallTrigger(name="nightly"))
    app.call(CallTrigger(name="nightly", values={"path": "/in/a.csv"}))

    run = fired(app)
    assert run is not None
    assert run.params == {"path": "/in/a.csv"}
    assert run.why == "trigger nightly: person:tester asked for it"
    assert emitted(app, TriggerCalled)[0].payload["kind"] == "hand"


def test_files_count_once_for_each_content_and_only_if_they_came_later(any_app: App) -> None:
    source = Source(kind=CauseKind.FILE, subject="/in/*.csv")
    a_trigger(any_app, source)
    clock = clock_of(any_app)

    def report(*files: FoundFile) -> int:
        return any_app.call(ReportFiles(name="nightly", source=str(source), files=files))

    def file(path: str, *, size: int = 1, age: timedelta = timedelta()) -> FoundFile:
        return FoundFile(path=path, size_bytes=size, modified_ns=7, changed_at=clock.now() - age)

    assert report(file("/in/old.csv", age=DAY)) == 0
    assert report(file("/in/a.csv"), file("/in/b.csv")) == 2
    assert report(file("/in/a.csv"), file("/in/b.csv")) == 0
    assert report(file("/in/a.csv", size=2)) == 1
    assert any_app.call(ReportFiles(name="nightly", source="file: /x", files=())) == 0
    assert causes(any_app)[0].values["name"] == "a.csv"


def test_a_commit_counts_once_and_again_when_the_branch_comes_back(any_app: App) -> None:
    source = Source(kind=CauseKind.GIT, subject="/repo", detail="main")
    a_trigger(any_app, source)

    def report(commit: str, previous: str | None) -> bool:
        return any_app.call(
            ReportCommit(name="nightly", source=str(source), commit=commit, previous=previous)
        )

    assert not report("a" * 40, None)
    assert report("b" * 40, "a" * 40)
    assert not report("b" * 40, "a" * 40)
    assert report("a" * 40, "b" * 40)
    assert report("b" * 40, "a" * 40)
    assert [c.values["commit"][0] for c in causes(any_app)] == ["b", "a", "b"]


def test_a_webhook_counts_if_it_is_signed_and_each_delivery_once(any_app: App) -> None:
    a_trigger(
        any_app,
        Source(kind=CauseKind.WEBHOOK),
        graph=a_graph(ref=""),
        params={"ref": "${body.ref}"},
        mode=TriggerMode.EACH,
    )
    secret = any_app.call(NewTriggerSecret(name="nightly"))
    body = '{"ref": "refs/heads/main", "deep": {"a": 1}}'
    call = HookCall(
        body=body,
        headers={"x-hub-signature-256": signature_of(secret, body), "x-github-delivery": "d1"},
    )

    first = any_app.call(ReceiveHook(name="nightly", call=call))
    again = any_app.call(ReceiveHook(name="nightly", call=call))

    assert first == again
    run = fired(any_app)
    assert run is not None
    assert run.params == {"ref": "refs/heads/main"}
    assert secret not in str(any_app.call(ListAuditEntries()).items)


def test_a_webhook_signed_as_mlflow_signs_counts_while_it_is_fresh(app: App) -> None:
    a_trigger(app, Source(kind=CauseKind.WEBHOOK))
    secret = app.call(NewTriggerSecret(name="nightly"))
    clock = clock_of(app)
    stamp = str(int(clock.now().timestamp()))
    signed = hmac.digest(secret.encode(), f"d7.{stamp}.{{}}".encode(), "sha256")
    call = HookCall(
        body="{}",
        headers={
            "x-mlflow-delivery-id": "d7",
            "x-mlflow-timestamp": stamp,
            "x-mlflow-signature": f"v1,{base64.b64encode(signed).decode()}",
        },
    )

    assert app.call(ReceiveHook(name="nightly", call=call)).key == "call:d7"
    clock.advance(timedelta(minutes=6))
    with pytest.raises(Denied):
        app.call(ReceiveHook(name="nightly", call=call))


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-hub-signature-256": "sha256="},
        {"x-hub-signature-256": signature_of("", "{}")},
        {"x-hub-signature-256": signature_of("wrong", "{}")},
        {"x-hub-signature-256": "sha256=\xff"},
        {"x-mlflow-signature": "v1,", "x-mlflow-timestamp": "9" * 400},
        {"x-mlflow-signature": "v1,", "x-mlflow-timestamp": "nan"},
    ],
)
def test_a_call_with_no_right_signature_is_refused(app: App, headers: dict[str, str]) -> None:
    a_trigger(app, Source(kind=CauseKind.WEBHOOK))
    call = HookCall(body="{}", headers=headers)

    for name in ("nightly", "unknown"):
        with pytest.raises(Denied, match="not signed"):
            app.call(CheckHook(name=name, call=call))
    app.call(NewTriggerSecret(name="nightly"))
    with pytest.raises(Denied, match="not signed"):
        app.call(ReceiveHook(name="nightly", call=call))
    assert not causes(app)


def test_a_deleted_trigger_is_gone_and_its_runs_still_name_their_causes(any_app: App) -> None:
    a_trigger(any_app, RIDES, graph=a_graph("rides"))
    data_arrives(any_app, 0)
    run = fired(any_app)
    assert run is not None
    data_arrives(any_app, 1)
    collected(any_app)

    any_app.call(DeleteTrigger(name="nightly"))

    assert any_app.call(ListTriggers()) == ()
    assert [c.what for c in causes(any_app)] == ["rides has version 1"]
    assert ended(any_app, run).state is PipelineRunState.SUCCEEDED
    with pytest.raises(NotFound, match="no trigger 'nightly'"):
        any_app.call(DeleteTrigger(name="nightly"))


def test_causes_come_in_pages_newest_first(any_app: App) -> None:
    a_trigger(any_app, RIDES)
    for number in range(5):
        data_arrives(any_app, number)
    collected(any_app)

    page = any_app.call(ListCauses(trigger="nightly", limit=2))
    rest = any_app.call(ListCauses(trigger="nightly", limit=10, page_token=page.next_token))

    assert [c.values["number"] for c in page.items] == ["5", "4"]
    assert [c.values["number"] for c in rest.items] == ["3", "2", "1"]
    assert rest.next_token is None


@pytest.mark.parametrize(
    ("differing", "told"),
    [
        ({"on": ()}, "waits for nothing"),
        ({"name": "a/b"}, "can't be the name"),
        ({"concurrency": 0}, "no run could be asked for"),
        ({"data": {"x": "rides"}}, "takes no data `x`"),
        ({"params": {"x": 1}}, "no parameter `x`"),
        ({"params": {"depth": "${commit}"}}, r"\$\{commit\}, which a data doesn't tell"),
    ],
)
def test_a_trigger_that_could_never_run_is_refused(
    app: App, differing: dict[str, object], told: str
) -> None:
    fields = {"on": (RIDES,), "graph": a_graph("rides", depth=1), **differing}
    on = fields.pop("on")

    with pytest.raises(Invalid, match=told):
        a_trigger(app, *on, **fields)  # type: ignore[misc,arg-type]
