"""Bringing candidates into service must go alike on both databases."""

import threading
from datetime import timedelta

import pytest

from mainspring.app import App
from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.domain.event import (
    AliasMoved,
    ChampionChanged,
    RolloutAdvanced,
    RolloutRolledBack,
    RolloutStarted,
)
from mainspring.domain.gate import Gate, GateOutcome, GateResult, VersusChampion
from mainspring.domain.model import ModelVersion, ModelVersionId
from mainspring.domain.rollout import (
    Guard,
    GuardMetric,
    GuardOutcome,
    GuardReading,
    Rollout,
    RolloutState,
    ServingReport,
    Strategy,
)
from mainspring.domain.service import (
    ApprovalPolicy,
    RetrainPolicy,
    RolloutPolicy,
    ServiceSpec,
)
from mainspring.kernel.errors import Conflict, Invalid, MainspringError, NotFound, Rejected
from mainspring.registry.requests import (
    GetModel,
    GiveApproval,
    RecordGateResults,
    RegisterModelVersion,
)
from mainspring.services.requests import ApplyService
from mainspring.serving.requests import (
    AdvanceRollout,
    ForgetServing,
    GetDeployment,
    GetRouting,
    GetRoutingMark,
    ListDeployments,
    ListRollouts,
    ListServingReports,
    RecordGuardReadings,
    ReportServing,
    RollBack,
    RollBackRollout,
    StartRollout,
)
from mainspring.testing.apps import clock_of, emitted

GATE = Gate(metric="rmse", max=60.0)
POLICY = RolloutPolicy(steps=(0.1, 1.0), hold_seconds=60.0)
READING = GuardReading(
    guard=Guard(metric=GuardMetric.ERROR_RATE, max=0.01),
    outcome=GuardOutcome.PASSED,
    observed=0.0,
    request_count=50,
)


def a_service(app: App, *, name: str = "demand", **promises: object) -> None:
    blob = app.blobs.put_bytes(b"project")
    spec = {"rollout": POLICY, "gates": (GATE,)} | promises
    app.call(
        ApplyService(
            spec=ServiceSpec(name=name, pipeline="flow:demand", model=name, data={}, **spec),  # type: ignore[arg-type]  # the caller gives fields of a spec
            project=blob,
            environment=blob,
        )
    )


def a_version(
    app: App,
    content: str,
    *,
    model: str = "demand",
    outcome: GateOutcome | None = GateOutcome.PASSED,
    gates: tuple[Gate, ...] = (GATE,),
) -> ModelVersion:
    manifest = app.blobs.put_bytes(content.encode())
    version = app.call(RegisterModelVersion(model=model, manifest=manifest))
    if outcome is None:
        return version
    results = tuple(GateResult(gate=gate, outcome=outcome, observed=50.0) for gate in gates)
    return app.call(RecordGateResults(version=version.id, results=results))


def advanced(app: App, rollout: Rollout) -> Rollout:
    return app.call(AdvanceRollout(rollout=rollout.id, step_index=rollout.step_index))


def a_champion(app: App, content: str) -> ModelVersion:
    version = a_version(app, content)
    rollout = app.call(StartRollout(service="demand", version=version.id))
    while not rollout.state.is_final:
        rollout = advanced(app, rollout)
    return version


def champion_of(app: App) -> ModelVersionId | None:
    deployment = app.call(GetDeployment(service="demand"))
    return deployment.champion if deployment else None


def test_the_first_model_gets_all_of_the_traffic_and_then_becomes_champion(any_app: App) -> None:
    a_service(any_app)
    version = a_version(any_app, "one")

    rollout = any_app.call(StartRollout(service="demand", version=version.id, why="first model"))
    assert (rollout.steps, rollout.share, rollout.state) == ((1.0,), 1.0, RolloutState.RUNNING)
    assert champion_of(any_app) is None
    done = advanced(any_app, rollout)

    assert done.state is RolloutState.PROMOTED
    assert champion_of(any_app) == version.id
    assert any_app.call(GetModel(model="demand")).aliases == {"champion": version.number}
    (changed,) = emitted(any_app, ChampionChanged)
    assert changed.payload == {"model": "demand", "version": version.id, "previous": None}
    assert len(emitted(any_app, AliasMoved)) == 1


