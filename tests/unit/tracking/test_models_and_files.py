"""Logged models and artifacts."""

import pytest

from mainspring.app import App
from mainspring.domain.logged_model import LoggedModelStatus
from mainspring.domain.run import Direction, Lifecycle, Metric, ModelLink
from mainspring.kernel.digests import digest_bytes
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.tracking.requests import (
    CreateLoggedModel,
    CreateRun,
    DeleteArtifacts,
    DescribeLoggedModel,
    GetArtifact,
    GetLoggedModel,
    GetRun,
    ListArtifacts,
    LogBatch,
    LogInputs,
    RecordArtifact,
    UpdateLoggedModel,
)


@pytest.fixture
def run(any_app: App) -> str:
    return any_app.call(CreateRun(experiment="0")).id


def test_a_logged_model_is_announced_then_ready(any_app: App, run: str) -> None:
    made = any_app.call(
        CreateLoggedModel(experiment="0", name="m", source_run=run, tags={"a": "b"})
    )
    ready = any_app.call(UpdateLoggedModel(model=made.id, status=LoggedModelStatus.READY))

    assert made.id.startswith("m-")
    assert made.status is LoggedModelStatus.PENDING
    assert ready.status is LoggedModelStatus.READY
    assert any_app.call(GetRun(run=run)).models == (
        ModelLink(model=made.id, direction=Direction.OUTPUT),
    )


def test_what_is_said_of_a_logged_model_is_kept(any_app: App, run: str) -> None:
    model = any_app.call(CreateLoggedModel(experiment="0", params={"depth": "6"})).id
    on_model = Metric(key="rmse", value=1.5, model=model, dataset_name="rides", dataset_digest="d")

    any_app.call(LogBatch(run=run, metrics=(on_model,)))
    any_app.call(LogBatch(run=run, metrics=(on_model,)))
    any_app.call(DescribeLoggedModel(model=model, params={"rate": "1"}, tags={"x": "y", "z": ""}))
    any_app.call(DescribeLoggedModel(model=model, removed_tags=("x",)))

    found = any_app.call(GetLoggedModel(model=model))
    assert found.params == {"depth": "6", "rate": "1"}
    assert found.tags == {"z": ""}
    assert [each.metric for each in found.metrics] == [on_model]
    with pytest.raises(Conflict, match="Changing param values"):
        any_app.call(DescribeLoggedModel(model=model, params={"depth": "7"}))


def test_a_metric_of_an_unknown_model_keeps_its_batch_out(any_app: App, run: str) -> None:
    with pytest.raises(NotFound, match="m-x"):
        any_app.call(LogBatch(run=run, metrics=(Metric(key="a", value=1.0, model="m-x"),)))

    assert any_app.call(GetRun(run=run)).metrics == ()


def test_a_deleted_logged_model_is_gone(any_app: App) -> None:
    model = any_app.call(CreateLoggedModel(experiment="0")).id

    any_app.call(UpdateLoggedModel(model=model, lifecycle=Lifecycle.DELETED))

    with pytest.raises(NotFound):
        any_app.call(GetLoggedModel(model=model))


def test_models_that_a_run_read_are_told_from_those_it_made(any_app: App, run: str) -> None:
    read = ModelLink(model="m-1", direction=Direction.INPUT)
    made = ModelLink(model="m-2", direction=Direction.OUTPUT, step=3)

    any_app.call(LogInputs(run=run, models=(made, read)))
    any_app.call(LogInputs(run=run, models=(made, read)))

    assert any_app.call(GetRun(run=run)).models == (read, made)


def a_file(app: App, root: str, path: str, content: bytes = b"x") -> RecordArtifact:
    digest = app.blobs.put_bytes(content)
    return RecordArtifact(root=root, path=path, digest=digest, size_bytes=len(content))


def test_a_file_is_replaced_by_a_later_one_of_its_path(any_app: App, run: str) -> None:
    root = f"0/{run}/artifacts"
    any_app.call(a_file(any_app, root, "a/b", b"1"))
    any_app.call(a_file(any_app, root, "a/b", b"22"))

    assert any_app.call(GetArtifact(root=root, path="a/b")).size_bytes == 2
    assert len(any_app.call(ListArtifacts(root=root))) == 1


def test_a_file_never_points_to_missing_bytes_or_an_unknown_root(any_app: App, run: str) -> None:
    missing = digest_bytes(b"absent")
    root = f"0/{run}/artifacts"
    with pytest.raises(NotFound, match="no bytes"):
        any_app.call(RecordArtifact(root=root, path="a", digest=missing, size_bytes=1))
    for elsewhere in ("0/run_x/artifacts", f"1/{run}/artifacts", "0/models/m-x/artifacts", "x"):
        with pytest.raises(NotFound):
            any_app.call(a_file(any_app, elsewhere, "a"))
    for path in ("../a", "/a", "", "a/../b", "a" * 1001):
        with pytest.raises(Invalid):
            any_app.call(a_file(any_app, root, path))


def test_a_folder_is_listed_and_deleted_by_its_name_alone(any_app: App, run: str) -> None:
    root = f"0/{run}/artifacts"
    for path in ("a%/x", "a%y/x", "a_/x", "ab/x"):
        any_app.call(a_file(any_app, root, path))

    assert [a.path for a in any_app.call(ListArtifacts(root=root, prefix="a%"))] == ["a%/x"]
    assert any_app.call(DeleteArtifacts(root=root, path="a_")) == 1
    assert len(any_app.call(ListArtifacts(root=root))) == 3
    assert any_app.call(DeleteArtifacts(root=root)) == 3
