"""`mainspring backfill`: a pipeline's runs for many of its partitions; reading and stopping it is derived."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.commands.run import RunGroup, pairs, value_of
from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.domain.backfill import Backfill, BackfillPart

_SHOWN = 20


@click.group(cls=RunGroup)
def backfill() -> None:
    """Run a pipeline for many of its days or keys, as one thing that is watched, paused and stopped.

    mainspring backfill flow:demand --from 2026-01-01 --to 2026-01-31
    """


@backfill.command(short_help="Run PIPELINE for many partitions; `start` may be left out.")
@click.argument("pipeline")
@click.option("--from", "first", metavar="PARTITION", help="The first hour, day, week or month.")
@click.option("--to", "last", metavar="PARTITION", help="The last one, with it.")
@click.option("--partition", "named", multiple=True, metavar="PARTITION", help="One of them.")
@click.option(
    "--reprocess",
    type=click.Choice(["missing", "failed", "all"]),
    default="missing",
    show_default=True,
    help="Which to run: those that no run succeeded for, those that failed last, or all.",
)
@click.option("--concurrency", type=click.IntRange(1, 1000), default=1, show_default=True)
@click.option("--newest-first", is_flag=True, help="Begin with the last.")
@click.option("--dry-run", is_flag=True, help="Say what would be run; ask for nothing.")
@click.option("--data", "data", multiple=True, metavar="PARAMETER=DATASET[@NUMBER]")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE")
@click.option("--why", default="", help="Why; stands with every run.")
@click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Folder with the code.  [default: here]",
)
@pass_session
def start(
    session: Session,
    /,
    *,
    pipeline: str,
    first: str | None,
    last: str | None,
    named: tuple[str, ...],
    reprocess: str,
    concurrency: int,
    newest_first: bool,
    dry_run: bool,
    data: tuple[str, ...],
    params: tuple[str, ...],
    why: str,
    project: Path,
) -> None:
    """Run PIPELINE (module:function) for many of its partitions, all on the code and data as they are now.

    `mainspring up` carries it on, so many runs at a time. A partition that fails keeps no other from being run.
    """
    from mainspring.backfills.requests import PreviewBackfill, Span, StartBackfill
    from mainspring.domain.backfill import Reprocess
    from mainspring.pipelines.environment import store_environment
    from mainspring.pipelines.graphs import graph_of
    from mainspring.pipelines.local import inputs_of
    from mainspring.pipelines.snapshot import take_snapshot

    if (first is None) != (last is None):
        raise click.UsageError("--from and --to go together")
    with session.client() as client:
        snapshot = take_snapshot(client.blobs, project.absolute())
        graph = graph_of(client.blobs, session.settings, snapshot, pipeline)
        what = PreviewBackfill(
            graph=graph,
            span=Span(first=first, last=last) if first and last else None,
            partitions=named,
            reprocess=Reprocess(reprocess),
            newest_first=newest_first,
        )
        if dry_run:
            parts = client.call(what)
            session.show(parts, list(_planned(parts)))
            return
        started = client.call(
            StartBackfill(
                what=what,
                inputs=inputs_of(client.call, graph, dict(pairs("--data", data))),
                project=snapshot,
                environment=store_environment(client.blobs),
                params={name: value_of(text) for name, text in pairs("--param", params)},
                concurrency=concurrency,
                why=why,
            )
        )
    session.show(started, list(_started(started)))


def _planned(parts: "Sequence[BackfillPart]") -> Iterator[str]:
    for part in parts[:_SHOWN]:
        run = f" ({part.run})" if part.run else ""
        yield f"{part.partition}: {'would run' if part.state.value == 'waiting' else f'skipped{run}'}"
    if len(parts) > _SHOWN:
        yield f"... and {len(parts) - _SHOWN} more"
    counts = Counter(part.state.value for part in parts)
    yield f"{counts['waiting']} would run, {counts['skipped']} would be skipped"


def _started(found: "Backfill") -> Iterator[str]:
    counts = {state.value: count for state, count in found.counts.items()}
    yield (
        f"backfill {found.id}: {counts.get('waiting', 0)} to run, "
        f"{counts.get('skipped', 0)} skipped"
    )
    yield f"`mainspring backfill show {found.id}` shows how far it is"