def test_a_canary_grows_step_by_step_and_takes_over(any_app: App) -> None:
    a_service(any_app)
    first = a_champion(any_app, "one")
    second = a_version(any_app, "two")

    rollout = any_app.call(StartRollout(service="demand", version=second.id))
    shares = [rollout.share]
    while not rollout.state.is_final:
        clock_of(any_app).advance(timedelta(minutes=1))
        rollout = any_app.call(
            AdvanceRollout(
                rollout=rollout.id,
                step_index=rollout.step_index,
                readings=(READING,),
                why="held",
            )
        )
        shares.append(rollout.share)

    assert shares == [0.1, 1.0, 1.0]
    deployment = any_app.call(GetDeployment(service="demand"))
    assert deployment is not None
    assert (deployment.champion, deployment.previous, deployment.rollout) == (
        second.id,
        first.id,
        None,
    )
    (step,) = emitted(any_app, RolloutAdvanced)
    assert step.payload["readings"] == ["error_rate passed: 0 (at most 0.01, 50 requests)"]
    assert [event.why for event in emitted(any_app, ChampionChanged)][-1] == "held"


@pytest.mark.parametrize("outcome", [GateOutcome.FAILED, GateOutcome.INCONCLUSIVE, None])
def test_no_version_serves_without_passed_gates(any_app: App, outcome: GateOutcome | None) -> None:
    a_service(any_app)
    version = a_version(any_app, "one", outcome=outcome)

    with pytest.raises(Rejected, match="may not serve") as caught:
        any_app.call(StartRollout(service="demand", version=version.id))

    assert caught.value.code == "gates_not_passed"
    assert any_app.call(ListDeployments()) == ()
    assert emitted(any_app, RolloutStarted) == []


def test_a_gate_declared_later_is_not_passed(any_app: App) -> None:
    a_service(any_app)
    version = a_version(any_app, "one")
    rollout = any_app.call(StartRollout(service="demand", version=version.id))
    a_service(any_app, gates=(GATE, Gate(metric="mae", versus_champion=VersusChampion())))

    with pytest.raises(Rejected, match="mae was not judged"):
        advanced(any_app, rollout)

    assert champion_of(any_app) is None


def test_advancing_twice_from_the_same_step_advances_once(any_app: App) -> None:
    a_service(any_app, rollout=RolloutPolicy(steps=(0.1, 0.5, 1.0)))
    a_champion(any_app, "one")
    rollout = any_app.call(StartRollout(service="demand", version=a_version(any_app, "two").id))

    results = [advanced(any_app, rollout) for _ in range(3)]

    assert [r.share for r in results] == [0.5, 0.5, 0.5]
    assert len(emitted(any_app, RolloutAdvanced)) == 1


