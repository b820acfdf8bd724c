"""`mainspring init`: a project to start from, written for one's own data if there is some."""

import re
from os.path import relpath
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.project_text import RESERVED
from mainspring.cli.session import Session
from mainspring.kernel.errors import Conflict, Invalid, NotFound

if TYPE_CHECKING:
    from mainspring.cli.project_text import Project
    from mainspring.quality.profile import ColumnProfile, Profile

# More different texts than this are names rather than categories; more numbers than this, a quantity.
_MOST_CATEGORIES = 50
_MOST_CLASSES = 20


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default=Path())
@click.option("--data", "source", type=click.Path(path_type=Path), help="A table to write it for.")
@click.option("--target", help="The column to predict; needed with --data.")
@click.option("--name", help="What the dataset is called.  [default: the file's name]")
@click.option("--service", help="What the service is called.  [default: the target's name]")
@pass_session
def init(
    session: Session,
    /,
    *,
    folder: Path,
    source: Path | None,
    target: str | None,
    name: str | None,
    service: str | None,
) -> None:
    """Write flow.py, mainspring.toml and a schema into FOLDER; files that are there are never replaced.

    With --data, the code names its columns, splits by time if the table has a column for it, and the schema
    is inferred from it. Without, a small table of made-up orders comes along, to be replaced by yours.
    """
    example = source is None
    if source is None:
        source, target, name = _made_up_orders(folder), "amount", "orders"
    if target is None:
        raise Invalid("which column is to be predicted?", hint="Name it with --target.")
    dataset = _identifier(name or _stem(source), "--name")
    service = _identifier(service or target, "--service")
    for text, option in ((dataset, "--name"), (service, "--service")):
        if text in RESERVED:
            raise Invalid(
                f"{text!r} means something else in flow.py", hint=f"Give another {option}."
            )
    files = _files(source, dataset, target, service)
    taken = [file for file in files if (folder / file).exists()]
    if taken:
        raise Conflict(
            f"{folder} already has {', '.join(taken)}",
            code="file_exists",
            hint="Give another folder; nothing was written.",
        )
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        (folder / file).write_text(text)
    session.show(
        sorted(files),
        _next_steps(
            folder, source=source, dataset=dataset, service=service, files=files, example=example
        ),
    )


def _files(source: Path, dataset: str, target: str, service: str) -> dict[str, str]:
    """Everything is made before anything is written, so that an error leaves no half of a project."""
    import tempfile

    from mainspring.blobs.local import LocalBlobs
    from mainspring.cli.project_text import declaration_text, flow_text
    from mainspring.datasets.ingest import ingest
    from mainspring.datasets.tables import scan
    from mainspring.quality.infer import infer_toml
    from mainspring.quality.measure import profile_table

    if not source.exists():
        raise NotFound(f"there is no {source}", code="source_missing")
    with tempfile.TemporaryDirectory(prefix="mainspring-") as scratch:
        blobs = LocalBlobs(Path(scratch))
        taken = ingest(blobs, source)
        if not taken.is_table:
            raise Invalid(
                f"{source} is no table",
                hint="Give Parquet, CSV or JSON lines; or run it without --data and edit the flow.",
            )
        table = scan(blobs, taken.manifest)
        profile = profile_table(table)
        schema = infer_toml(dataset, table, profile=profile)
    project = _project(profile, schema, dataset, target)
    return {
        "flow.py": flow_text(project, service),
        "mainspring.toml": declaration_text(project, service),
        f"{dataset}.schema.toml": schema,
    }


