"""Models, versions, aliases, gates and approvals."""

import pytest

from mainspring.app import App
from mainspring.blobs.trees import put_manifest
from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.domain.data_type import DataType
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.domain.event import AliasMoved, ApprovalGiven, GatesEvaluated, RegistryDeleted
from mainspring.domain.gate import Gate, GateOutcome, GateResult
from mainspring.domain.model import ModelVersion
from mainspring.domain.service import ApprovalPolicy, RetrainPolicy, ServiceSpec
from mainspring.domain.signature import Feature, Signature
from mainspring.domain.version_diff import Where
from mainspring.kernel.digests import Digest, digest_bytes
from mainspring.kernel.errors import Conflict, Denied, Invalid, NotFound, Rejected
from mainspring.registry.aliases import move_alias
from mainspring.registry.requests import (
    CreateModel,
    DeleteAlias,
    DeleteModel,
    DeleteModelVersion,
    DiffModelVersions,
    GetModel,
    GetModelVersion,
    GiveApproval,
    ListApprovals,
    ListModels,
    ListModelVersions,
    RecordGateResults,
    RegisterModelVersion,
    SearchModels,
    SearchModelVersions,
    SetAlias,
    UpdateModel,
    UpdateModelVersion,
)
from mainspring.services.requests import ApplyService
from mainspring.testing.apps import TESTER, emitted
from mainspring.tracking.requests import CreateRun, LogBatch

ALICE = Actor(kind=ActorKind.PERSON, name="alice", role=Role.APPROVER)


def a_manifest(app: App, content: bytes = b"model") -> Digest:
    digest = app.blobs.put_bytes(content)
    entry = ManifestEntry(path="MLmodel", digest=digest, size_bytes=len(content))
    return put_manifest(app.blobs, Manifest(entries=(entry,)))


def a_version(app: App, content: bytes = b"model", **given: object) -> ModelVersion:
    return app.call(
        RegisterModelVersion(model="demand", manifest=a_manifest(app, content), **given)  # type: ignore[arg-type]
    )


def a_service(app: App, **policy: object) -> None:
    blob = app.blobs.put_bytes(b"code")
    spec = ServiceSpec(
        name="demand",
        pipeline="flow:demand",
        model="demand",
        data={},
        retrain=RetrainPolicy(approvals=ApprovalPolicy(**policy)),  # type: ignore[arg-type]
    )
    app.call(ApplyService(spec=spec, project=blob, environment=blob))


def put_in_service(app: App, version: ModelVersion) -> None:
    with app.store.write(TESTER, "test") as tx:
        move_alias(tx, version.model, "champion", version.id)


def test_versions_are_numbered_from_one_and_the_model_is_made_with_the_first(any_app: App) -> None:
    first, second = a_version(any_app, b"1"), a_version(any_app, b"2")

    assert (first.number, second.number) == (1, 2)
    assert any_app.call(GetModel(model="demand")).version_count == 2
    assert [v.number for v in any_app.call(ListModelVersions(model="demand"))] == [2, 1]
    assert any_app.call(GetModelVersion(model="demand")).number == 2


def test_the_same_bytes_from_the_same_run_are_the_same_version(any_app: App) -> None:
    runs = [any_app.call(CreateRun(experiment="0")).id for _ in range(2)]

    numbers = [
        a_version(any_app, run=run).number for run in (runs[0], runs[0], runs[1], None, None)
    ]

    assert numbers == [1, 1, 2, 3, 3]


def test_a_version_never_points_to_missing_bytes(any_app: App) -> None:
    with pytest.raises(NotFound, match="no bytes"):
        any_app.call(RegisterModelVersion(model="demand", manifest=digest_bytes(b"absent")))

    assert any_app.call(ListModels()) == ()


def test_a_version_of_a_run_that_is_unknown_is_refused(any_app: App) -> None:
    with pytest.raises(NotFound, match="run_x"):
        a_version(any_app, run="run_x")


def test_metrics_that_are_no_numbers_are_left_out(any_app: App) -> None:
    version = a_version(any_app, metrics={"rmse": 1.5, "r2": float("nan"), "x": float("inf")})

    assert any_app.call(GetModelVersion(model="demand", number=1)).metrics == {"rmse": 1.5}
    assert version.metrics == {"rmse": 1.5}


@pytest.mark.parametrize("name", [" ", "a/b", "a:b", "a\nb"])
def test_a_name_that_could_not_stand_in_a_uri_is_refused(app: App, name: str) -> None:
    with pytest.raises(Invalid, match="model name"):
        app.call(CreateModel(model=name))


def test_a_deleted_versions_number_is_not_given_again(any_app: App) -> None:
    a_version(any_app, b"1")
    a_version(any_app, b"2")
    any_app.call(SetAlias(model="demand", alias="blue", number=2))

    any_app.call(DeleteModelVersion(model="demand", number=2))

    assert any_app.call(GetModel(model="demand")).aliases == {}
    assert a_version(any_app, b"3").number == 3
    assert emitted(any_app, RegistryDeleted)[0].payload["number"] == 2


