"""Taking over a small `mlruns` folder, written here by hand as MLflow writes it."""

import math
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from mainspring.app import App
from mainspring.domain.model import ModelVersion, ModelVersionId
from mainspring.domain.run import Artifact, Experiment, ExperimentId, Lifecycle, RunStatus
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from mainspring.registry.requests import GetModel, GetModelVersion, RegisterModelVersion
from mainspring.takeover.mlflow.open import open_source
from mainspring.takeover.mlflow.take import take_over
from mainspring.takeover.mlflow.verify import differences
from mainspring.takeover.requests import (
    TakeOverExperiment,
    TakeOverFiles,
    TakeOverRuns,
    TakeOverVersion,
)
from mainspring.tracking.requests import (
    CreateExperiment,
    GetExperiment,
    GetMetricHistory,
    GetRun,
    ListArtifacts,
    LogBatch,
)

RUN = "0123456789abcdef0123456789abcdef"
START = datetime(2024, 1, 2, tzinfo=UTC)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def mlruns(tmp_path: Path) -> Path:
    """One experiment with one run, and one version of a model made of the run's files."""
    root = tmp_path / "mlruns"
    experiment = root / "7"
    run = experiment / RUN
    write(experiment / "meta.yaml", "experiment_id: '7'\nname: rides\nlifecycle_stage: active\n")
    write(experiment / "tags" / "team", "demand")
    write(
        run / "meta.yaml",
        f"run_id: {RUN}\nrun_name: first\nstatus: 1\nstart_time: 1704153600000\nend_time: null\n"
        "user_id: ann\nlifecycle_stage: active\nartifact_uri: file:///gone\n",
    )
    write(run / "params" / "depth", "6")
    write(run / "tags" / "kind", "trial")
    write(run / "metrics" / "val" / "loss", "1000 0.5 0\n1001 nan 1\n1002 inf 2\n")
    write(run / "artifacts" / "model" / "weights.bin", "weights")
    write(root / "models" / "demand" / "meta.yaml", "name: demand\ndescription: Rides.\n")
    write(root / "models" / "demand" / "aliases" / "champion", "4")
    write(
        root / "models" / "demand" / "version-4" / "meta.yaml",
        f"name: demand\nversion: 4\nrun_id: {RUN}\ncurrent_stage: Production\n"
        f"source: file:///gone/7/{RUN}/artifacts/model\n",
    )
    return root


def test_everything_arrives_as_it_was(any_app: App, mlruns: Path) -> None:
    report = take_over(open_source(str(mlruns)), any_app)

    run = any_app.call(GetRun(run=RUN))
    history = any_app.call(GetMetricHistory(run=RUN, key="val/loss")).items
    version = any_app.call(GetModelVersion(model="demand", number=4))
    assert any_app.call(GetExperiment(name="rides")).tags == {"team": "demand"}
    assert (run.name, run.user, run.status, run.started_at) == (
        "first",
        "ann",
        RunStatus.RUNNING,
        START,
    )
    assert (run.params, run.tags) == ({"depth": "6"}, {"kind": "trial"})
    assert [repr(point.value) for point in history] == ["0.5", "nan", "inf"]
    assert [file.path for file in any_app.call(ListArtifacts(root=f"7/{RUN}/artifacts"))] == [
        "model/weights.bin"
    ]
    assert (version.run, version.stage, version.flavor) == (RUN, "Production", "unknown")
    assert report.found["points of metrics"] == 3
    assert list(differences(open_source(str(mlruns)), any_app)) == []


def test_a_champion_of_elsewhere_is_none_here(app: App, mlruns: Path) -> None:
    report = take_over(open_source(str(mlruns)), app)

    assert app.call(GetModel(model="demand")).aliases == {"mlflow-champion": 4}
    assert "only a rollout" in report.notes[0]


def test_a_second_takeover_brings_only_what_is_new(app: App, mlruns: Path) -> None:
    take_over(open_source(str(mlruns)), app)
    meta = mlruns / "7" / RUN / "meta.yaml"
    meta.write_text(
        meta.read_text().replace("status: 1", "status: 3").replace("null", "1704153660000")
    )
    with (mlruns / "7" / RUN / "metrics" / "val" / "loss").open("a") as file:
        file.write("1003 0.25 3\n")
    app.call(LogBatch(run=RUN, tags={"kind": "changed here"}))

    report = take_over(open_source(str(mlruns)), app)

    run = app.call(GetRun(run=RUN))
    assert set(report.added.values()) == {0}
    assert (run.status, run.tags["kind"]) == (RunStatus.FINISHED, "changed here")
    assert run.metrics[0].value == 0.25


def test_a_dry_run_counts_and_writes_nothing(app: App, mlruns: Path) -> None:
    report = take_over(open_source(str(mlruns)), app, dry_run=True)

    assert report.found["runs"] == 1
    assert report.found["files"] == 1
    with pytest.raises(NotFound):
        app.call(GetRun(run=RUN))


