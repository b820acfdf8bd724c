"""Pointer files: what they say, and how two of them are merged."""

from dataclasses import replace
from pathlib import Path

import pytest

from mainspring.app import App
from mainspring.datasets.pointed import version_asked, version_pointed_at
from mainspring.datasets.pointers import (
    Pointer,
    merge,
    parse_pointer,
    pointer_text,
    pointer_to,
    read_pointer,
)
from mainspring.kernel.digests import digest_bytes
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.quality.intake import add_data

ONE = Pointer(
    dataset="rides", number=1, manifest=digest_bytes(b"1"), file_count=1, size_bytes=9, row_count=2
)
TWO = replace(ONE, number=2, manifest=digest_bytes(b"2"), row_count=None)
THREE = replace(ONE, number=3, manifest=digest_bytes(b"3"))


def test_a_pointer_reads_as_it_was_written() -> None:
    for pointer in (ONE, TWO):
        text = pointer_text(pointer)
        assert parse_pointer(text, "rides.msdata") == pointer
        assert "\n\n" not in text


@pytest.mark.parametrize(
    ("ours", "theirs", "kept"),
    [(ONE, ONE, ONE), (TWO, ONE, TWO), (ONE, TWO, TWO), (TWO, TWO, TWO)],
)
def test_the_side_that_changed_is_kept(ours: Pointer, theirs: Pointer, kept: Pointer) -> None:
    merged = merge(pointer_text(ONE), pointer_text(ours), pointer_text(theirs), "rides.msdata")

    assert (merged.text, merged.conflict) == (pointer_text(kept), None)


def test_the_same_bytes_under_two_numbers_are_no_conflict() -> None:
    elsewhere = replace(TWO, number=7)

    merged = merge(pointer_text(ONE), pointer_text(TWO), pointer_text(elsewhere), "rides.msdata")

    assert (merged.text, merged.conflict) == (pointer_text(TWO), None)


@pytest.mark.parametrize("base", [pointer_text(ONE), "", "<<<<<<< ours\n"])
def test_two_that_changed_are_a_conflict_that_no_command_reads(base: str, tmp_path: Path) -> None:
    merged = merge(base, pointer_text(TWO), pointer_text(THREE), "rides.msdata")

    assert merged.conflict is not None
    assert "ours names rides 2" in merged.conflict and "theirs rides 3" in merged.conflict
    file = tmp_path / "rides.msdata"
    file.write_text(merged.text)
    with pytest.raises(Conflict, match="could not choose between"):
        read_pointer(file)


def test_another_dataset_under_the_same_name_is_a_change() -> None:
    trips = replace(ONE, dataset="trips")

    assert merge(pointer_text(ONE), pointer_text(trips), pointer_text(TWO), "p").conflict


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "nothing of 'number'"),
        ("number = 1\nfiles = 1", "nothing of 'size_bytes'"),
        (pointer_text(ONE).replace("sha256:", "md5:"), "not a digest"),
        (pointer_text(ONE).replace('"rides"', '"../x"'), "can't name a dataset"),
        (pointer_text(ONE).replace("number = 1", "number = true"), "no whole number"),
        ("not toml", "Expected"),
    ],
)
def test_what_is_no_pointer_says_why(text: str, reason: str, tmp_path: Path) -> None:
    file = tmp_path / "rides.msdata"
    file.write_text(text)

    with pytest.raises(Invalid, match=reason) as raised:
        read_pointer(file)
    assert raised.value.code == "bad_pointer"


def test_files_that_are_no_text_or_not_there_are_said(tmp_path: Path) -> None:
    (tmp_path / "a.msdata").write_bytes(b"\xff\xfe")
    with pytest.raises(Invalid, match="no text"):
        read_pointer(tmp_path / "a.msdata")
    with pytest.raises(NotFound):
        read_pointer(tmp_path)
    with pytest.raises(NotFound):
        read_pointer(tmp_path / "gone.msdata")


def test_a_version_is_found_by_its_bytes_whatever_its_number(app: App, tmp_path: Path) -> None:
    source = tmp_path / "rides.csv"
    for row in (1, 2):
        source.write_text(f"id\n{row}\n")
        add_data(app.call, app.blobs, "rides", source)
    first = version_asked(app, "rides", 1)
    pointer = pointer_to(first)

    assert version_pointed_at(app, replace(pointer, number=2)) == first
    assert version_pointed_at(app, replace(pointer, number=9)) == first
    assert version_asked(app, "rides").number == 2

    file = tmp_path / "rides.msdata"
    file.write_text(pointer_text(pointer))
    assert version_asked(app, str(file)) == first
    with pytest.raises(Invalid, match="names a version"):
        version_asked(app, str(file), 1)
    for unknown in (
        replace(pointer, manifest=digest_bytes(b"")),
        replace(pointer, dataset="trips"),
    ):
        with pytest.raises(NotFound, match="no version of"):
            version_pointed_at(app, unknown)