def test_what_serves_can_be_neither_deleted_nor_renamed(any_app: App) -> None:
    put_in_service(any_app, a_version(any_app))

    for request in (
        DeleteModelVersion(model="demand", number=1),
        DeleteModel(model="demand"),
        UpdateModel(model="demand", name="other"),
    ):
        with pytest.raises(Conflict, match="serves"):
            any_app.call(request)  # type: ignore[type-var]


def test_an_alias_moves_and_says_from_where(any_app: App) -> None:
    a_version(any_app, b"1")
    a_version(any_app, b"2")
    any_app.call(SetAlias(model="demand", alias="blue", number=1))
    model = any_app.call(SetAlias(model="demand", alias="blue", number=2))

    assert model.aliases == {"blue": 2}
    assert any_app.call(GetModelVersion(model="demand", alias="blue")).aliases == ("blue",)
    moved = [(e.payload["to"], e.payload["previous"]) for e in emitted(any_app, AliasMoved)]
    assert moved == [(1, None), (2, 1)]

    assert any_app.call(DeleteAlias(model="demand", alias="blue")).aliases == {}


@pytest.mark.parametrize("alias", ["champion", "Champion"])
def test_people_cannot_move_the_champion(any_app: App, alias: str) -> None:
    a_version(any_app)

    with pytest.raises(Rejected, match="rollout"):
        any_app.call(SetAlias(model="demand", alias=alias, number=1))
    with pytest.raises(Rejected, match="rollout"):
        any_app.call(DeleteAlias(model="demand", alias=alias))


@pytest.mark.parametrize("alias", ["latest", "v3", "a b", "", "a/b"])
def test_an_alias_that_would_mean_something_else_is_refused(app: App, alias: str) -> None:
    a_version(app)

    with pytest.raises(Invalid, match="alias"):
        app.call(SetAlias(model="demand", alias=alias, number=1))


def test_gate_results_are_written_once(any_app: App) -> None:
    version = a_version(any_app)
    gate = Gate(metric="rmse", max=1.0)
    good = GateResult(gate=gate, outcome=GateOutcome.PASSED, observed=0.5, detail="fine")
    bad = GateResult(gate=gate, outcome=GateOutcome.FAILED, observed=1.5, interval=(0.1, 0.2))

    judged = any_app.call(RecordGateResults(version=version.id, results=(bad,)))
    again = any_app.call(RecordGateResults(version=version.id, results=(bad,)))

    assert judged == again
    assert judged.gate_results == (bad,)
    with pytest.raises(Conflict, match="already"):
        any_app.call(RecordGateResults(version=version.id, results=(good,)))
    assert [e.payload["passed"] for e in emitted(any_app, GatesEvaluated)] == [False]


def test_an_approval_is_bound_to_the_bytes(any_app: App) -> None:
    a_service(any_app, production=1)
    version = a_version(any_app)

    given = any_app.acting_as(ALICE).call(
        GiveApproval(service="demand", model="demand", number=1, reason="looks right")
    )

    assert given.subject == version.manifest
    assert any_app.call(ListApprovals(version=version.id)) == (given,)
    assert emitted(any_app, ApprovalGiven)[0].why == "looks right"


def test_an_authors_yes_is_refused_where_others_are_asked(any_app: App) -> None:
    a_service(any_app, production=1, not_by_author=True)
    a_version(any_app)
    approve = GiveApproval(service="demand", model="demand", number=1)

    with pytest.raises(Rejected, match="author"):
        any_app.call(approve)
    no = any_app.call(GiveApproval(service="demand", model="demand", number=1, approved=False))
    yes = any_app.acting_as(ALICE).call(approve)

    assert (no.approved, yes.approved) == (False, True)


def test_only_people_approve_and_only_the_services_own_model(any_app: App) -> None:
    a_service(any_app)
    a_version(any_app)
    any_app.call(RegisterModelVersion(model="other", manifest=a_manifest(any_app)))
    program = Actor(kind=ActorKind.SERVICE, name="bot", role=Role.ADMIN)

    with pytest.raises(Denied, match="person"):
        any_app.acting_as(program).call(GiveApproval(service="demand", model="demand", number=1))
    with pytest.raises(Invalid, match="serves the model"):
        any_app.call(GiveApproval(service="demand", model="other", number=1))


def test_models_are_renamed_described_and_tagged(any_app: App) -> None:
    a_version(any_app, tags={"kind": "gbm"})
    any_app.call(SetAlias(model="demand", alias="blue", number=1))
    any_app.call(CreateModel(model="taken", tags={"team": "b"}))
    with pytest.raises(Conflict, match="already exists"):
        any_app.call(UpdateModel(model="demand", name="taken"))

    changed = any_app.call(
        UpdateModel(model="demand", name="rides", description="d", tags={"team": "a", "x": "y"})
    )
    changed = any_app.call(UpdateModel(model="rides", removed_tags=("x", "absent")))

    assert (changed.name, changed.description, changed.tags) == ("rides", "d", {"team": "a"})
    assert any_app.call(GetModelVersion(model="rides", alias="blue")).tags == {"kind": "gbm"}


