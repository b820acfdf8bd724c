"""`mainspring schema`: inferring what is expected of data, and checking data against it."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.commands.skew import skew
from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.domain.check import CheckReport
    from mainspring.domain.schema import TableSchema
    from mainspring.quality.profile import Profile


_format_option = click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "junit", "html"]),
    default="text",
    show_default=True,
    help="What to write the report as.",
)
_output_option = click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Where to write it.  [default: here]"
)


@click.group()
def schema() -> None:
    """Infer, check and read what is expected of data.

    A schema is inferred once from data that is known to be good, then owned and edited by people, and put
    in force by `mainspring apply`.
    """


schema.add_command(skew)


@schema.command()
@click.argument("dataset")
@click.option("--number", type=int, help="Which version.  [default: the newest accepted]")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; must be new.")
@click.option(
    "--label", "labels", multiple=True, help="A column that is there in training only; repeatable."
)
@pass_session
def infer(
    session: Session,
    /,
    dataset: str,
    number: int | None,
    output: Path | None,
    labels: tuple[str, ...],
) -> None:
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
        text = infer_toml(dataset, scan(client.blobs, version.manifest), labels=labels)
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
@click.argument("path")
@click.option("--table", help="Check this table, if PATH is the address of a database.")
@click.option("--query", help="Check what this query gives, if PATH is the address of a database.")
@click.option(
    "--schema",
    "schema_file",
    type=click.Path(path_type=Path),
    required=True,
    help="The schema file to check against.",
)
@click.option("--environment", help="Ask only what is asked there, such as serving.")
@_format_option
@_output_option
@pass_session
def check(
    session: Session,
    /,
    *,
    path: str,
    table: str | None,
    query: str | None,
    schema_file: Path,
    environment: str | None,
    format_: str,
    output: Path | None,
) -> None:
    """Check a table without adding it; nothing is stored. Exit code 6 if a blocking check fails.

    PATH is a file or folder, or the address of a database such as postgresql+psycopg://user:${PASSWORD}@host/name, which
    measures the table itself: only rows that a check needs are read.
    """
    from mainspring.kernel.errors import NotFound, Rejected
    from mainspring.quality.schema_file import parse_schema

    if not schema_file.is_file():
        raise NotFound(f"there is no schema file {schema_file}")
    expected = parse_schema(schema_file.read_text(), name=schema_file.name)
    profile: Profile | None
    if "://" in path:
        report, profile = _check_database(
            expected, path, schema_file, environment, table=table, query=query
        )
        title = table or "query"
    else:
        report, profile = _check_files(
            expected, Path(path), schema_file, environment, profiled=format_ == "html"
        )
        title = Path(path).name
    _show_report(session, report, format_, output, title=title, profile=profile)
    if not report.passed:
        raise Rejected(
            f"{path} fails {len(report.blocking)} blocking checks",
            code="data_refused",
            hint="The report above shows rows." if output is None else f"See {output}.",
        )


@schema.command()
@click.argument("dataset")
@click.option("--number", type=int, help="Which version.  [default: the newest accepted]")
@_format_option
@_output_option
@pass_session
def report(
    session: Session, /, dataset: str, number: int | None, format_: str, output: Path | None
) -> None:
    """Show or write the newest report on a version of DATASET, with histograms over the version before."""
    from mainspring.datasets.requests import GetDatasetVersion, GetDatasetVersionById
    from mainspring.kernel.errors import NotFound
    from mainspring.quality.profile import decode_profile
    from mainspring.quality.requests import GetCheckReport

    with session.client() as client:
        version = client.call(GetDatasetVersion(dataset=dataset, number=number))
        stored = client.call(GetCheckReport(version=version.id))
        if stored is None:
            raise NotFound(
                f"version {version.number} of {dataset} was not checked: no schema was in force"
            )
        parent = client.call(GetDatasetVersionById(id=version.parent)) if version.parent else None
        profiles = [
            decode_profile(client.blobs.read(each.profile)) if each and each.profile else None
            for each in (version, parent)
        ]
    title = f"{dataset} v{version.number}"
    _show_report(
        session,
        stored.report,
        format_,
        output,
        title=title,
        profile=profiles[0],
        reference=profiles[1],
    )


@schema.command()
@click.argument("dataset")
@click.option("--number", type=int, help="Which version.  [default: the newest, refused or not]")
@click.option(
    "--file",
    "file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="The schema file to change.  [default: the schema in force]",
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write; must be new.")
@pass_session
def propose(
    session: Session, /, dataset: str, number: int | None, file: Path | None, output: Path | None
) -> None:
    """Show the least change of a schema with which a version of DATASET passes, as a diff.

    Comments and layout stay. Nothing changes until `mainspring schema accept`, or `mainspring apply`.
    """
    from mainspring.datasets.requests import GetDatasetVersion, ListDatasetVersions
    from mainspring.datasets.tables import scan
    from mainspring.kernel.errors import Conflict, NotFound
    from mainspring.quality.custom.code import code_beside
    from mainspring.quality.judgement import profile_of, surroundings
    from mainspring.quality.propose import propose as make_proposal
    from mainspring.quality.requests import GetSchema
    from mainspring.quality.schema_file import parse_schema

    if output is not None and output.exists():
        raise Conflict(f"{output} exists already", code="file_exists", hint="Name a new file.")
    with session.client() as client:
        if number is None:
            number = next(
                (v.number for v in client.call(ListDatasetVersions(dataset=dataset, limit=1))), None
            )
        version = client.call(GetDatasetVersion(dataset=dataset, number=number))
        stored = client.call(GetSchema(dataset=dataset))
        if file is None and stored is None:
            raise NotFound(f"no schema is in force for {dataset}", hint="Infer one first.")
        text = file.read_text() if file is not None else stored.toml if stored else ""
        table = scan(client.blobs, version.manifest)
        code = stored.code if stored is not None and file is None else None
        around = surroundings(client.call, client.blobs, dataset, code=code)
        if file is not None:
            around = replace(around, code=code_beside(parse_schema(text), _folders(file)))
        if not any(column.private for column in parse_schema(text).columns):
            # The stored profile shows no values of private columns, which a proposal may need.
            around = around.profiled(profile_of(client.blobs, version))
        found = make_proposal(text, table, around=around)
    if not found.changes:
        session.show(found, [f"version {version.number} of {dataset} passes; nothing to change"])
        return
    lines = [*found.diff.splitlines(), "", *(f"# {change}" for change in found.changes)]
    if output is not None:
        output.write_text(found.toml)
        lines.append(
            f"written to {output}; `mainspring schema accept {dataset} {output}` accepts it"
        )
    session.show(found, lines)


@schema.command()
@click.argument("dataset")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@pass_session
def accept(session: Session, /, dataset: str, file: Path) -> None:
    """Put the schema in FILE in force for DATASET, with the code of the checks of your own that it names."""
    from mainspring.quality.custom.code import store_code
    from mainspring.quality.requests import AcceptSchema
    from mainspring.quality.schema_file import parse_schema

    text = file.read_text()
    expected = parse_schema(text, name=file.name)
    with session.client() as client:
        code = store_code(client.blobs, expected, _folders(file))
        stored = client.call(AcceptSchema(dataset=dataset, toml=text, code=code))
    session.show(stored, [f"schema {stored.number} of {dataset} is in force"])


@schema.command()
@click.argument("word", required=False)
@pass_session
def catalogue(session: Session, /, word: str | None) -> None:
    """List all that [[expect]] can ask, or what has WORD in its name, with its arguments."""
    from mainspring.quality.catalogue.entries import entries

    found = [e for name, e in sorted(entries().items()) if word is None or word in name]
    lines = []
    for each in found:
        lines += [each.name, f"    {each.summary}", f"    {', '.join(each.fields)}"]
    session.show(
        [{"name": e.name, "summary": e.summary, "arguments": e.fields} for e in found], lines
    )


@schema.command()
@click.argument("dataset")
@click.option("--to", "tool", type=click.Choice(["great-expectations", "tfdv"]), required=True)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), required=True, help="File to write."
)
@pass_session
def export(session: Session, /, dataset: str, tool: str, output: Path) -> None:
    """Write the schema in force for DATASET as another tool's file; what has no place there is listed."""
    import json

    from mainspring.kernel.errors import NotFound
    from mainspring.quality.great_expectations import to_suite
    from mainspring.quality.judgement import schema_in_force
    from mainspring.quality.tfdv import schema_pbtxt, to_pbtxt

    with session.client() as client:
        found = schema_in_force(client.call, dataset)
    if found is None:
        raise NotFound(f"no schema is in force for {dataset}", hint="Infer one first.")
    if tool == "tfdv":
        text, left_out = schema_pbtxt(found), to_pbtxt(found).left_out
    else:
        suite = to_suite(found)
        text, left_out = json.dumps(suite.document, indent=2) + "\n", suite.left_out
    output.write_text(text)
    session.show(
        {"output": str(output), "left_out": left_out},
        [f"{output} is written", *(f"left out: {line}" for line in left_out)],
    )


