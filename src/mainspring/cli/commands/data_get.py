"""`mainspring data get` and `mainspring data path`: a version's table, as of a moment if wanted, and where its files lie."""

import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session
from mainspring.kernel.errors import Invalid, Unavailable

if TYPE_CHECKING:
    import polars as pl

    from mainspring.pipelines.dataset import Dataset
    from mainspring.sdk.client import Client

_ENDINGS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "ndjson", ".ndjson": "ndjson"}


@click.command("get")
@click.argument("name")
@click.option("--number", type=int, help="Which version.  [default: the newest accepted]")
@click.option(
    "--as-of",
    metavar="TIME",
    help="Only rows that were so by then, and labels known by then (UTC unless it says otherwise).",
)
@click.option(
    "--known-at", metavar="TIME", help="Take the version that was the newest accepted one then."
)
@click.option("--columns", metavar="COLUMNS", help="Only these, separated by commas.")
@click.option("--limit", type=click.IntRange(0), help="At most so many rows.")
@click.option(
    "--join",
    "features",
    metavar="DATASET",
    help="Join the newest earlier row of this dataset (or DATASET@NUMBER) to each row.",
)
@click.option("--by", metavar="COLUMNS", help="Join rows whose values here are equal.")
@click.option("--max-age", metavar="DURATION", help="Join nothing older, such as 2h or 7d.")
@click.option(
    "--output",
    "-o",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write to this file (.parquet, .csv or .jsonl) rather than CSV to the terminal.",
)
@pass_session
def get(
    session: Session,
    /,
    *,
    name: str,
    number: int | None,
    as_of: str | None,
    known_at: str | None,
    columns: str | None,
    limit: int | None,
    features: str | None,
    by: str | None,
    max_age: str | None,
    output: Path | None,
) -> None:
    """Read the table of dataset NAME, right in time if wanted.

    Which columns tell of time is declared in its schema: event_time, and label_at with labels.
    """
    import polars as pl

    if features is None and (by or max_age):
        raise click.UsageError("--by and --max-age say how to --join")
    if output is not None and output.suffix not in _ENDINGS:
        raise Invalid(
            f"{output.name} does not say what kind of file it is to be",
            hint=f"Let its name end in {', '.join(_ENDINGS)}.",
        )
    with session.client() as client, tempfile.TemporaryDirectory() as folder:
        dataset = client.dataset(name, number, known_at=known_at)
        if as_of is not None:
            dataset = dataset.as_of(as_of)
        if features is None:
            table = dataset.scan()
        else:
            joined = Path(folder, "joined.parquet")
            dataset.write_joined(
                _named(client, features),
                joined,
                by=by.split(",") if by is not None else None,
                max_age=max_age,
            )
            table = pl.scan_parquet(joined)
        if columns is not None:
            table = _picked(table, columns.split(","))
        if limit is not None:
            table = table.head(limit)
        _note_naive(session, dataset)
        if output is None:
            _print(table, as_json=session.as_json)
        else:
            _write(table, output)
            session.note(f"{repr(dataset).strip('<>')} is in {output}")


@click.command("path")
@click.argument("name")
@click.option("--number", type=int, help="Which version.  [default: the newest accepted]")
@pass_session
def path(session: Session, /, name: str, number: int | None) -> None:
    """Print where a version's files can be read in place, for DuckDB, Polars and other programs.

    They are the store's own files: read only, and named by their content. They stay as long as the version.
    """
    with session.client() as client:
        paths = client.dataset(name, number).paths()
    session.show(
        {name: str(found) for name, found in paths.items()}, list(map(str, paths.values()))
    )


def _named(client: "Client", given: str) -> "Dataset":
    """The dataset called `name` or `name@3`."""
    name, _, number = given.partition("@")
    if number and not number.isdecimal():
        raise Invalid(f"{given!r} names no dataset version", hint="Write name@3.")
    return client.dataset(name, int(number) if number else None)


def _picked(table: "pl.LazyFrame", names: list[str]) -> "pl.LazyFrame":
    having = table.collect_schema().names()
    for name in names:
        if name not in having:
            raise Invalid(
                f"there is no column {name!r}",
                code="no_column",
                hint=f"There are: {', '.join(having)}.",
            )
    return table.select(names)


def _note_naive(session: Session, dataset: "Dataset") -> None:
    """Say which times were taken as UTC for want of a zone."""
    import polars as pl

    if dataset.at is None or dataset.times is None:
        return
    schema = dataset.scan().collect_schema()
    naive = [
        name
        for name in (dataset.times.event_time, dataset.times.label_at)
        if name is not None
        and schema.get(name) != pl.Date
        and getattr(schema.get(name), "time_zone", None) is None
    ]
    if naive:
        session.note(f"taken as UTC, for they have no time zone: {', '.join(naive)}")


def _print(table: "pl.LazyFrame", *, as_json: bool) -> None:
    """Write to the terminal batch by batch, as CSV or JSON lines."""
    from mainspring.datasets.tables import reading_clearly

    out = sys.stdout.buffer
    with reading_clearly():
        if as_json:
            for batch in table.collect_batches():
                out.write(batch.write_ndjson().encode())
        else:
            flat = _flat(table)
            out.write(flat.clear().collect().write_csv().encode())
            for batch in flat.collect_batches():
                out.write(batch.write_csv(include_header=False).encode())
    out.flush()


def _flat(table: "pl.LazyFrame") -> "pl.LazyFrame":
    """CSV has no lists or structs; they are told as JSON."""
    import polars as pl

    nested = [name for name, dtype in table.collect_schema().items() if dtype.is_nested()]
    # JSON is made of structs only, so each value is put into one and taken out of its text: {"v":...}.
    return table.with_columns(
        pl.when(pl.col(name).is_not_null())
        .then(pl.struct(v=pl.col(name)).struct.json_encode().str.slice(5).str.head(-1))
        .alias(name)
        for name in nested
    )


def _write(table: "pl.LazyFrame", output: Path) -> None:
    """Write a file, whole or not at all."""
    from mainspring.datasets.tables import reading_clearly

    part = output.with_name(f".{output.name}-{os.getpid()}.part")
    try:
        with reading_clearly():
            match _ENDINGS[output.suffix]:
                case "parquet":
                    table.sink_parquet(part)
                case "csv":
                    _flat(table).sink_csv(part)
                case _:
                    table.sink_ndjson(part)
        os.replace(part, output)
    except OSError as error:
        raise Unavailable(
            f"{output} can't be written: {error.strerror or error}", code="unwritable"
        ) from error
    finally:
        part.unlink(missing_ok=True)
