"""A repository that DVC itself made is taken over and compared, file by file, with what DVC checks out.

DVC lives in an environment of its own and is only called to make the repository and to check it out.
"""

import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mainspring.app import App
from mainspring.blobs.object_store import Objects
from mainspring.blobs.trees import read_manifest
from mainspring.datasets.requests import GetDatasetVersion, ListDatasetVersions
from mainspring.takeover.dvc.hashing import Hashing
from mainspring.takeover.dvc.history import open_repository
from mainspring.takeover.dvc.take import take_over
from mainspring.takeover.dvc.verify import differences
from mainspring.takeover.requests import FindAliases, FindOrigins
from mainspring.testing.s3 import KEY, SECRET, s3_server
from mainspring.tracking.requests import GetExperiment, SearchRuns

ROOT = Path(__file__).parents[3]
THEIRS = ROOT / ".venv-dvc" / "bin"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

TRAIN = """\
import hashlib, json, pathlib
import yaml
params = yaml.safe_load(open("params.yaml"))["train"]
rides = pathlib.Path("data/rides.csv").read_bytes()
images = b"".join(p.read_bytes() for p in sorted(pathlib.Path("data/images").rglob("*")) if p.is_file())
model = hashlib.sha256(rides + images + repr(sorted(params.items())).encode()).digest()
pathlib.Path("out/model").mkdir(parents=True, exist_ok=True)
pathlib.Path("out/model/weights.bin").write_bytes(model)
pathlib.Path("out/model/deep").mkdir(exist_ok=True)
pathlib.Path("out/model/deep/rows.txt").write_bytes(b"%d\\n" % rides.count(b"\\n"))
"""
SCORE = """\
import json, pathlib, sys
model = pathlib.Path("out/model/weights.bin").read_bytes()
pathlib.Path(sys.argv[1]).write_text(json.dumps({"first": model[0], "at": {sys.argv[2]: model[1] / 256}}))
pathlib.Path("curve.csv").write_text("x,y\\n0,%d\\n" % model[0])
"""
STAGES = """\
vars:
  - model: out/model
stages:
  train:
    desc: Fit what there is to fit.
    cmd: python src/train.py
    deps: [data/rides.csv, data/images, src/train.py]
    params: [train]
    outs: ['${model}']
  score:
    cmd: python src/score.py metrics.json ${train.mode}
    deps: ['${model}', src/score.py]
    metrics: [metrics.json: {cache: false}]
    plots: [curve.csv: {x: x, y: y}]
  report:
    foreach: ${report.towns}
    do:
      cmd: python -c "import sys; open(sys.argv[1], 'w').write('${item}')" reports/${item}.txt
      outs: ['reports/${item}.txt']
  grid:
    matrix:
      depth: [1, 2]
      kind: [tree]
    cmd: python -c "open('grid-${item.kind}-${item.depth}.txt', 'w').write('${item.depth}')"
    outs: ['grid-${item.kind}-${item.depth}.txt']
"""
PARAMS = "train:\n  rate: {rate}  # a comment\n  mode: fast\n  layers: [1, 2]\nreport:\n  towns: [berlin, köln]\n"
NAMES = {
    "data/rides.csv": "rides",
    "data/images": "images",
    "out/model": "out_model",
    "reports/berlin.txt": "reports_berlin",
    "grid-tree-2.txt": "grid_tree_2",
}


@dataclass(slots=True, kw_only=True)
class Made:
    """The repository, and what DVC checks out of each commit: bytes by path of data, then of its files."""

    root: Path
    expected: dict[str, dict[str, dict[str, bytes]]] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)