def _project(profile: "Profile", schema: str, dataset: str, target: str) -> "Project":
    from mainspring.cli.project_text import Project
    from mainspring.domain.data_type import DataType
    from mainspring.quality.schema_file import parse_schema

    columns = {column.name: column for column in profile.columns}
    if target not in columns:
        raise NotFound(f"the table has no column {target!r}", hint=f"It has {', '.join(columns)}.")
    names = {each.name for each in parse_schema(schema).columns if each.unique}
    times = [
        column.name
        for column in profile.columns
        if column.type in (DataType.DATE, DataType.DATETIME) and column.name != target
    ]
    inputs = [
        column
        for column in profile.columns
        if column.name != target and column.name not in names and _is_input(column)
    ]
    if not inputs:
        raise Invalid(
            "no column is left to predict from",
            hint="Columns that number or name the rows, and times, are no inputs.",
        )
    return Project(
        dataset=dataset,
        target=target,
        inputs=tuple(column.name for column in inputs),
        categories=tuple(c.name for c in inputs if c.type is DataType.STRING),
        time=times[0] if times else None,
        is_classification=_is_class(columns[target]),
    )


def _is_input(column: "ColumnProfile") -> bool:
    from mainspring.domain.data_type import DataType

    if column.type is DataType.STRING:
        return 1 < (column.distinct_count or 0) <= _MOST_CATEGORIES
    return column.type.is_numeric or column.type is DataType.BOOLEAN


def _is_class(column: "ColumnProfile") -> bool:
    from mainspring.domain.data_type import DataType

    if column.type is DataType.FLOAT:
        return False
    if column.type is DataType.INTEGER:
        return (column.distinct_count or 0) <= _MOST_CLASSES
    if column.type in (DataType.STRING, DataType.BOOLEAN):
        return True
    raise Invalid(
        f"{column.name} is of type {column.type.value}",
        hint="Predict a number, a boolean or a text with few different values.",
    )


def _seen_from(folder: Path, source: Path) -> Path:
    """The path to the table once one stands in the project's folder."""
    return source if source.is_absolute() else Path(relpath(source, folder))


def _next_steps(
    folder: Path,
    *,
    source: Path,
    dataset: str,
    service: str,
    files: dict[str, str],
    example: bool,
) -> list[str]:
    lines = [f"{folder / file}" for file in files]
    if example:
        lines.append(f"{source}  (made-up orders: put your own data in their place)")
    on = "Go on with:" if folder == Path() else f"cd {folder}, then go on with:"
    path = source.name if example else _seen_from(folder, source)
    return [
        *lines,
        "",
        f"Read them; they are yours. {on}",
        f"  mainspring data add {dataset} {path}",
        f"  mainspring run flow:{service}",
        "  mainspring apply",
        "  mainspring up",
    ]


def _made_up_orders(folder: Path) -> Path:
    """A table to try things on, made from arithmetic: the same everywhere."""
    import polars as pl

    path = folder / "orders.csv"
    if path.exists():
        raise Conflict(f"{path} exists already", code="file_exists", hint="Give another folder.")
    rows = range(2000)
    frame = pl.DataFrame(
        {
            "order_id": [f"order-{row:05d}" for row in rows],
            "ordered_at": [
                f"2026-01-{1 + row // 80 % 28:02d} {row * 7 % 24:02d}:00" for row in rows
            ],
            "country": [("de", "fr", "it", "nl")[row * 13 % 4] for row in rows],
            "items": [1 + row * 31 % 7 for row in rows],
            "is_member": [row * 17 % 3 == 0 for row in rows],
        }
    ).with_columns(
        amount=(
            pl.col("items") * 12.5
            + pl.col("country").replace_strict({"de": 4.0, "fr": 3.0, "it": 1.0, "nl": 6.0})
            - pl.col("is_member").cast(pl.Float64) * 5
            + (pl.int_range(pl.len()) * 37 % 11) / 4
        ).round(2)
    )
    folder.mkdir(parents=True, exist_ok=True)
    frame.write_csv(path)
    return path


def _stem(path: Path) -> str:
    return re.sub(r"\W+", "_", path.name.partition(".")[0]).strip("_").lower()


def _identifier(text: str, option: str) -> str:
    import keyword

    name = re.sub(r"\W+", "_", text).strip("_").lower()
    if not name.isidentifier() or keyword.iskeyword(name) or not name.isascii():
        raise Invalid(f"{text!r} can't be a name in Python code", hint=f"Give one with {option}.")
    return name
