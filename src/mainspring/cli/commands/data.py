"""`mainspring data`: adding, comparing and checking out versions; listing them is derived."""

from pathlib import Path

import click

from mainspring.cli.commands.data_diff import diff
from mainspring.cli.commands.data_folders import checkout, status
from mainspring.cli.commands.data_get import get, path
from mainspring.cli.commands.data_pin import pin
from mainspring.cli.commands.data_pointers import find, merge_driver, pointer
from mainspring.cli.commands.data_remotes import pull, push, verify
from mainspring.cli.global_options import pass_session
from mainspring.cli.groups import WithDerived
from mainspring.cli.session import Session


@click.group(cls=WithDerived)
def data() -> None:
    """Add, list, compare and check out dataset versions."""


for _command in (checkout, diff, pull, push, status, verify):
    data.add_command(_command)
data.add_command(get)
data.add_command(path)
data.add_command(pin)
for _pointing in (pointer, merge_driver, find):
    data.add_command(_pointing)


@data.command()
@click.argument("name")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--note", default="", help="A line about where it comes from.")
@pass_session
def add(session: Session, /, name: str, path: Path, note: str) -> None:
    """Add a file or folder as the next version of dataset NAME.

    Only files that changed since they were last added or checked out are read, and of a large file only
    what changed is stored. Parquet, CSV and JSON lines are read as tables, profiled and checked against the
    schema in force. Data that fails a blocking check is kept as a refused version, which no run reads; the
    report says which rows failed, and the exit code is 6.
    """
    from mainspring.blobs.seen import SeenFolders
    from mainspring.kernel.errors import Rejected
    from mainspring.quality.intake import add_data
    from mainspring.quality.report import report_lines

    with session.client() as client:
        seen = SeenFolders(session.settings.seen_path)
        result = add_data(client.call, client.blobs, name, path, note=note, seen=seen)
    version = result.version
    report = report_lines(result.report) if result.report else []
    if not result.accepted:
        session.show(result, report)
        raise Rejected(
            f"{path} became version {version.number} of {name}, refused: it failed its checks",
            code="data_refused",
            hint="Have the source corrected, or edit the schema if the world has changed; then add again.",
        )
    if result.quarantine is not None:
        kept = result.quarantine
        report.append(
            f"{kept.row_count:,} rows are kept apart as {kept.id}: look with "
            f"`mainspring quarantine rows {kept.id}`"
        )
    rows = "" if version.row_count is None else f", {version.row_count:,} rows"
    word = "accepted" if result.is_new else "is there already"
    session.show(result, [*report, f"{name} version {version.number} {word}{rows} ({version.id})"])
