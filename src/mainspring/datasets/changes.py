"""A table's changes as files: what came, went and changed, enough to make AFTER of BEFORE anywhere."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mainspring.datasets.comparable import comparable
from mainspring.datasets.partitions import PART_BYTES, writing_clearly
from mainspring.datasets.row_diff import PartDiff, row_diffs
from mainspring.datasets.tables import reading_clearly
from mainspring.kernel.codec import decode, encode
from mainspring.kernel.errors import Conflict, Invalid

if TYPE_CHECKING:
    import polars as pl

ABOUT = "changes.json"
KINDS = ("added", "removed", "changed_before", "changed_after")


class About(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder of changes says of itself. `is_whole`: columns came or have other types, so `added` is all of AFTER."""

    format: int
    key: tuple[str, ...]
    is_whole: bool


def write_changes(
    before: "pl.LazyFrame",
    after: "pl.LazyFrame",
    key: tuple[str, ...],
    folder: Path,
    *,
    part_bytes: int = PART_BYTES,
) -> About:
    """Write the rows that differ to a new folder, one Parquet file for each kind.

    Rows of `changed_before` and `changed_after` belong together one by one. Raises `Conflict` if the folder is
    there already.
    """
    old, new = before.collect_schema(), after.collect_schema()
    is_whole = any(old.get(name) != dtype for name, dtype in new.items())
    try:
        folder.mkdir(parents=True)
    except FileExistsError:
        raise Conflict(
            f"{folder} is there already",
            code="target_occupied",
            hint="Name a new folder; nothing there was touched.",
        ) from None
    about = About(format=1, key=key, is_whole=is_whole)
    with reading_clearly(), writing_clearly(folder):
        if is_whole:
            after.sink_parquet(folder / "added.parquet")
        else:
            _write_parts(row_diffs(comparable(before, after), key, part_bytes=part_bytes), folder)
        # Last, so that a folder without it is known to be incomplete.
        (folder / ABOUT).write_bytes(encode(about))
    return about


def apply_changes(
    before: "pl.LazyFrame", folder: Path, target: Path, *, part_bytes: int = PART_BYTES
) -> None:
    """Write AFTER as a Parquet file: BEFORE with a folder of changes applied, the same rows in some order.

    Raises `Conflict` if BEFORE is not the table that the changes were made from, `Invalid` for a folder that is
    incomplete.
    """
    import polars as pl

    about = _about(folder)
    with (
        writing_clearly(target),
        tempfile.TemporaryDirectory(prefix=f".{target.name}-", dir=target.parent) as name,
    ):
        made = Path(name, "made.parquet")
        if about.is_whole:
            pl.scan_parquet(folder / "added.parquet").sink_parquet(made)
        else:
            _apply(before, folder, made, part_bytes)
        os.replace(made, target)


def _apply(before: "pl.LazyFrame", folder: Path, made: Path, part_bytes: int) -> None:
    import polars as pl

    came, gone, was, now = (pl.scan_parquet(folder / f"{kind}.parquet") for kind in KINDS)
    names = came.collect_schema().names()
    if missing := [name for name in names if name not in before.collect_schema()]:
        raise _other_table(f"it has no column {missing[0]!r}")
    tables = comparable(before.select(names), pl.concat([gone.select(names), was.select(names)]))
    kept: list[Path] = []
    for part in row_diffs(tables, (), part_bytes=part_bytes):
        if part.added.height:
            raise _other_table(f"a row to take away is not there: {part.added.row(0, named=True)}")
        kept.append(made.with_name(f"{len(kept):05d}.parquet"))
        part.removed.write_parquet(kept[-1])
    pl.concat([pl.scan_parquet(kept), came, now]).sink_parquet(made)


def _write_parts(diffs: Iterator[PartDiff], folder: Path) -> None:
    """Each part's rows on their own, then joined without having all in memory."""
    import polars as pl

    count = 0
    for number, part in enumerate(diffs):
        for kind in KINDS:
            getattr(part, kind).write_parquet(folder / f".{kind}-{number:05d}.parquet")
        count = number + 1
    for kind in KINDS:
        parts = [folder / f".{kind}-{number:05d}.parquet" for number in range(count)]
        pl.scan_parquet(parts).sink_parquet(folder / f"{kind}.parquet")
        for path in parts:
            path.unlink()


def _about(folder: Path) -> About:
    try:
        about = decode((folder / ABOUT).read_bytes(), About, what=ABOUT)
    except FileNotFoundError:
        raise Invalid(
            f"{folder} holds no changes, or was not written to its end",
            code="no_changes",
            hint="`mainspring data diff --write FOLDER` writes one.",
        ) from None
    if about.format > 1:
        raise Invalid(f"{folder} was written by a newer Mainspring", code="changes_too_new")
    return about


def _other_table(why: str) -> Conflict:
    return Conflict(
        f"these changes belong to another table: {why}",
        code="other_table",
        hint="Apply them to the version that was BEFORE when they were written.",
    )
