"""`mainspring gc`: deleting bytes that nothing refers to."""

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click
from msgspec.structs import replace

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.app import App
    from mainspring.cli.bytes_in_use import Findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
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
@click.option(
    "--deleted-runs",
    is_flag=True,
    help="First forget the files of deleted runs: restored later, a run has none. Needs --delete.",
)
@pass_session
def gc(session: Session, /, delete: bool, older_than: str, deleted_runs: bool) -> None:
    """Find stored bytes that no row needs, such as those of refused requests and killed runs."""
    from mainspring.blobs.sweep import Sweep
    from mainspring.kernel.durations import parse_duration

    if deleted_runs and not delete:
        raise click.UsageError("--deleted-runs forgets files, so it needs --delete.")
    limit = time.time() - parse_duration(older_than).total_seconds()
    with session.app() as app:
        found = _walk_whole(app)
        if deleted_runs:
            _forget_files_of_deleted_runs(app)
            found = _walk_whole(app)
        swept = Sweep(app.blobs, set(found.needed), before=limit).run(delete=delete)
    word = "deleted" if delete else "could be deleted (with --delete)"
    session.show(
        Collected(blob_count=swept.blob_count, size_bytes=swept.size_bytes, deleted=delete),
        [f"{swept.blob_count:,} blobs, {swept.size_bytes:,} bytes {word}"],
    )


def _walk_whole(app: "App") -> "Findings":
    """What is needed; raises `Corrupt` if that can't be known."""
    from mainspring.cli.bytes_in_use import walk
    from mainspring.kernel.errors import Corrupt

    found = walk(app)
    if found.problems:
        raise Corrupt(
            f"{len(found.problems)} references lead to missing or damaged bytes",
            code="damaged",
            hint="Nothing was deleted: what they named can't be known. See `mainspring fsck`.",
        )
    return found


def _forget_files_of_deleted_runs(app: "App") -> None:
    """Forget what deleted runs kept; versions registered from them name their bytes themselves."""
    from mainspring.domain.run import Lifecycle
    from mainspring.tracking.artifacts import root_of_run
    from mainspring.tracking.requests import DeleteArtifacts, SearchExperiments, SearchRuns

    token = None
    experiments: list[str] = []
    while True:
        some = app.call(SearchExperiments(lifecycle=None, page_token=token))
        experiments += [each.id for each in some.items]
        if (token := some.next_token) is None:
            break
    for experiment in experiments:
        asked = SearchRuns(experiments=(experiment,), parts=(), lifecycle=Lifecycle.DELETED)
        while True:
            page = app.call(asked)
            for run in page.items:
                app.call(DeleteArtifacts(root=root_of_run(experiment, run.id)))
            if page.next_token is None:
                break
            asked = replace(asked, page_token=page.next_token)