def call(folder: Path, *command: str) -> str:
    settings = {
        "PATH": f"{THEIRS}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder.parent),
        "DVC_NO_ANALYTICS": "1",
        "GIT_CONFIG_NOSYSTEM": "1",
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
    return done.stdout.strip()


def files_at(place: Path) -> dict[str, bytes]:
    if place.is_file():
        return {place.name: place.read_bytes()}
    found = (path for path in place.rglob("*") if path.is_file())
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in found}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    if not (THEIRS / "dvc").exists():
        pytest.fail("there is no .venv-dvc: make it with `make setup-dvc`", pytrace=False)
    root = tmp_path_factory.mktemp("dvc") / "bikes"
    (root / "src").mkdir(parents=True)
    (root.parent / "store").mkdir()
    call(root, "git", "init", "-q", "-b", "main")
    call(root, "git", "config", "user.name", "Ann")
    call(root, "git", "config", "user.email", "ann@example.org")
    call(root, "dvc", "init", "-q")
    call(root, "dvc", "remote", "add", "-d", "store", "../store")
    (root / "src" / "train.py").write_text(TRAIN)
    (root / "src" / "score.py").write_text(SCORE)
    (root / "dvc.yaml").write_text(STAGES)
    (root / "reports").mkdir()
    images = root / "data" / "images"
    (images / "deep" / "er").mkdir(parents=True)
    made = Made(root=root)
    for number, (rows, rate, subject) in enumerate(
        [(10, "0.001", "First rides"), (2000, "0.001", "More rides"), (2000, "0.5", "Learn faster")]
    ):
        lines = "".join(f"{row},{row % 7}\r\n" for row in range(rows))
        (root / "data" / "rides.csv").write_bytes(b"id,v\r\n" + lines.encode())
        (images / f"photo {min(number, 1)}.bin").write_bytes(
            bytes(range(256)) * 50 * (1 + min(number, 1))
        )
        (images / "deep" / "er" / "ünïcode.txt").write_text("same\n")
        (images / "empty").write_bytes(b"")
        (root / "params.yaml").write_text(PARAMS.format(rate=rate))
        call(root, "dvc", "add", "-q", "data/rides.csv", "data/images")
        call(root, "dvc", "repro", "-q")
        call(root, "git", "add", "-A")
        call(root, "git", "commit", "-qm", subject)
        call(root, "dvc", "push", "-q")
        if number == 0:
            call(root, "git", "tag", "v1")
        made.metrics[subject] = json.loads((root / "metrics.json").read_text())
    for commit in call(root, "git", "rev-list", "HEAD").split():
        call(root, "git", "checkout", "-q", commit)
        call(root, "dvc", "checkout", "-q", "--force")
        made.expected[commit] = {path: files_at(root / path) for path in NAMES}
    call(root, "git", "checkout", "-q", "main")
    call(root, "dvc", "checkout", "-q")
    return made


def test_every_version_holds_what_dvc_checks_out(app: App, made: Made, tmp_path: Path) -> None:
    # Half of it must come from the remote.
    cache = made.root / ".dvc" / "cache" / "files" / "md5"
    hidden = sorted(path for path in cache.rglob("*") if path.is_file())[::2]
    for path in hidden:
        path.rename(tmp_path / path.name)

    report = take_over(open_repository(made.root), app)
    for path in hidden:
        (tmp_path / path.name).rename(path)

    assert report.missing == []
    assert report.left_out == ()
    for path, name in NAMES.items():
        known = {each.origin: each.number for each in app.call(FindOrigins(dataset=name))}
        states = []
        for commit in reversed(made.expected):
            files = made.expected[commit][path]
            if not states or states[-1] != files:
                states.append(files)
                version = app.call(GetDatasetVersion(dataset=name, number=known[f"git:{commit}"]))
                entries = read_manifest(app.blobs, version.manifest).entries
                assert {e.path: app.blobs.read(e.digest) for e in entries} == files
        assert len(app.call(ListDatasetVersions(dataset=name))) == len(states)
    assert report.tags["v1"]["rides"] == 1
    notes = [each.note for each in app.call(ListDatasetVersions(dataset="out_model"))]
    assert notes == ["Learn faster", "More rides", "First rides"]
    assert list(differences(open_repository(made.root), app, names={})) == []
    repeated = take_over(open_repository(made.root), app)
    assert sum(each.added for each in repeated.datasets.values()) == 0


