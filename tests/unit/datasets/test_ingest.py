"""Taking files and frames in, and reading them back as tables."""

import gzip
import os
from collections.abc import Sequence
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.taking import Stamp
from mainspring.datasets.ingest import ingest, ingest_frame
from mainspring.datasets.tables import read_table
from mainspring.domain.data_type import DataType
from mainspring.domain.dataset import Column
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Conflict, Corrupt, Invalid, NotFound

RIDES = pl.DataFrame({"hour": [0, 1, 2], "temp": [0.5, None, 1.25], "day": ["Mo", "Tu", "We"]})


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "data"
    path.mkdir()
    return path


def test_a_parquet_file_reads_back_as_it_was(blobs: LocalBlobs, folder: Path) -> None:
    RIDES.write_parquet(folder / "rides.parquet")

    taken = ingest(blobs, folder / "rides.parquet")

    assert (taken.file_count, taken.row_count, taken.is_table) == (1, 3, True)
    assert taken.columns is not None
    assert taken.columns[1] == Column(name="temp", type=DataType.FLOAT)
    assert_frame_equal(read_table(blobs, taken.manifest), RIDES)


@pytest.mark.parametrize("kind", ["csv", "csv.gz", "tsv", "jsonl"])
def test_text_formats_read_alike(blobs: LocalBlobs, folder: Path, kind: str) -> None:
    path = folder / f"rides.{kind}"
    match kind:
        case "csv":
            RIDES.write_csv(path)
        case "csv.gz":
            path.write_bytes(gzip.compress(RIDES.write_csv().encode()))
        case "tsv":
            RIDES.write_csv(path, separator="\t")
        case _:
            RIDES.write_ndjson(path)

    assert_frame_equal(read_table(blobs, ingest(blobs, path).manifest), RIDES)


def test_a_late_fraction_does_not_break_a_column_of_whole_numbers(
    blobs: LocalBlobs, folder: Path
) -> None:
    (folder / "x.csv").write_text("x\n" + "1\n" * 20_000 + "1.5\n")

    table = read_table(blobs, ingest(blobs, folder / "x.csv").manifest)

    assert table.schema == {"x": pl.Float64}


def test_a_folder_of_one_kind_is_one_table(blobs: LocalBlobs, folder: Path) -> None:
    (folder / "2011").mkdir()
    (folder / "2012").mkdir()
    RIDES.write_parquet(folder / "2011/a.parquet")
    RIDES.write_parquet(folder / "2012/a.parquet")
    (folder / "_SUCCESS").touch()

    taken = ingest(blobs, folder)

    assert (taken.file_count, taken.row_count) == (3, 6)


def test_a_folder_of_pictures_is_not_a_table(blobs: LocalBlobs, folder: Path) -> None:
    (folder / "a.png").write_bytes(b"\x89PNG")
    (folder / "labels.csv").write_text("name,label\na.png,cat\n")

    taken = ingest(blobs, folder)

    assert (taken.row_count, taken.columns) == (None, None)
    with pytest.raises(Invalid, match="not a table"):
        read_table(blobs, taken.manifest)


def test_tables_of_two_kinds_in_a_folder_are_refused(blobs: LocalBlobs, folder: Path) -> None:
    RIDES.write_parquet(folder / "a.parquet")
    RIDES.write_csv(folder / "b.csv")

    with pytest.raises(Invalid, match="mixes csv and parquet"):
        ingest(blobs, folder)


def test_files_with_different_columns_are_no_table(blobs: LocalBlobs, folder: Path) -> None:
    RIDES.write_csv(folder / "a.csv")
    RIDES.rename({"day": "weekday"}).write_csv(folder / "b.csv")

    with pytest.raises(Invalid, match="can't be read"):
        ingest(blobs, folder)