def test_eight_who_start_and_advance_at_once_leave_one_champion(any_app: App) -> None:
    a_service(any_app)
    a_champion(any_app, "one")
    versions = [a_version(any_app, f"v{n}") for n in range(8)]
    surprises = []

    def roll_out(version: ModelVersion) -> None:
        try:
            rollout = any_app.call(StartRollout(service="demand", version=version.id))
            for step in (0, 1):
                any_app.call(AdvanceRollout(rollout=rollout.id, step_index=step))
        except Conflict:
            pass
        except MainspringError as error:
            surprises.append(error)

    threads = [threading.Thread(target=roll_out, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert surprises == []
    rollouts = any_app.call(ListRollouts(service="demand"))
    promoted = [r for r in rollouts if r.state is RolloutState.PROMOTED]
    champion = champion_of(any_app)
    changes = emitted(any_app, ChampionChanged)
    assert champion == changes[-1].payload["version"]
    assert {r.candidate for r in promoted} == {change.payload["version"] for change in changes}
    assert len(changes) == len(promoted)
    numbers = {v.id: v.number for v in versions}
    assert any_app.call(GetModel(model="demand")).aliases["champion"] == numbers[champion]


def test_only_one_rollout_of_a_service_is_under_way(any_app: App) -> None:
    a_service(any_app)
    a_champion(any_app, "one")
    second = a_version(any_app, "two")
    rollout = any_app.call(StartRollout(service="demand", version=second.id))

    with pytest.raises(Conflict, match="under way"):
        any_app.call(StartRollout(service="demand", version=a_version(any_app, "three").id))
    assert any_app.call(StartRollout(service="demand", version=second.id)) == rollout


def test_a_rolled_back_candidate_gets_no_traffic(any_app: App) -> None:
    a_service(any_app)
    first = a_champion(any_app, "one")
    second = a_version(any_app, "two")
    rollout = any_app.call(StartRollout(service="demand", version=second.id))

    ended = any_app.call(
        RollBackRollout(rollout=rollout.id, readings=(READING,), why="p99 was 80 ms")
    )
    again = any_app.call(RollBackRollout(rollout=rollout.id, why="once more"))

    assert (ended.state, ended.share, ended.reason) == (
        RolloutState.ROLLED_BACK,
        0.0,
        "p99 was 80 ms",
    )
    assert again == ended
    assert advanced(any_app, rollout) == ended
    (route,) = any_app.call(GetRouting())
    assert (route.champion, route.candidate) == (first.id, None)
    assert [v.id for v in route.versions] == [first.id]
    (event,) = emitted(any_app, RolloutRolledBack)
    assert event.why == "p99 was 80 ms"


def test_a_rollout_waits_for_approval(any_app: App) -> None:
    a_service(any_app, retrain=RetrainPolicy(approvals=ApprovalPolicy(production=1)))
    version = a_version(any_app, "one")
    rollout = any_app.call(StartRollout(service="demand", version=version.id))
    assert (rollout.state, rollout.step_index, rollout.share) == (RolloutState.WAITING, -1, 0.0)
    assert any_app.call(GetRouting()) == ()
    with pytest.raises(Conflict, match="waits for 1 more"):
        advanced(any_app, rollout)

    any_app.call(GiveApproval(service="demand", model="demand", number=version.number))
    begun = advanced(any_app, rollout)

    assert (begun.state, begun.step_index, begun.share) == (RolloutState.RUNNING, 0, 1.0)
    assert advanced(any_app, rollout) == begun  # the same step again changes nothing
    assert advanced(any_app, begun).state is RolloutState.PROMOTED


def test_a_no_stops_a_rollout_even_on_its_way(any_app: App) -> None:
    a_service(any_app, retrain=RetrainPolicy(approvals=ApprovalPolicy(production=1)))
    version = a_version(any_app, "one")
    approval = GiveApproval(service="demand", model="demand", number=version.number)
    any_app.call(approval)
    rollout = any_app.call(StartRollout(service="demand", version=version.id))
    any_app.call(
        GiveApproval(service="demand", model="demand", number=version.number, approved=False)
    )

    with pytest.raises(Rejected, match="said no"):
        advanced(any_app, rollout)

    assert champion_of(any_app) is None


def test_approval_for_another_service_does_not_count(any_app: App) -> None:
    approvals = RetrainPolicy(approvals=ApprovalPolicy(production=1))
    a_service(any_app, retrain=approvals)
    blob = any_app.blobs.put_bytes(b"project")
    other = ServiceSpec(name="other", pipeline="flow:demand", model="demand", data={})
    any_app.call(ApplyService(spec=other, project=blob, environment=blob))
    version = a_version(any_app, "one")
    any_app.call(GiveApproval(service="other", model="demand", number=version.number))

    rollout = any_app.call(StartRollout(service="demand", version=version.id))

    assert rollout.state is RolloutState.WAITING


def test_under_not_by_author_another_person_must_agree(any_app: App) -> None:
    policy = ApprovalPolicy(production=1, not_by_author=True)
    a_service(any_app, retrain=RetrainPolicy(approvals=policy))
    version = a_version(any_app, "one")
    colleague = Actor(kind=ActorKind.PERSON, name="colleague", role=Role.APPROVER)
    any_app.acting_as(colleague).call(
        GiveApproval(service="demand", model="demand", number=version.number)
    )

    rollout = any_app.call(StartRollout(service="demand", version=version.id))

    assert rollout.state is RolloutState.RUNNING


def test_a_shadow_gets_no_share_until_it_takes_over(any_app: App) -> None:
    a_service(any_app, rollout=RolloutPolicy(strategy=Strategy.SHADOW))
    a_champion(any_app, "one")
    second = a_version(any_app, "two")

    rollout = any_app.call(StartRollout(service="demand", version=second.id))

    (route,) = any_app.call(GetRouting())
    assert (rollout.share, route.is_shadow, route.candidate_share) == (0.0, True, 0.0)
    assert advanced(any_app, rollout).state is RolloutState.PROMOTED
    assert champion_of(any_app) == second.id


def test_going_back_ends_the_rollout_and_then_restores_the_champion_before(any_app: App) -> None:
    a_service(any_app)
    versions = [a_champion(any_app, content) for content in ("one", "two", "three")]
    clock_of(any_app).advance(timedelta(minutes=1))
    fourth = a_version(any_app, "four")
    rollout = any_app.call(StartRollout(service="demand", version=fourth.id))

    ended_only = any_app.call(RollBack(service="demand", why="customers complain"))
    assert (ended_only.champion, ended_only.rollout) == (versions[2].id, None)
    assert champion_of(any_app) == versions[2].id

    back = any_app.call(RollBack(service="demand", why="customers still complain"))

    assert (back.champion, back.previous) == (versions[1].id, versions[0].id)
    assert any_app.call(GetModel(model="demand")).aliases["champion"] == versions[1].number
    ended = any_app.call(ListRollouts(service="demand"))[0]
    assert (ended.id, ended.state) == (rollout.id, RolloutState.ROLLED_BACK)
    assert any_app.call(RollBack(service="demand")).champion == versions[0].id
    with pytest.raises(Conflict, match="no champion to go back to"):
        any_app.call(RollBack(service="demand"))


def test_ending_a_first_rollout_has_to_be_meant(any_app: App) -> None:
    a_service(any_app)
    rollout = any_app.call(StartRollout(service="demand", version=a_version(any_app, "one").id))

    with pytest.raises(Conflict, match="nothing would answer"):
        any_app.call(RollBack(service="demand"))
    assert any_app.call(GetRouting()) != ()
    any_app.call(RollBack(service="demand", even_if_unanswered=True))

    (ended,) = any_app.call(ListRollouts(service="demand"))
    assert (ended.id, ended.state) == (rollout.id, RolloutState.ROLLED_BACK)
    assert any_app.call(GetRouting()) == ()


def test_only_versions_of_the_services_model_may_serve(any_app: App) -> None:
    a_service(any_app)
    stranger = a_version(any_app, "one", model="fraud")

    with pytest.raises(Invalid, match="demand serves demand"):
        any_app.call(StartRollout(service="demand", version=stranger.id))
    with pytest.raises(NotFound):
        any_app.call(StartRollout(service="nothing", version=stranger.id))
    with pytest.raises(NotFound):
        any_app.call(StartRollout(service="demand", version="ver_nothing"))
    with pytest.raises(NotFound):
        any_app.call(AdvanceRollout(rollout="rol_nothing", step_index=0))


def test_the_champion_can_not_be_its_own_candidate(any_app: App) -> None:
    a_service(any_app)
    champion = a_champion(any_app, "one")

    with pytest.raises(Conflict, match="answers for demand already"):
        any_app.call(StartRollout(service="demand", version=champion.id))


def test_every_change_of_routing_changes_the_mark_and_the_version(any_app: App) -> None:
    a_service(any_app)
    marks = [any_app.call(GetRoutingMark())]
    first = a_champion(any_app, "one")
    marks.append(any_app.call(GetRoutingMark()))
    second = a_version(any_app, "two")
    rollout = any_app.call(StartRollout(service="demand", version=second.id))
    marks.append(any_app.call(GetRoutingMark()))
    (canary,) = any_app.call(GetRouting())
    any_app.call(RollBackRollout(rollout=rollout.id))
    marks.append(any_app.call(GetRoutingMark()))
    clock_of(any_app).advance(timedelta(seconds=1))
    a_service(any_app, rollout=RolloutPolicy(steps=(0.3, 1.0)))
    marks.append(any_app.call(GetRoutingMark()))

    assert len(set(marks)) == len(marks)
    assert [v.id for v in canary.versions] == [first.id, second.id]
    assert (canary.candidate_share, canary.salt) == (0.1, rollout.id)


def test_readings_are_kept_while_a_rollout_is_under_way(any_app: App) -> None:
    a_service(any_app)
    rollout = any_app.call(StartRollout(service="demand", version=a_version(any_app, "one").id))

    any_app.call(RecordGuardReadings(rollout=rollout.id, readings=(READING,)))
    any_app.call(RollBackRollout(rollout=rollout.id))
    any_app.call(RecordGuardReadings(rollout=rollout.id, readings=()))

    (kept,) = any_app.call(ListRollouts(service="demand"))
    assert kept.readings == (READING,)


def test_what_processes_report_is_listed_while_it_is_fresh(any_app: App) -> None:
    def report(process: str) -> ServingReport:
        return ServingReport(
            process=process,
            address="127.0.0.1:5001",
            routing_version=3,
            ready=(ModelVersionId("ver_1"),),
            failed={ModelVersionId("ver_2"): "altered"},
            at=any_app.clock.now(),
        )

    any_app.call(ReportServing(report=report("old")))
    clock_of(any_app).advance(timedelta(seconds=61))
    any_app.call(ReportServing(report=report("a")))
    any_app.call(ReportServing(report=report("a")))
    any_app.call(ReportServing(report=report("b")))
    any_app.call(ForgetServing(process="b"))

    assert any_app.call(ListServingReports()) == (report("a"),)