def _check_files(
    expected: "TableSchema",
    path: Path,
    schema_file: Path,
    environment: str | None,
    *,
    profiled: bool,
) -> "tuple[CheckReport, Profile | None]":
    from mainspring.blobs.local import LocalBlobs
    from mainspring.datasets.ingest import ingest
    from mainspring.datasets.tables import scan
    from mainspring.quality.catalogue.scope import Surroundings
    from mainspring.quality.checks import check_table, not_a_table
    from mainspring.quality.custom.code import code_beside
    from mainspring.quality.measure import profile_table

    with tempfile.TemporaryDirectory(prefix="mainspring-") as scratch:
        blobs = LocalBlobs(Path(scratch))
        taken = ingest(blobs, path)
        if not taken.is_table:
            return not_a_table(expected), None
        table = scan(blobs, taken.manifest)
        private = [column.name for column in expected.columns if column.private]
        profile = profile_table(table, private=private) if profiled else None
        around = Surroundings(code=code_beside(expected, _folders(schema_file))).profiled(profile)
        return check_table(expected, table, environment=environment, around=around), profile


def _check_database(
    expected: "TableSchema",
    url: str,
    schema_file: Path,
    environment: str | None,
    *,
    table: str | None,
    query: str | None,
) -> "tuple[CheckReport, Profile]":
    from mainspring.quality.catalogue.scope import Surroundings
    from mainspring.quality.checks import check_table
    from mainspring.quality.custom.code import code_beside
    from mainspring.quality.databases import open_database

    profile, rows, _ = open_database(url, table=table, query=query)
    around = Surroundings(code=code_beside(expected, _folders(schema_file))).profiled(profile)
    return check_table(expected, rows, environment=environment, around=around), profile


def _folders(file: Path) -> list[Path]:
    """Where the code of a schema's own checks is looked for: beside its file, then here."""
    return list(dict.fromkeys([file.absolute().parent, Path.cwd()]))


def _show_report(
    session: Session,
    report: "CheckReport",
    format_: str,
    output: Path | None,
    *,
    title: str,
    profile: "Profile | None" = None,
    reference: "Profile | None" = None,
) -> None:
    from mainspring.quality.report_files import ReportFormat, report_file

    text = report_file(
        report, ReportFormat(format_), title=title, profile=profile, reference=reference
    )
    if output is None:
        session.show(report, text.splitlines())
        return
    output.write_text(text)
    session.show(report, [f"{output} is written"])
