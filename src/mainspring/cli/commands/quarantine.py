"""`mainspring quarantine`: rows that checks kept out; listing and discarding them is derived."""

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session


@click.group()
def quarantine() -> None:
    """Look at rows that checks kept out; let them in.

    A check of severity "quarantine" lets a delivery in without the rows that fail it. They wait here until a
    person releases or discards them.
    """


@quarantine.command()
@click.argument("id")
@click.option("--limit", default=20, show_default=True, help="How many rows.")
@pass_session
def rows(session: Session, /, id: str, limit: int) -> None:
    """Show the rows of a quarantine and why each was kept out."""
    from mainspring.datasets.tables import scan
    from mainspring.quality.examples import example_of
    from mainspring.quality.requests import GetQuarantine

    with session.client() as client:
        kept = client.call(GetQuarantine(id=id))
        frame = scan(client.blobs, kept.manifest).head(limit).collect()
    found = [example_of(number, row) for number, row in enumerate(frame.iter_rows(named=True))]
    lines = [
        f"{kept.id}: {kept.row_count:,} rows out of {kept.dataset} v{kept.number}, {kept.state}"
    ]
    for row in found:
        cells = [f"{name}={value}" for name, value in row.items() if name != "#"]
        lines.append("  " + "  ".join(cells))
    if kept.row_count > len(found):
        lines.append(f"  and {kept.row_count - len(found):,} more")
    session.show(found, lines)


@quarantine.command()
@click.argument("id")
@click.option("--note", default="", help="Why they may come in.")
@pass_session
def release(session: Session, /, id: str, note: str) -> None:
    """Let the rows of a quarantine in: a new version holds them after the others."""
    from mainspring.quality.release import release as let_in

    with session.client() as client:
        released = let_in(client.call, client.blobs, id, note=note)
    session.show(
        released,
        [f"{released.row_count:,} rows came into {released.dataset} ({released.released_in})"],
    )
