"""Taking over small DVC repositories, written here by hand as DVC writes them."""

import hashlib
import json
import os
import random
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mainspring.app import App
from mainspring.blobs.trees import read_manifest
from mainspring.datasets.requests import GetDatasetVersion, ListDatasets, ListDatasetVersions
from mainspring.domain.event import DatasetVersionAdded
from mainspring.kernel.digests import digest_bytes
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.quality.intake import add_data
from mainspring.quality.requests import AcceptSchema
from mainspring.takeover.dvc.history import open_repository
from mainspring.takeover.dvc.report import DvcTakeover, dvc_lines
from mainspring.takeover.dvc.take import take_over
from mainspring.takeover.dvc.verify import differences
from mainspring.takeover.find import find_data
from mainspring.takeover.requests import FindAliases, FindOrigins
from mainspring.testing.apps import emitted
from mainspring.tracking.requests import GetExperiment, ListArtifacts, SearchRuns

START = datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


def md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


class Written:
    """A DVC repository in git; every commit is an hour after the one before."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.commits = 0
        root.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")
        self.write(
            ".dvc/config",
            "[core]\n    remote = store\n['remote \"store\"']\n    url = ../../remote\n",
        )

    def git(self, *arguments: str) -> str:
        at = (START + timedelta(hours=self.commits)).isoformat()
        names = {
            f"GIT_{who}_{what}": value
            for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Ann"), ("EMAIL", "ann@example.org"), ("DATE", at))
        }
        settings = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        command = ["git", "-C", str(self.root), *arguments]
        done = subprocess.run(
            command, env={**os.environ, **names, **settings}, capture_output=True, check=True
        )
        return done.stdout.decode().strip()

    def write(self, path: str, text: str) -> None:
        target = self.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)

    def commit(self, subject: str) -> str:
        self.git("add", "-A", "--", ".", ":!.dvc/cache")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        self.commits += 1
        return self.git("rev-parse", "HEAD")

    def object(self, data: bytes, *, key: str = "", place: str = ".dvc/cache/files/md5") -> str:
        key = key or md5(data)
        target = self.root / place / key[:2] / key[2:]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
        return key

    def add_file(self, path: str, data: bytes, **where: str) -> str:
        key = self.object(data, **where)
        name = Path(path).name
        self.write(
            f"{path}.dvc",
            f"outs:\n- md5: {key}\n  size: {len(data)}\n  hash: md5\n  path: {name}\n",
        )
        return key

    def add_folder(self, path: str, files: Mapping[str, bytes]) -> str:
        listed = [{"md5": self.object(data), "relpath": name} for name, data in files.items()]
        text = json.dumps(listed).encode()
        key = self.object(text, key=md5(text) + ".dir")
        self.write(f"{path}.dvc", f"outs:\n- md5: {key}\n  hash: md5\n  path: {Path(path).name}\n")
        return key


@pytest.fixture
def written(tmp_path: Path) -> Written:
    return Written(tmp_path / "rides")


def taken(app: App, written: Written, **options: object) -> DvcTakeover:
    return take_over(open_repository(written.root), app, **options)  # type: ignore[arg-type]


def contents(app: App, dataset: str, number: int | None = None) -> dict[str, bytes]:
    version = app.call(GetDatasetVersion(dataset=dataset, number=number))
    entries = read_manifest(app.blobs, version.manifest).entries
    return {entry.path: app.blobs.read(entry.digest) for entry in entries}


def test_every_commit_that_changed_data_is_a_version_with_its_subject_time_and_author(
    any_app: App, written: Written
) -> None:
    app = any_app
    written.add_file("data/rides.csv", b"id,v\n1,2\n")
    first = written.commit("First rides")
    written.write("README.md", "nothing about data")
    written.commit("Say what this is")
    written.add_file("data/rides.csv", b"id,v\n1,2\n3,4\n")
    second = written.commit("More rides")

    report = taken(app, written)

    versions = app.call(ListDatasetVersions(dataset="rides"))
    assert [v.note for v in versions] == ["More rides", "First rides"]
    assert [v.row_count for v in versions] == [2, 1]
    assert [v.created_at for v in versions] == [START + timedelta(hours=2), START]
    assert {v.created_by for v in versions} == {"Ann <ann@example.org>"}
    assert versions[0].parent == versions[1].id
    assert contents(app, "rides", 1) == {"rides.csv": b"id,v\n1,2\n"}
    origins = app.call(FindOrigins(dataset="rides"))
    assert [(each.number, each.origin) for each in origins] == [
        (1, f"git:{first}"),
        (2, f"git:{second}"),
    ]
    assert len(emitted(app, DatasetVersionAdded)) == 2
    assert report.datasets["data/rides.csv"].added == 2


def test_a_second_takeover_reads_nothing_again_and_brings_what_came_since(
    app: App, written: Written, tmp_path: Path
) -> None:
    for text in (b"id\n1\n", b"id\n2\n", b"id\n1\n"):
        written.add_file("rides.csv", text)
        written.commit(f"Rides {text!r}")
    taken(app, written)
    (written.root / ".dvc" / "cache").rename(tmp_path / "gone")

    again = taken(app, written)

    assert again.datasets["rides.csv"].added == 0
    assert not again.missing
    assert [v.number for v in app.call(ListDatasetVersions(dataset="rides"))] == [3, 2, 1]

    written.add_file("rides.csv", b"id\n4\n")
    written.commit("New rides")

    assert taken(app, written).datasets["rides.csv"].added == 1
    assert contents(app, "rides") == {"rides.csv": b"id\n4\n"}


def test_two_takeovers_at_once_make_every_version_once(any_app: App, written: Written) -> None:
    app = any_app
    written.write("dvc.yaml", "metrics: [metrics.json]\n")
    for number in range(6):
        written.add_file("rides.csv", f"id\n{number}\n".encode())
        written.write("metrics.json", json.dumps({"auc": number}))
        written.commit(f"Rides {number}")

    with ThreadPoolExecutor(3) as pool:
        reports = list(pool.map(lambda _: taken(app, written), range(3)))

    assert all(report.missing == [] for report in reports)
    notes = [v.note for v in app.call(ListDatasetVersions(dataset="rides"))]
    assert notes == [f"Rides {number}" for number in reversed(range(6))]


def test_a_folder_comes_with_its_files_and_every_md5_stays_findable(
    any_app: App, written: Written
) -> None:
    app = any_app
    files = {"a.bin": b"a", "deep/ü b.bin": b"\0b", "same.bin": b"a"}
    key = written.add_folder("data/images", files)
    written.commit("Images")

    taken(app, written)

    assert contents(app, "images") == files
    version = app.call(GetDatasetVersion(dataset="images"))
    names = (f"md5:{key}", f"md5:{md5(b'a')}", "md5:unknown")
    found = app.call(FindAliases(aliases=names))
    assert {each.alias: each.digest for each in found} == {
        names[0]: version.manifest,
        names[1]: digest_bytes(b"a"),
    }


def test_versions_are_found_by_md5_commit_and_tag(app: App, written: Written) -> None:
    file = written.add_file("rides.csv", b"id\n1\n")
    folder = written.add_folder("images", {"a.bin": b"a", "b/rides.csv": b"id\n1\n"})
    commit = written.commit("All")
    written.git("tag", "v1.0")
    taken(app, written)

    def places(what: str) -> set[tuple[str, str | None]]:
        return {(each.dataset, each.path) for each in find_data(app, what)}

    assert places(file) == {("rides", "rides.csv"), ("images", "b/rides.csv")}
    assert places(folder) == {("images", None)}
    assert places(commit[:8]) == places(commit) == places("v1.0")
    assert places("v1.0") == {("rides", None), ("images", None)}
    for unknown in ("v1", "%", "0" * 32, commit[:6]):
        with pytest.raises(NotFound, match="no version here holds"):
            find_data(app, unknown)


def test_objects_of_dvc_2_are_found_though_their_md5_is_that_of_unix_lines(
    app: App, written: Written
) -> None:
    data = b"id,v\r\n1,2\r\n"
    key = md5(data.replace(b"\r\n", b"\n"))
    written.object(data, key=key, place=".dvc/cache")
    written.write("rides.csv.dvc", f"outs:\n- md5: {key}\n  size: {len(data)}\n  path: rides.csv\n")
    written.commit("Rides of old")

    report = taken(app, written)

    assert not report.missing
    assert contents(app, "rides") == {"rides.csv": data}


def test_what_dvc_3_named_must_have_exactly_that_md5(app: App, written: Written) -> None:
    data = b"id,v\r\n1,2\r\n"
    key = md5(data.replace(b"\r\n", b"\n"))
    written.add_file("rides.csv", data, key=key)
    written.commit("Wrong lines")

    report = taken(app, written)

    assert "is damaged in cache" in report.missing[0].reasons[0]
    assert app.call(ListDatasets()) == ()


def test_a_damaged_object_is_taken_from_the_remote(app: App, written: Written) -> None:
    key = written.add_file("rides.csv", b"id\n1\n")
    written.object(b"id\n1\n", place="../remote/files/md5")
    written.object(b"id\n7\n", key=key)
    written.commit("Rides")

    report = taken(app, written)

    assert not report.missing
    assert contents(app, "rides") == {"rides.csv": b"id\n1\n"}
    assert list(differences(open_repository(written.root), app, names={})) != []


def test_a_missing_object_is_named_and_the_other_versions_come_along(
    app: App, written: Written
) -> None:
    key = written.add_file("rides.csv", b"id\n1\n")
    commit = written.commit("Lost rides")
    written.add_file("rides.csv", b"id\n2\n")
    written.commit("Kept rides")
    (written.root / ".dvc/cache/files/md5" / key[:2] / key[2:]).unlink()

    planned = taken(app, written, dry_run=True)
    report = taken(app, written)

    assert [v.note for v in app.call(ListDatasetVersions(dataset="rides"))] == ["Kept rides"]
    for each in (planned, report):
        assert [m.commit for m in each.missing] == [commit[:10]]
        assert key in each.missing[0].reasons[0]
        assert not each.missing[0].is_checked_out
    assert f"  missing: rides.csv at {commit[:10]} (Lost rides)" in list(dvc_lines(report))


def test_a_dry_run_writes_nothing(app: App, written: Written) -> None:
    written.add_file("rides.csv", b"id\n1\n")
    written.write("dvc.yaml", "metrics: [metrics.json]\n")
    written.write("metrics.json", '{"auc": 0.5}')
    written.commit("Rides")

    report = taken(app, written, dry_run=True)

    assert (report.datasets["rides.csv"].found, report.runs_found) == (1, 1)
    assert app.call(ListDatasets()) == ()
    assert list(app.blobs.digests()) == []


def test_tags_name_versions_and_branches_are_left_unless_asked_for(
    app: App, written: Written
) -> None:
    written.add_file("rides.csv", b"id\n1\n")
    written.commit("Rides")
    written.git("tag", "-a", "v1", "-m", "the first")
    written.git("checkout", "-q", "-b", "trial")
    written.add_file("rides.csv", b"id\n9\n")
    written.commit("Trial")
    written.git("checkout", "-q", "main")

    plain = taken(app, written)

    assert plain.tags == {"v1": {"rides": 1}}
    assert [each.origin for each in app.call(FindOrigins(origin="tag:*"))] == ["tag:v1"]
    assert any("the branch trial, 1 commit" in each for each in plain.left_out)

    for _ in range(2):
        taken(app, written, all_branches=True)

        # The trial is a version now, and what is checked out is the newest again.
        notes = [v.note for v in app.call(ListDatasetVersions(dataset="rides"))]
        assert notes == ["Rides", "Trial", "Rides"]


def test_a_merge_that_takes_one_side_is_no_version_of_its_own(app: App, written: Written) -> None:
    written.add_file("rides.csv", b"id\n1\n")
    written.commit("Rides")
    written.git("checkout", "-q", "-b", "side")
    written.add_file("rides.csv", b"id\n2\n")
    written.commit("From the side")
    written.git("checkout", "-q", "main")
    written.write("README.md", "meanwhile")
    written.commit("Meanwhile")
    written.git("merge", "-q", "--no-ff", "-m", "Merge the side", "side")

    taken(app, written)

    notes = [v.note for v in app.call(ListDatasetVersions(dataset="rides"))]
    assert notes == ["From the side", "Rides"]


def test_data_that_moved_goes_on_under_its_name_and_two_at_once_need_different_ones(
    app: App, written: Written
) -> None:
    written.add_file("rides.csv", b"id\n1\n")
    written.commit("Rides")
    written.git("rm", "-q", "rides.csv.dvc")
    written.add_file("data/rides.csv", b"id\n2\n")
    written.commit("Move rides")
    taken(app, written)
    assert [v.number for v in app.call(ListDatasetVersions(dataset="rides"))] == [2, 1]

    written.add_file("data/rides.parquet", b"other")
    written.commit("Two of a kind")
    with pytest.raises(Conflict, match="would both become the dataset 'rides'"):
        taken(app, written)

    report = taken(app, written, names={"data/rides.parquet": "raw"})
    assert contents(app, "raw") == {"rides.parquet": b"other"}
    assert any("can't be read as a table" in note for note in report.notes)


def test_outs_of_stages_are_data_and_their_metrics_and_params_are_runs(
    any_app: App, written: Written
) -> None:
    app = any_app
    model = b"weights"
    written.write(
        "train/dvc.yaml",
        "stages:\n  fit:\n    cmd: python fit.py\n    wdir: ..\n    params: [rate]\n    outs: ['${out}']\n"
        "    metrics: [m.json: {cache: false}]\n    plots: [curve.csv]\n",
    )
    written.write("train/params.yaml", "out: model.pkl\n")
    for rate, auc in (("1e-3", 0.7), ("0.01", 0.8)):
        model += b"!"
        curve = f"x,y\n1,{auc}\n".encode()
        written.write("m.json", json.dumps({"val": {"auc": auc, "ok": True, "by": "hand"}}))
        written.write(
            "train/dvc.lock",
            "schema: '2.0'\nstages:\n  fit:\n    cmd: python fit.py\n    params:\n      params.yaml:\n"
            f"        rate: {rate}\n    outs:\n    - path: model.pkl\n      hash: md5\n"
            f"      md5: {written.object(model)}\n    - path: curve.csv\n      hash: md5\n"
            f"      md5: {written.object(curve)}\n    - path: m.json\n      hash: md5\n      md5: {'0' * 32}\n",
        )
        written.commit(f"Rate {rate}")

    report = taken(app, written)
    again = taken(app, written)

    assert (report.runs_found, report.runs_added, again.runs_added) == (2, 2, 0)
    assert [each.name for each in app.call(ListDatasets())] == ["model"]
    assert contents(app, "model") == {"model.pkl": b"weights!!"}
    experiment = app.call(GetExperiment(name="rides"))
    runs = app.call(SearchRuns(experiments=(experiment.id,))).items
    said = {run.name: ({m.key: m.value for m in run.metrics}, run.params) for run in runs}
    assert said == {
        "Rate 1e-3": ({"val.auc": 0.7}, {"rate": "0.001"}),
        "Rate 0.01": ({"val.auc": 0.8}, {"rate": "0.01"}),
    }
    root = f"{experiment.id}/{runs[0].id}/artifacts"
    assert {file.path for file in app.call(ListArtifacts(root=root))} == {"curve.csv", "m.json"}


def test_new_versions_go_through_the_checks_of_a_schema_that_is_in_force(
    app: App, written: Written
) -> None:
    written.add_file("rides.csv", b"id\n1\n")
    written.commit("Rides")
    taken(app, written)
    schema = 'dataset = "rides"\n\n[column.id]\ntype = "integer"\nmin = 0\n'
    app.call(AcceptSchema(dataset="rides", toml=schema))
    written.add_file("rides.csv", b"id\n-1\n")
    written.commit("Negative rides")

    taken(app, written)

    versions = app.call(ListDatasetVersions(dataset="rides"))
    assert [v.state.value for v in versions] == ["refused", "accepted"]
    assert taken(app, written).datasets["rides.csv"].added == 0


def test_metafiles_that_cannot_be_read_and_data_elsewhere_are_said(
    app: App, written: Written
) -> None:
    written.add_file("rides.csv", b"id\n1\n")
    written.write("torn.dvc", "<<<<<<< HEAD\nouts: [\n")
    written.write("far.dvc", "outs:\n- path: s3://bucket/far\n  etag: abc\n")
    written.write(
        "model.dvc",
        f"deps:\n- path: model\n  repo: {{url: 'https://example.org/other'}}\nouts:\n"
        f"- md5: {written.object(b'm')}\n  hash: md5\n  path: model\n",
    )
    written.write(
        ".dvc/config",
        "['remote \"cloud\"']\n    url = gs://me:secret@bucket/x\n['remote \"v\"']\n    url = s3://b\n    version_aware = true\n",
    )
    written.commit("All kinds")

    report = taken(app, written)

    said = "\n".join(report.left_out)
    assert sorted(report.datasets) == ["model", "rides.csv"]
    assert "torn.dvc at" in said
    assert "s3://bucket/far lies outside" in said
    assert "imported from https://example.org/other" in said
    assert "gs://bucket/x" in said and "secret" not in said
    assert "version" in said


def test_a_folder_that_is_no_dvc_repository_is_refused_with_where_it_is(
    tmp_path: Path, written: Written
) -> None:
    (written.root / "data").mkdir()

    with pytest.raises(NotFound, match=str(written.root)):
        open_repository(written.root / "data")
    (tmp_path / "plain" / ".dvc").mkdir(parents=True)
    with pytest.raises(Invalid, match="git can't read"):
        open_repository(tmp_path / "plain")
    with pytest.raises(Invalid, match="no commit yet"):
        open_repository(written.root).history(all_branches=False)


def test_paths_that_would_leave_the_folder_are_refused(app: App, written: Written) -> None:
    written.add_folder("images", {"../../evil": b"e"})
    written.commit("Evil")

    report = taken(app, written)

    assert "not a plain relative path" in report.missing[0].reasons[0]
    assert app.call(ListDatasets()) == ()


def test_a_repository_below_the_top_of_git_is_taken_over_alone(app: App, tmp_path: Path) -> None:
    outer = Written(tmp_path / "all")
    outer.add_file("else.csv", b"id\n1\n")
    inner = tmp_path / "all" / "team" / "bikes"
    key = outer.object(b"id\n2\n", place="team/bikes/.dvc/cache/files/md5")
    outer.write("team/bikes/.dvc/config", "")
    outer.write(
        "team/bikes/data/rides.csv.dvc", f"outs:\n- md5: {key}\n  hash: md5\n  path: rides.csv\n"
    )
    outer.commit("Bikes of the team")

    report = take_over(open_repository(inner), app)

    assert list(report.datasets) == ["data/rides.csv"]
    assert contents(app, "rides") == {"rides.csv": b"id\n2\n"}


def test_what_git_does_not_have_is_said(app: App, written: Written, tmp_path: Path) -> None:
    for number in range(2):
        written.add_file("rides.csv", f"id\n{number}\n".encode())
        written.commit(f"Rides {number}")
    shallow = tmp_path / "shallow"
    written.git("clone", "-q", "--depth", "1", f"file://{written.root}", str(shallow))
    (shallow / ".dvc" / "cache").symlink_to(written.root / ".dvc" / "cache")
    (shallow / "rides.csv.dvc").write_text("outs: []\n")

    report = take_over(open_repository(shallow), app)

    assert report.datasets["rides.csv"].found == 1
    assert any("shallow clone" in each for each in report.left_out)
    assert any(each.startswith("rides.csv.dvc as it is now") for each in report.left_out)


def test_many_files_and_later_versions_of_large_ones_are_stored_together(
    app: App, written: Written
) -> None:
    large = random.Random(0).randbytes(9 << 20)
    small = {f"{number:04d}.txt": b"%d" % number for number in range(600)}
    written.add_folder("data", {**small, "large.bin": large})
    written.commit("Large")
    written.add_folder(
        "data", {**small, "large.bin": large[: 1 << 20] + b"inserted" + large[1 << 20 :]}
    )
    written.commit("A little larger")

    taken(app, written)

    first, second = contents(app, "data", 1), contents(app, "data", 2)
    assert len(first) == 601
    assert second["large.bin"] == large[: 1 << 20] + b"inserted" + large[1 << 20 :]
    stored = sum(
        path.stat().st_size for path in app.settings.blobs_path.rglob("*") if path.is_file()
    )
    assert stored < 1.5 * len(large)


def test_a_dataset_of_other_origin_is_only_gone_on_with_when_it_is_named(
    app: App, written: Written, tmp_path: Path
) -> None:
    mine = tmp_path / "mine.csv"
    mine.write_text("id\n0\n")
    add_data(app.call, app.blobs, "rides", mine)
    written.add_file("rides.csv", b"id\n1\n")
    written.commit("Rides")

    with pytest.raises(Conflict, match="which was not taken over"):
        taken(app, written)
    assert len(app.call(ListDatasetVersions(dataset="rides"))) == 1

    taken(app, written, names={"rides.csv": "rides"})
    assert [v.number for v in app.call(ListDatasetVersions(dataset="rides"))] == [2, 1]
    assert taken(app, written).datasets["rides.csv"].added == 0


def test_two_paths_of_one_name_in_one_commit_are_no_version_in_silence(
    app: App, written: Written
) -> None:
    written.add_file("rides.csv", b"id\n1\n")
    written.add_file("data/rides.csv", b"id\n2\n")
    written.commit("Twice")
    written.git("rm", "-q", "rides.csv.dvc")
    written.commit("Once")

    for _ in range(2):
        (missing,) = taken(app, written).missing
        assert (missing.path, missing.is_checked_out) == ("rides.csv", False)
        assert "data/rides.csv has that name too" in missing.reasons[0]
    assert contents(app, "rides") == {"rides.csv": b"id\n2\n"}


def test_odd_metafiles_are_said(app: App, written: Written) -> None:
    written.write("a.dvc", f"cmd: make a\nouts:\n- md5: {written.object(b'a')}\n  path: a.bin\n")
    written.write("b.dvc", f"outs:\n- md5: {'0' * 32}\n  path: .\n- path: c\n- 5\n")
    written.write("d.dvc", "outs:\n- md5: nothing\n  path: d\n")
    written.write("dvc.yaml", "stages:\n  a: {cmd: x, frozen: true, outs: [o: {persist: true}]}\n")
    head = written.commit("Odd")
    written.git("update-ref", "refs/exps/00/exp-1", head)

    report = taken(app, written)

    said = "\n".join(report.left_out)
    for each in ("make a", "b.dvc", "d has no md5", "frozen", "persists", "1 of them"):
        assert each in said
    assert list(report.datasets) == ["a.bin"]


def test_the_cache_and_remotes_are_where_the_settings_say(
    app: App, written: Written, tmp_path: Path
) -> None:
    written.add_file("rides.csv", b"id\n1\n", place="../elsewhere/files/md5")
    written.add_file("trips.csv", b"id\n2\n", place="../with space")
    written.write(".dvc/config", "[cache]\n    dir = ../gone\n")
    written.write(
        ".dvc/config.local",
        f"[cache]\n    dir = ../../elsewhere\n['remote \"a\"']\n    url = file://{tmp_path}/with%20space\n",
    )
    written.commit("Two places")

    report = taken(app, written)

    assert report.missing == []
    assert contents(app, "trips") == {"trips.csv": b"id\n2\n"}


def test_what_people_set_in_git_for_themselves_changes_nothing(app: App, written: Written) -> None:
    for name, value in {
        "color.ui": "always",
        "log.showSignature": "true",
        "log.follow": "true",
        "log.diffMerges": "off",
        "diff.renames": "copies",
        "diff.noprefix": "true",
        "core.quotePath": "true",
    }.items():
        written.git("config", name, value)
    written.add_file("data/fahrräder 1.csv", b"id\n1\n")
    written.commit("Räder\n\nand more")
    written.git("mv", "data/fahrräder 1.csv.dvc", "räder.csv.dvc")
    written.add_file("räder.csv", b"id\n2\n")
    written.commit("Renamed")

    taken(app, written)

    assert [v.note for v in app.call(ListDatasetVersions(dataset="rader"))] == ["Renamed"]
    assert [v.note for v in app.call(ListDatasetVersions(dataset="fahrrader_1"))] == ["Räder"]


def test_settings_that_cannot_be_read_are_refused(written: Written) -> None:
    written.write(".dvc/config", "no section\n")
    written.commit("Broken")

    with pytest.raises(Invalid, match="can't be read"):
        open_repository(written.root)


def test_a_folder_of_dvc_2_is_found_at_the_top_of_the_cache(app: App, written: Written) -> None:
    line = b"a\r\nb\r\n"
    file = written.object(line, key=md5(line.replace(b"\r\n", b"\n")), place=".dvc/cache")
    text = json.dumps([{"md5": file, "relpath": "deep/a.txt"}]).encode()
    key = written.object(text, key=md5(text) + ".dir", place=".dvc/cache")
    written.write("notes.dvc", f"outs:\n- md5: {key}\n  nfiles: 1\n  path: notes\n")
    written.commit("Of old")

    report = taken(app, written)

    assert report.missing == []
    assert contents(app, "notes") == {"deep/a.txt": line}
    assert list(differences(open_repository(written.root), app, names={})) == []


def test_damage_that_comes_later_is_found_by_comparing(app: App, written: Written) -> None:
    key = written.add_folder("notes", {"a.txt": b"a", "b.txt": b"b"})
    commit = written.commit("Notes")
    taken(app, written)
    assert list(differences(open_repository(written.root), app, names={})) == []

    written.object(b"c", key=md5(b"b"))

    assert list(differences(open_repository(written.root), app, names={})) == [
        f"notes at {commit[:10]}: its file 'b.txt' has other bytes here"
    ]
    assert key.endswith(".dir")
