"""`mainspring data diff`: what changed between two versions."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.domain.check import Scalar
    from mainspring.domain.table_diff import RowDiff, Shift, TableDiff

_FILES = 20
_SHIFTS = 12


@click.command()
@click.argument("dataset")
@click.argument("before", type=int)
@click.argument("after", type=int, required=False)
@click.option(
    "--key",
    multiple=True,
    metavar="COLUMNS",
    help="Match rows by these columns.  [default: the schema's key, else whole rows]",
)
@click.option(
    "--rows",
    type=click.IntRange(0, 1000),
    default=5,
    show_default=True,
    help="Show so many rows of each kind.",
)
@click.option(
    "--quick", is_flag=True, help="Read no rows: only what lists of files and profiles tell."
)
@click.option(
    "--write",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="Write all rows that differ to a new folder, as Parquet.",
)
@pass_session
def diff(
    session: Session,
    /,
    *,
    dataset: str,
    before: int,
    after: int | None,
    key: tuple[str, ...],
    rows: int,
    quick: bool,
    write: Path | None,
) -> None:
    """Say what changed between two versions; AFTER is the newest accepted one unless given.

    Of tables: rows that came, went or changed, columns, and how far values moved. PSI is 0 for values spread
    as before; 0.1 is worth a look, from 0.25 on they are spread differently.
    """
    from mainspring.datasets.requests import GetDatasetVersion
    from mainspring.quality.compare import compare_versions, write_diff
    from mainspring.quality.requests import GetSchema
    from mainspring.quality.schema_file import parse_schema

    if quick and (key or write):
        raise click.UsageError("--quick reads no rows, so --key and --write have nothing to do")
    columns = tuple(name for given in key for name in given.split(",")) if key else None
    with session.client() as client:
        old = client.call(GetDatasetVersion(dataset=dataset, number=before))
        new = client.call(GetDatasetVersion(dataset=dataset, number=after))
        stored = client.call(GetSchema(dataset=dataset))
        schema = parse_schema(stored.toml) if stored else None
        if write:
            write_diff(client.blobs, old, new, write, schema=schema, key=columns)
        found = compare_versions(
            client.blobs,
            old,
            new,
            schema=schema,
            key=columns,
            examples=rows,
            with_rows=not quick,
        )
    session.show(found, list(lines_of_diff(found)))
    if write:
        session.note(f"the rows that differ are in {write}")


def lines_of_diff(found: "TableDiff") -> Iterator[str]:
    """A comparison as text."""
    before, after = found.files.before, found.files.after
    yield f"{before.dataset} {before.number} -> {after.number}"
    if not found.files.files:
        yield "  nothing changed"
        return
    yield from _files(found)
    if found.rows is not None:
        yield from _rows(found.rows)
    elif found.files.row_count_change:
        yield f"  rows: {found.files.row_count_change:+,}"
    yield from _columns(found)
    yield from _shifts(found.shifts)


def _files(found: "TableDiff") -> Iterator[str]:
    changes = found.files.files
    for change in changes[:_FILES]:
        sign = "+" if change.before is None else "-" if change.after is None else "~"
        yield f"  {sign} {change.path}"
    if len(changes) > _FILES:
        yield f"  and {len(changes) - _FILES:,} more files (all of them with --json)"


def _rows(rows: "RowDiff") -> Iterator[str]:
    by = (
        f"by {', '.join(rows.key)}"
        if rows.key
        else "as whole rows: no key is declared that both have"
    )
    change = rows.after_count - rows.before_count
    yield f"  rows: {f'{change:+,}' if change else 'as many'} ({by})"
    if rows.is_empty:
        yield f"    the same {rows.before_count:,} rows"
    for count, word in (
        (rows.added_count, "added"),
        (rows.removed_count, "removed"),
        (rows.changed_count, "changed"),
    ):
        if count:
            yield f"    {count:>12,} {word}"
    if not rows.is_empty and rows.unchanged_count:
        yield f"    {rows.unchanged_count:>12,} the same"
    if rows.changed_columns:
        counts = ", ".join(f"{name} {count:,}" for name, count in rows.changed_columns.items())
        yield f"    changed in: {counts}"
    yield from _examples(rows)


def _examples(rows: "RowDiff") -> Iterator[str]:
    if rows.repeated_key_count:
        examples = "; ".join(map(_pairs, rows.repeated_keys))
        yield (
            f"    keys that occur more than once, whose rows are compared whole: {rows.repeated_key_count:,}"
            + (f" ({examples})" if examples else "")
        )
    if rows.missing_key_row_count:
        yield f"    rows with a gap in their key, which are compared whole: {rows.missing_key_row_count:,}"
    yield from (f"    + {_pairs(row)}" for row in rows.added)
    yield from (f"    - {_pairs(row)}" for row in rows.removed)
    for row in rows.changed:
        changes = ", ".join(
            f"{name} {_value(was)} -> {_value(row.after[name])}" for name, was in row.before.items()
        )
        yield f"    ~ {_pairs(row.key)}: {changes}"


def _columns(found: "TableDiff") -> Iterator[str]:
    if not found.columns:
        for word in ("added", "removed", "retyped"):
            if names := getattr(found.files, f"columns_{word}"):
                yield f"  columns {word}: {', '.join(names)}"
        return
    yield "  columns:"
    for change in found.columns:
        if change.before is None:
            yield f"    + {change.column} ({change.after})"
        elif change.after is None:
            yield f"    - {change.column} ({change.before})"
        else:
            told = "" if change.is_compared else ", so its values are not compared"
            yield f"    ~ {change.column}: {change.before} -> {change.after}{told}"


def _shifts(shifts: "tuple[Shift, ...]") -> Iterator[str]:
    from mainspring.cli.show import table

    moved = [shift for shift in shifts if _has_moved(shift)]
    if not moved:
        if shifts:
            yield "  values: spread as before"
        return
    yield "  values:"
    rows = [
        [
            shift.column,
            _number(shift.psi, 3),
            _number(shift.jensen_shannon, 3),
            _change(f"{shift.missing_before:.1%}", f"{shift.missing_after:.1%}"),
            _change(_number(shift.mean_before), _number(shift.mean_after)),
            shift.size if shift.size in ("medium", "large") else "",
        ]
        for shift in moved[:_SHIFTS]
    ]
    headers = ["column", "psi", "js", "missing", "mean", ""]
    yield from (f"    {line}" for line in table(headers, rows))
    if len(shifts) > len(rows):
        yield f"    and {len(shifts) - len(rows)} columns that moved less"


def _has_moved(shift: "Shift") -> bool:
    return (shift.psi or 0.0) >= 0.001 or shift.missing_before != shift.missing_after


def _number(value: float | None, digits: int | None = None) -> str:
    if value is None:
        return "-"
    return f"{value:.5g}" if digits is None else f"{value:.{digits}f}"


def _change(before: str, after: str) -> str:
    return before if before == after else f"{before} -> {after}"


def _pairs(row: "dict[str, Scalar]") -> str:
    return ", ".join(f"{name}={_value(value)}" for name, value in row.items())


def _value(value: "Scalar") -> str:
    from mainspring.quality.examples import shown

    return shown(value)