def test_a_clone_without_a_cache_comes_from_a_remote_on_s3(
    app: App, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    clone = tmp_path / "bikes"
    call(made.root.parent, "git", "clone", "-q", str(made.root), str(clone))
    store = made.root.parent / "store"
    with s3_server(THEIRS / "weed") as server:
        objects = Objects("s3://data/of/dvc", endpoint=server.endpoint)
        for file in store.rglob("*"):
            if file.is_file():
                objects.put(file.relative_to(store).as_posix(), file)
        call(clone, "dvc", "remote", "add", "-f", "-d", "store", "s3://data/of/dvc")
        call(clone, "dvc", "remote", "modify", "store", "endpointurl", server.endpoint)

        alone = take_over(open_repository(clone, local_only=True), app, dry_run=True)
        planned = take_over(open_repository(clone), app, dry_run=True)
        report = take_over(open_repository(clone), app)
        found = list(differences(open_repository(clone), app, names={}))

    assert (planned.missing, report.missing, found) == ([], [], [])
    assert len(alone.missing) == sum(each.found for each in report.datasets.values())
    newest = made.expected[next(iter(made.expected))]
    for path, name in NAMES.items():
        entries = read_manifest(
            app.blobs, app.call(GetDatasetVersion(dataset=name)).manifest
        ).entries
        assert {e.path: app.blobs.read(e.digest) for e in entries} == newest[path]


def test_metrics_and_params_are_runs_and_md5s_are_found(app: App, made: Made) -> None:
    take_over(open_repository(made.root), app)

    experiment = app.call(GetExperiment(name="bikes"))
    runs = {run.name: run for run in app.call(SearchRuns(experiments=(experiment.id,))).items}
    assert set(runs) == set(made.metrics)
    for subject, metrics in made.metrics.items():
        said = {metric.key: metric.value for metric in runs[subject].metrics}
        assert said == {"first": metrics["first"], "at.fast": metrics["at"]["fast"]}
    assert runs["First rides"].params["train.rate"] == "0.001"
    assert runs["Learn faster"].params["train.rate"] == "0.5"
    rides = (made.root / "data" / "rides.csv").read_bytes()
    name = f"md5:{hashlib.md5(rides, usedforsecurity=False).hexdigest()}"
    (alias,) = app.call(FindAliases(aliases=(name,)))
    assert app.blobs.read(alias.digest) == rides


def test_legacy_md5s_are_those_that_dvc_computes() -> None:
    if not (THEIRS / "dvc").exists():
        pytest.fail("there is no .venv-dvc: make it with `make setup-dvc`", pytrace=False)
    line = b"a line\r\n"
    samples = [
        b"",
        line,
        b"no end\r",
        b"\0" + line,
        bytes(range(256)) + line,
        line * 300_000,
        b"x" * ((1 << 20) - 1) + line,
        "grüße\r\n".encode() * 100,
    ]
    script = (
        "import io, sys, json; from dvc_data.hashfile.hash import fobj_md5\n"
        "print(json.dumps([fobj_md5(io.BytesIO(bytes.fromhex(s)), name='md5-dos2unix')"
        " for s in json.load(sys.stdin)]))"
    )
    done = subprocess.run(
        [THEIRS / "python", "-c", script],
        input=json.dumps([sample.hex() for sample in samples]),
        capture_output=True,
        text=True,
        check=True,
    )

    for sample, theirs in zip(samples, json.loads(done.stdout), strict=True):
        ours = Hashing(io.BytesIO(sample))
        while ours.read(100_000):
            pass
        assert theirs in ours.names(is_legacy=True), sample[:20]


def test_the_stages_run_as_a_pipeline_and_make_the_same(made: Made, tmp_path: Path) -> None:
    project = tmp_path / "project"
    call(made.root.parent, "git", "clone", "-q", str(made.root), str(project))
    home = ["--home", str(tmp_path / "home")]
    mainspring = [sys.executable, "-m", "mainspring.cli.main"]

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*mainspring, *arguments, *home],
            cwd=project,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    run("import", "dvc", str(made.root), "--flow", "flow.py")
    compile((project / "flow.py").read_text(), "flow.py", "exec")
    first = run("run", "flow:stages")
    plan = run("plan", "flow:stages")
    faster = run("run", "flow:stages", "--param", "train_rate=0.001")

    learnt, slower = made.metrics["Learn faster"], made.metrics["More rides"]
    assert f"first {learnt['first']:.4g}, at.fast {learnt['at']['fast']:.4g}" in first
    assert "would run" not in plan
    # The parameter set back to what it was makes the model that DVC had made then.
    assert f"first {slower['first']:.4g}, at.fast {slower['at']['fast']:.4g}" in faster


def test_it_goes_on_wherever_it_was_killed(made: Made, tmp_path: Path) -> None:
    home = ["--home", str(tmp_path / "home")]
    command = [sys.executable, "-m", "mainspring.cli.main", "import", "dvc", str(made.root), *home]
    kills = 0
    for delay in (0.4, 0.7, 1.0, 1.3, 1.6):
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(delay)
        kills += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert kills

    done = subprocess.run(
        [*command, "--verify", "--json"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["differences"] == []
    assert report["datasets"]["data/rides.csv"]["newest"] == 2
    checked = subprocess.run(
        [sys.executable, "-m", "mainspring.cli.main", "fsck", *home],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
