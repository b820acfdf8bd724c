"""Two versions of a table side by side."""

from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from mainspring.app import App
from mainspring.blobs.trees import read_manifest
from mainspring.cli.commands.data_diff import lines_of_diff
from mainspring.datasets.changes import apply_changes
from mainspring.datasets.ingest import ingest_frame
from mainspring.datasets.requests import AddDatasetVersion
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.schema import TableSchema
from mainspring.domain.table_diff import ChangedRow, ColumnChange, TableDiff
from mainspring.kernel.errors import Conflict, Invalid
from mainspring.quality.compare import compare_versions, write_diff
from mainspring.quality.measure import profile_table
from mainspring.quality.profile import encode_profile
from mainspring.quality.schema_file import parse_schema


def a_version(app: App, frame: pl.DataFrame, *, is_profiled: bool = False) -> DatasetVersion:
    taken = ingest_frame(app.blobs, frame)
    profile = app.blobs.put_bytes(encode_profile(profile_table(frame))) if is_profiled else None
    return app.call(
        AddDatasetVersion(
            dataset="rides",
            manifest=taken.manifest,
            file_count=taken.file_count,
            size_bytes=taken.size_bytes,
            row_count=taken.row_count,
            columns=taken.columns,
            profile=profile,
        )
    )


def a_version_of_missing_bytes(app: App, frame: pl.DataFrame) -> DatasetVersion:
    version = a_version(app, frame, is_profiled=True)
    for entry in read_manifest(app.blobs, version.manifest).entries:
        app.blobs.path_of(entry.digest).unlink()
    return version


def compared(
    app: App, before: pl.DataFrame, after: pl.DataFrame, *key: str, schema: str | None = None
) -> TableDiff:
    declared: TableSchema | None = parse_schema(schema) if schema else None
    return compare_versions(
        app.blobs,
        a_version(app, before),
        a_version(app, after),
        key=key or None,
        schema=declared,
    )


def test_rows_are_matched_by_key_and_told_apart(app: App) -> None:
    before = pl.DataFrame({"id": [1, 2, 3], "x": [1.0, 2.0, float("nan")], "c": ["a", "b", None]})
    after = pl.DataFrame({"id": [4, 3, 2], "x": [9.0, float("nan"), 2.5], "c": ["z", None, "b"]})

    rows = compared(app, before, after, "id").rows

    assert rows is not None
    assert rows.added == ({"id": 4, "x": 9.0, "c": "z"},)
    assert rows.removed == ({"id": 1, "x": 1.0, "c": "a"},)
    assert rows.changed == (ChangedRow(key={"id": 2}, before={"x": 2.0}, after={"x": 2.5}),)
    assert rows.changed_columns == {"x": 1}
    assert rows.unchanged_count == 1


def test_keys_that_are_repeated_or_missing_are_said_and_compared_whole(app: App) -> None:
    before = pl.DataFrame({"id": [1, 1, None, 2], "x": [1, 2, 3, 4]})
    after = pl.DataFrame({"id": [1, 1, None, 2], "x": [1, 5, 3, 4]})

    found = compared(app, before, after, "id")

    assert found.rows is not None
    assert (found.rows.added_count, found.rows.removed_count, found.rows.changed_count) == (1, 1, 0)
    assert found.rows.repeated_keys == ({"id": 1},)
    assert found.rows.missing_key_row_count == 2
    text = "\n".join(lines_of_diff(found))
    assert "keys that occur more than once, whose rows are compared whole: 1 (id=1)" in text
    assert "rows with a gap in their key, which are compared whole: 2" in text


def test_columns_of_another_type_are_compared_where_that_loses_nothing(app: App) -> None:
    at = datetime(2026, 1, 31, 12)
    before = pl.DataFrame(
        {"id": [1, 2], "n": [1, 2], "t": ["1", "2"], "d": [date(2026, 1, 31)] * 2, "z": [at] * 2}
    )
    after = pl.DataFrame(
        {
            "id": [1, 2],
            "n": [1.0, 2.5],
            "t": [1, 2],
            "d": ["2026-01-31"] * 2,
            "z": [at.replace(tzinfo=UTC)] * 2,
            "new": [0, 0],
        }
    )

    found = compared(app, before, after, "id")

    assert found.rows is not None
    assert found.rows.changed_columns == {"n": 1}
    assert ColumnChange(column="t", before="String", after="Int64", is_compared=True) in (
        found.columns
    )
    assert [c.column for c in found.columns if not c.is_compared] == ["z", "new"]


