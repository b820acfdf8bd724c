"""`mainspring gc`: deleting bytes that nothing refers to."""

import time
from dataclasses import dataclass

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Swept:
    """What was found, and whether it was deleted."""

    blob_count: int
    size_bytes: int
    deleted: bool


@click.command()
@click.option("--delete", is_flag=True, help="Delete them; without it they are only counted.")
@click.option(
    "--older-than",
    default="1d",
    show_default=True,
    help="Spare bytes written since: rows that name them may be on their way.",
)
@pass_session
def gc(session: Session, /, delete: bool, older_than: str) -> None:
    """Find stored bytes that no row needs, such as those of refused requests and killed runs."""
    from mainspring.cli.bytes_in_use import unreferenced, walk
    from mainspring.kernel.durations import parse_duration
    from mainspring.kernel.errors import Corrupt, NotFound

    limit = time.time() - parse_duration(older_than).total_seconds()
    count = size = 0
    with session.app() as app:
        found = walk(app)
        if found.problems:
            raise Corrupt(
                f"{len(found.problems)} references lead to missing or damaged bytes",
                code="damaged",
                hint="Nothing was deleted: what they named can't be known. See `mainspring fsck`.",
            )
        for digest in unreferenced(app, found):
            try:
                # Storing the same bytes again touches the file, so this also spares what is wanted anew.
                if app.blobs.path_of(digest).stat().st_mtime > limit:
                    continue
                size += app.blobs.size_bytes(digest)
            except (FileNotFoundError, NotFound):
                continue
            count += 1
            if delete:
                app.blobs.delete(digest)
        if delete:
            app.blobs.remove_leftovers()
    word = "deleted" if delete else "could be deleted (with --delete)"
    session.show(
        Swept(blob_count=count, size_bytes=size, deleted=delete),
        [f"{count:,} blobs, {size:,} bytes {word}"],
    )