def test_the_file_that_is_cut_short_is_named(blobs: LocalBlobs, folder: Path) -> None:
    RIDES.write_parquet(folder / "a.parquet")
    whole = (folder / "a.parquet").read_bytes()
    (folder / "b.parquet").write_bytes(whole[: len(whole) // 2])

    with pytest.raises(Invalid, match=r"^b\.parquet: the table can't be read"):
        ingest(blobs, folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", b""),
        ("x.parquet", b""),
        ("x.csv", b"a,b\n1,2\n1,2,3\n"),
        ("x.csv", bytes(range(256))),
        ("x.jsonl", b"{not json}\n"),
    ],
)
def test_what_is_no_table_is_refused(
    blobs: LocalBlobs, folder: Path, name: str, content: bytes
) -> None:
    (folder / name).write_bytes(content)

    with pytest.raises(Invalid):
        ingest(blobs, folder / name)


def test_nothing_and_an_empty_folder_are_refused(blobs: LocalBlobs, folder: Path) -> None:
    with pytest.raises(Invalid, match="holds no files"):
        ingest(blobs, folder)
    with pytest.raises(NotFound):
        ingest(blobs, folder / "nowhere.csv")


def test_a_file_that_changes_while_it_is_added_is_refused(folder: Path, tmp_path: Path) -> None:
    path = folder / "rides.csv"
    RIDES.write_csv(path)

    class SlowDisk(LocalBlobs):
        """Blobs on a disk so slow that somebody writes to the file in between."""

        def put_files(
            self, paths: Sequence[Path | str], near: Sequence[Digest | None] = ()
        ) -> list[tuple[Digest, Stamp]]:
            stored = super().put_files(paths, near)
            with Path(paths[0]).open("a") as stream:
                stream.write("3,1.0,Th\n")
            return stored

    with pytest.raises(Conflict, match="changed while it was read"):
        ingest(SlowDisk(tmp_path / "blobs"), path)


def test_a_file_that_vanishes_meanwhile_is_a_conflict(folder: Path, tmp_path: Path) -> None:
    RIDES.write_csv(folder / "a.csv")
    RIDES.write_csv(folder / "b.csv")

    class SlowDisk(LocalBlobs):
        """Blobs on a disk so slow that somebody deletes the other file in between."""

        def put_files(
            self, paths: Sequence[Path | str], near: Sequence[Digest | None] = ()
        ) -> list[tuple[Digest, Stamp]]:
            (folder / "b.csv").unlink(missing_ok=True)
            return super().put_files(paths, near)

    with pytest.raises(Conflict):
        ingest(SlowDisk(tmp_path / "blobs"), folder)


def test_links_inside_a_folder_are_refused(blobs: LocalBlobs, folder: Path) -> None:
    RIDES.write_csv(folder / "a.csv")
    (folder / "b.csv").symlink_to("/etc/passwd")

    with pytest.raises(Invalid, match="not a regular file"):
        ingest(blobs, folder)


def test_equal_frames_give_equal_manifests(blobs: LocalBlobs) -> None:
    in_two_chunks = pl.concat([RIDES[:1], RIDES[1:]], rechunk=False)

    first, second = ingest_frame(blobs, RIDES), ingest_frame(blobs, in_two_chunks)

    assert first == second
    assert_frame_equal(read_table(blobs, first.manifest), RIDES)


def test_a_frame_that_can_not_be_kept_is_refused(blobs: LocalBlobs) -> None:
    with pytest.raises(Invalid, match="column 'x' holds Python objects"):
        ingest_frame(blobs, pl.DataFrame({"x": pl.Series([object()], dtype=pl.Object)}))
    with pytest.raises(Invalid, match="no columns"):
        ingest_frame(blobs, pl.DataFrame())


def test_a_stored_table_that_was_altered_is_not_read(blobs: LocalBlobs) -> None:
    taken = ingest_frame(blobs, RIDES)
    for digest in blobs.digests():
        path = blobs.path_of(digest)
        if path.read_bytes()[:4] == b"PAR1":
            path.chmod(0o644)
            path.write_bytes(path.read_bytes()[:-1] + b"?")

    with pytest.raises(Corrupt):
        read_table(blobs, taken.manifest)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_without_permission_is_refused(blobs: LocalBlobs, folder: Path) -> None:
    (folder / "a.csv").write_text("x\n1\n")
    (folder / "a.csv").chmod(0)

    with pytest.raises(Invalid, match="permission denied"):
        ingest(blobs, folder / "a.csv")


@pytest.mark.parametrize("name", [b"a\\b.bin", b"caf\xe9.bin"])
@pytest.mark.parametrize("alone", [True, False])
def test_a_name_that_could_not_be_checked_out_again_is_refused(
    blobs: LocalBlobs, tmp_path: Path, name: bytes, alone: bool
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    path = folder / os.fsdecode(name)
    path.write_bytes(b"x")

    with pytest.raises(Invalid) as caught:
        ingest(blobs, path if alone else folder)

    assert caught.value.code == "bad_path"
    assert not list(blobs.digests())


@pytest.mark.parametrize("name", ["*", "^x.*$"])
def test_a_column_whose_name_stands_for_several_is_refused(blobs: LocalBlobs, name: str) -> None:
    with pytest.raises(Invalid, match="which stands for several columns"):
        ingest_frame(blobs, pl.DataFrame({name: [1]}))
