"""`mainspring data pin`: a version that names data which lies elsewhere."""

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session


@click.command()
@click.argument("name")
@click.option("--delta", metavar="FOLDER", help="A Delta Lake table.")
@click.option("--at", type=click.IntRange(0), help="Which of its versions.  [default: the newest]")
@click.option("--sql", metavar="URL", help="A database, such as sqlite:////folder/file.db.")
@click.option("--query", help="What to ask it.")
@click.option("--note", default="", help="A line about where it comes from.")
@pass_session
def pin(
    session: Session,
    /,
    *,
    name: str,
    delta: str | None,
    at: int | None,
    sql: str | None,
    query: str | None,
    note: str,
) -> None:
    """Add a pinned reference as the next version of dataset NAME: nothing is copied.

    It is read and checked like any other version, and its content is recorded. Whoever reads it later gets
    exactly that, or is told that the source has moved. A password in an address is named, not given:
    `postgresql+psycopg://user:${DB_PASSWORD}@host/name`.
    """
    from mainspring.datasets.references import pin_delta, pin_sql
    from mainspring.kernel.errors import Rejected
    from mainspring.quality.intake import add_reference
    from mainspring.quality.report import report_lines

    if (delta is None) == (sql is None):
        raise click.UsageError("say what to pin: --delta FOLDER, or --sql URL --query QUERY")
    if (sql is None) != (query is None) or (at is not None and delta is None):
        raise click.UsageError("--sql takes --query, and --at belongs to --delta")
    with session.client() as client:
        reference = pin_delta(delta, at) if delta is not None else pin_sql(sql or "", query or "")
        result = add_reference(client.call, client.blobs, name, reference, note=note)
    version = result.version
    report = report_lines(result.report) if result.report else []
    if not result.accepted:
        session.show(result, report)
        raise Rejected(
            f"it became version {version.number} of {name}, refused: it failed its checks",
            code="data_refused",
            hint="Have the source corrected, or edit the schema if the world has changed; then pin it again.",
        )
    word = "pinned" if result.is_new else "is there already"
    session.show(
        result,
        [
            *report,
            f"{name} version {version.number} {word}, {version.row_count:,} rows ({version.id})",
        ],
    )