def test_the_key_is_the_one_that_the_schema_declares(app: App) -> None:
    schema = 'dataset = "rides"\nkey = ["id"]\n[column.id]\ntype = "integer"\n'

    found = compared(app, pl.DataFrame({"id": [1]}), pl.DataFrame({"id": [1, 2]}), schema=schema)

    assert found.rows is not None
    assert found.rows.key == ("id",)


def test_values_of_private_columns_are_not_shown(app: App) -> None:
    schema = (
        'dataset = "rides"\nkey = ["id"]\n[column.id]\ntype = "integer"\n'
        '[column.mail]\ntype = "string"\nprivate = true\n'
    )

    found = compared(
        app,
        pl.DataFrame({"id": [1, 2], "mail": ["ann@example.org", "bob@example.org"]}),
        pl.DataFrame({"id": [1, 3], "mail": ["eve@example.org", "bob@example.org"]}),
        schema=schema,
    )

    assert found.rows is not None
    assert found.rows.changed_columns == {"mail": 1}
    assert "example.org" not in "\n".join(lines_of_diff(found))
    assert "example.org" not in repr(found.rows)


@pytest.mark.parametrize("is_profiled", [True, False])
def test_columns_whose_values_moved_come_first(app: App, is_profiled: bool) -> None:
    before = pl.DataFrame({"calm": list(range(1000)), "moved": [0.0] * 500 + [1.0] * 500})
    after = before.with_columns(
        moved=pl.when(pl.int_range(1000) < 300).then(None).otherwise(pl.col("moved"))
    )

    found = compare_versions(
        app.blobs,
        a_version(app, before, is_profiled=is_profiled),
        a_version(app, after, is_profiled=is_profiled),
    )

    first, second = found.shifts
    assert (first.column, first.size, first.missing_after) == ("moved", "large", 0.3)
    assert (second.column, second.size) == ("calm", "small")


def test_values_of_few_rows_are_not_said_to_have_moved_by_chance(app: App) -> None:
    found = compared(
        app,
        pl.DataFrame({"a": [1, 2, 3], "b": [1.0, 2, 3]}),
        pl.DataFrame({"a": [3, 2, 1], "b": [1.0, 2, 4]}),
    )

    same = next(shift for shift in found.shifts if shift.column == "a")
    assert (same.psi, same.jensen_shannon, same.size) == (0.0, 0.0, "small")
    assert next(shift for shift in found.shifts if shift.column == "b").size == "small"


def test_a_comparison_without_rows_reads_only_profiles(app: App) -> None:
    versions = [
        a_version_of_missing_bytes(app, frame)
        for frame in (pl.DataFrame({"id": [1, 2]}), pl.DataFrame({"id": [2, 3]}))
    ]

    found = compare_versions(app.blobs, versions[0], versions[1], with_rows=False)

    assert found.rows is None
    assert [shift.column for shift in found.shifts] == ["id"]


def test_a_key_that_can_not_be_one_is_refused(app: App) -> None:
    before = pl.DataFrame({"id": [1], "tags": [["a"]], "old": [1]})
    after = pl.DataFrame({"id": [1], "tags": [["b"]]})

    with pytest.raises(Invalid, match="'no' is in neither version"):
        compared(app, before, after, "no")
    with pytest.raises(Invalid, match="'old' is Int64 before and absent after"):
        compared(app, before, after, "old")
    with pytest.raises(Invalid, match="lists or structs"):
        compared(app, before, after, "tags")


def test_changes_are_written_and_applied_only_to_the_table_they_were_made_from(
    app: App, tmp_path: Path
) -> None:
    old, new = pl.DataFrame({"id": [1, 2, 2]}), pl.DataFrame({"id": [2, 3]})
    versions = [a_version(app, frame) for frame in (old, new)]
    folder, target = tmp_path / "diff", tmp_path / "new.parquet"

    write_diff(app.blobs, versions[0], versions[1], folder)
    apply_changes(old.lazy(), folder, target)

    assert pl.read_parquet(target).sort("id").equals(new)
    with pytest.raises(Conflict, match="belong to another table: a row to take away is not there"):
        apply_changes(new.lazy(), folder, target)
    with pytest.raises(Conflict, match="is there already"):
        write_diff(app.blobs, versions[0], versions[1], folder)
    (folder / "changes.json").unlink()
    with pytest.raises(Invalid, match="was not written to its end"):
        apply_changes(old.lazy(), folder, target)