def test_verifying_names_every_difference(app: App, mlruns: Path) -> None:
    take_over(open_source(str(mlruns)), app)
    run = mlruns / "7" / RUN
    write(run / "metrics" / "val" / "loss", "1000 0.5 0\n1001 0.7 1\n")
    write(run / "params" / "depth", "7")
    write(run / "artifacts" / "model" / "weights.bin", "WEIGHTS")

    found = list(differences(open_source(str(mlruns)), app))

    assert found == [
        f"run {RUN}: its parameter 'depth' is not the same here",
        f"run {RUN}: the history of 'val/loss' is not the same here (2 points there)",
        f"run {RUN}: its file 'model/weights.bin' has other bytes here",
        "version 4 of demand: its file 'weights.bin' is not the same here",
    ]


def test_damage_here_is_a_difference(app: App, mlruns: Path) -> None:
    take_over(open_source(str(mlruns)), app)
    (file,) = app.call(ListArtifacts(root=f"7/{RUN}/artifacts"))
    path = app.blobs.path_of(file.digest)
    path.chmod(0o644)
    path.write_text("wEights")

    found = list(differences(open_source(str(mlruns)), app))

    assert "is damaged here" in found[0]


def test_an_experiment_gets_a_new_id_if_its_own_is_taken(app: App) -> None:
    first = Experiment(
        id=ExperimentId("7"),
        name="rides",
        lifecycle=Lifecycle.ACTIVE,
        created_at=START,
        updated_at=START,
        tags={},
    )
    app.call(TakeOverExperiment(experiment=first))

    other = app.call(TakeOverExperiment(experiment=replace(first, name="weather")))
    again = app.call(TakeOverExperiment(experiment=replace(first, name="weather")))

    assert other.id != "7"
    assert (again.id, again.is_new) == (other.id, False)


def test_a_run_that_another_experiment_has_is_refused(app: App, mlruns: Path) -> None:
    source = open_source(str(mlruns))
    take_over(source, app)
    other = app.call(CreateExperiment(name="other"))
    (page,) = source.runs("7")
    run = replace(page[0].run, experiment=other.id)

    with pytest.raises(Conflict, match="is in experiment '7' here") as caught:
        app.call(TakeOverRuns(experiment=other.id, runs=(run,)))
    assert caught.value.code == "run_elsewhere"


def test_a_number_with_other_bytes_is_refused_and_noted(app: App, mlruns: Path) -> None:
    for _ in range(4):
        manifest = app.blobs.put_bytes(b'{"entries":[]}')
        app.call(RegisterModelVersion(model="demand", manifest=manifest, anew=True))

    report = take_over(open_source(str(mlruns)), app)

    assert "version 4 of demand is not carried over: that number is another's here" in report.notes
    with pytest.raises(Conflict, match="has other bytes here"):
        app.call(TakeOverVersion(version=_version(app.blobs.put_bytes(b"other"))))


def test_files_need_their_bytes_and_a_path_below_the_root(app: App, mlruns: Path) -> None:
    take_over(open_source(str(mlruns)), app)
    digest = app.blobs.put_bytes(b"x")
    missing = Digest("sha256:" + "0" * 64)

    for path, of, error in (("a", missing, NotFound), ("../a", digest, Invalid)):
        file = Artifact(path=path, digest=of, size_bytes=1)
        with pytest.raises(error):
            app.call(TakeOverFiles(root=f"7/{RUN}/artifacts", files=(file,)))
    with pytest.raises(NotFound, match="no run, logged model"):
        file = Artifact(path="a", digest=digest, size_bytes=1)
        app.call(TakeOverFiles(root=f"8/{RUN}/artifacts", files=(file,)))


def test_files_that_only_the_server_reaches_are_noted(app: App, mlruns: Path) -> None:
    meta = mlruns / "7" / RUN / "meta.yaml"
    meta.write_text(meta.read_text().replace("file:///gone", "s3://bucket/7"))
    (mlruns / "7" / RUN / "artifacts" / "model" / "weights.bin").unlink()
    (mlruns / "7" / RUN / "artifacts" / "model").rmdir()
    (mlruns / "7" / RUN / "artifacts").rmdir()

    report = take_over(open_source(str(mlruns)), app)

    assert (
        f"the files of run {RUN}: files at s3: locations can't be read from here" in report.notes[0]
    )


def _version(manifest: Digest) -> ModelVersion:
    return ModelVersion(
        id=ModelVersionId(""),
        model="demand",
        number=4,
        run=None,
        manifest=manifest,
        flavor="unknown",
        signature=None,
        metrics={"mae": math.pi},
        reference=None,
        evaluation=None,
        project=None,
        environment=None,
        description="",
        tags={},
        aliases=(),
        gate_results=None,
        created_at=START,
        created_by="ann",
    )


@pytest.mark.parametrize(
    ("uri", "error", "says"),
    [
        ("sqlite:///{folder}/none.db", NotFound, "there is no"),
        ("{folder}/none", NotFound, "there is no"),
        ("{folder}/text", Invalid, "is a file"),
        ("{folder}", Invalid, "holds no MLflow experiments"),
        ("sqlite:///{folder}/text", Unavailable, "can't be read"),
        ("sqlite:///{folder}/empty.db", Invalid, "no MLflow database"),
        ("mysql://a:b@c/d", Invalid, "can't be read"),
    ],
)
def test_what_is_no_mlflow_is_refused_clearly(
    tmp_path: Path, uri: str, error: type[Exception], says: str
) -> None:
    (tmp_path / "text").write_text("no database at all, and long enough to be looked at closely")
    (tmp_path / "empty.db").touch()

    with pytest.raises(error, match=says):
        open_source(uri.format(folder=tmp_path))