def test_models_and_versions_are_searched(any_app: App) -> None:
    a_version(any_app, b"1", tags={"kind": "gbm"}, source="runs:/r/model")
    a_version(any_app, b"2")
    any_app.call(CreateModel(model="rides", tags={"team": "a"}))

    def models(filter: str, *order: str) -> list[str]:
        page = any_app.call(SearchModels(filter=filter, order_by=order))
        return [model.name for model in page.items]

    def versions(filter: str) -> list[int]:
        return [v.number for v in any_app.call(SearchModelVersions(filter=filter)).items]

    assert models("") == ["demand", "rides"]
    assert models("", "name DESC") == ["rides", "demand"]
    assert models("tags.team = 'a'") == ["rides"]
    assert models("name ILIKE 'DEM%'") == ["demand"]
    assert versions("name = 'demand'") == [2, 1]
    assert versions("name='demand' and tags.kind = 'gbm'") == [1]
    assert versions("version_number > 1") == [2]
    assert versions("source_path LIKE 'runs:%'") == [1]
    assert versions("run_id IN ('x')") == []


def test_a_stage_archives_the_others_only_when_asked(any_app: App) -> None:
    a_version(any_app, b"1")
    a_version(any_app, b"2")

    def stages() -> list[str]:
        return [v.stage for v in any_app.call(ListModelVersions(model="demand"))]

    any_app.call(UpdateModelVersion(model="demand", number=1, stage="production"))
    any_app.call(
        UpdateModelVersion(model="demand", number=2, stage="Production", archive_others=True)
    )

    assert stages() == ["Production", "Archived"]
    with pytest.raises(Invalid, match="stage"):
        any_app.call(UpdateModelVersion(model="demand", number=2, stage="nowhere"))


def test_the_same_bytes_are_another_version_for_those_who_ask(any_app: App) -> None:
    numbers = [a_version(any_app, anew=True).number for _ in range(3)]

    assert numbers == [1, 2, 3]


def test_a_prompt_is_no_model(any_app: App) -> None:
    a_version(any_app)
    any_app.call(
        RegisterModelVersion(
            model="greeting", manifest=a_manifest(any_app), tags={"mlflow.prompt.is_prompt": "true"}
        )
    )
    asked = "tag.`mlflow.prompt.is_prompt` = 'true'"

    assert [model.name for model in any_app.call(ListModels())] == ["demand"]
    assert [model.name for model in any_app.call(SearchModels()).items] == ["demand"]
    assert [model.name for model in any_app.call(SearchModels(filter=asked)).items] == ["greeting"]
    with pytest.raises(Invalid, match="is registered as a prompt"):
        any_app.call(RegisterModelVersion(model="greeting", manifest=a_manifest(any_app)))
    with pytest.raises(Conflict, match="already taken by a prompt"):
        any_app.call(CreateModel(model="greeting"))


def test_two_versions_are_compared_in_all_that_made_them(any_app: App) -> None:
    code, other_code = (any_app.blobs.put_bytes(text) for text in (b"code", b"other code"))
    runs = []
    for depth in ("6", "8"):
        run = any_app.call(CreateRun(experiment="0"))
        any_app.call(LogBatch(run=run.id, params={"depth": depth, "rate": "0.1"}))
        runs.append(run.id)
    one = Signature(inputs=(Feature(name="hour", type=DataType.INTEGER),))
    other = Signature(inputs=(Feature(name="hour", type=DataType.FLOAT, nullable=True),))
    a_version(any_app, run=runs[0], metrics={"rmse": 50.0}, project=code, signature=one)
    a_version(
        any_app, b"new", run=runs[1], metrics={"rmse": 48.5}, project=other_code, signature=other
    )

    diff = any_app.call(DiffModelVersions(model="demand", number=1, other=2))
    none = any_app.call(DiffModelVersions(model="demand", number=1, other=1))

    assert (diff.one, diff.other, diff.same_bytes) == (
        "demand version 1",
        "demand version 2",
        False,
    )
    assert [(c.where, c.name, c.before, c.after) for c in diff.changes] == [
        (Where.METRIC, "rmse", "50", "48.5"),
        (Where.PARAM, "depth", "6", "8"),
        (Where.CODE, "project", code, other_code),
        (Where.SIGNATURE, "hour", "integer", "float or missing"),
    ]
    assert (none.same_bytes, none.changes) == (True, ())
    with pytest.raises(NotFound):
        any_app.call(DiffModelVersions(model="demand", number=1, other=3))
