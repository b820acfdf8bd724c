"""`mainspring schema`: inferring what is expected of data, and checking data against it."""

import tempfile
from pathlib import Path

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session


@click.group()
def schema() -> None:
    """Infer, check and read what is expected of data.

    A schema is inferred once from data that is known to be good, then owned and edited by people, and put
    in force by `mainspring apply`.
    """


@schema.command()
@click.argument("dataset")
@click.option("--number", type=int, help="Which version.  [default: the newest accepted]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; must be new.")
@pass_session
def infer(session: Session, /, dataset: str, number: int | None, output: Path | None) -> None:
    """Write a first schema for DATASET from one of its versions."""
    from mainspring.datasets.requests import GetDatasetVersion
    from mainspring.datasets.tables import scan
    from mainspring.kernel.errors import Conflict
    from mainspring.quality.infer import infer_toml
    from mainspring.quality.schema_file import parse_schema

    if output is not None and output.exists():
        raise Conflict(
            f"{output} exists already",
            code="file_exists",
            hint="A schema is edited by people; name a new file and compare the two.",
        )
    with session.client() as client:
        version = client.call(GetDatasetVersion(dataset=dataset, number=number))
        text = infer_toml(dataset, scan(client.blobs, version.manifest))
    found = parse_schema(text)
    if output is None:
        session.show(found, text.splitlines())
        return
    output.write_text(text)
    session.show(
        found,
        [
            f"{output}: {len(found.columns)} columns, from version {version.number}; read and edit it"
        ],
    )


@schema.command()
@click.argument("path", type=click.Path(path_type=Path))
@click.option(
    "--schema",
    "schema_file",
    type=click.Path(path_type=Path),
    required=True,
    help="The schema file to check against.",
)
@pass_session
def check(session: Session, /, path: Path, schema_file: Path) -> None:
    """Check a table without adding it; nothing is stored. Exit code 6 if a blocking check fails."""
    from mainspring.blobs.local import LocalBlobs
    from mainspring.datasets.ingest import ingest
    from mainspring.datasets.tables import scan
    from mainspring.kernel.errors import NotFound, Rejected
    from mainspring.quality.checks import check_table, not_a_table
    from mainspring.quality.report import report_lines
    from mainspring.quality.schema_file import parse_schema

    if not schema_file.is_file():
        raise NotFound(f"there is no schema file {schema_file}")
    expected = parse_schema(schema_file.read_text(), name=schema_file.name)
    with tempfile.TemporaryDirectory(prefix="mainspring-") as scratch:
        blobs = LocalBlobs(Path(scratch))
        taken = ingest(blobs, path)
        report = (
            check_table(expected, scan(blobs, taken.manifest))
            if taken.is_table
            else not_a_table(expected)
        )
    session.show(report, report_lines(report))
    if not report.passed:
        raise Rejected(
            f"{path} fails {len(report.blocking)} blocking checks",
            code="data_refused",
            hint="The report above shows rows.",
        )
