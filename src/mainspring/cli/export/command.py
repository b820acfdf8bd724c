"""`mainspring export`: a pipeline for another scheduler."""

import importlib
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.commands.run import pairs, value_of
from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from mainspring.cli.export.plan import Plan, Written

TARGETS = ("airflow", "kfp", "argo", "kubernetes", "github", "gitlab")


@click.command()
@click.argument("target", type=click.Choice(TARGETS))
@click.argument("pipeline")
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The file to write; without it the source is printed.",
)
@click.option("--data", "data", multiple=True, metavar="PARAMETER=DATASET[@NUMBER]")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE")
@click.option("--schedule", metavar="CRON [ZONE]", help="When it runs: '0 3 * * 1 Europe/Berlin'.")
@click.option("--image", default="mainspring:latest", help="The image that steps run in.")
@click.option("--name", help="What it is called there.  [default: the pipeline's name]")
@click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Folder with the code.  [default: here]",
)
@pass_session
def export(
    session: Session,
    /,
    *,
    target: str,
    pipeline: str,
    out: Path | None,
    data: tuple[str, ...],
    params: tuple[str, ...],
    schedule: str | None,
    image: str,
    name: str | None,
    project: Path,
) -> None:
    """Write PIPELINE (module:function) as source for TARGET, which then runs it step by step.

    The source calls `mainspring run begin`, `step` and `finish`, on a snapshot of the code that is taken now
    and named by its digest. --data and --param set what its runs are given unless they are told otherwise. What
    TARGET can't carry is said on stderr.
    """
    from mainspring.cli.export.keep import keep
    from mainspring.cli.export.plan import plan_of
    from mainspring.kernel.schedules import parse_schedule
    from mainspring.pipelines.graphs import graph_of
    from mainspring.pipelines.snapshot import take_snapshot

    with session.app() as app:
        code = take_snapshot(app.blobs, project.absolute())
        graph = graph_of(app.blobs, app.settings, code, pipeline)
        plan = plan_of(
            graph,
            target=target,
            code=code,
            name=name,
            data=dict(pairs("--data", data)),
            params={each: value_of(text) for each, text in pairs("--param", params)},
            schedule=parse_schedule(schedule) if schedule else None,
            image=image,
            command=_command(target, pipeline, data, params, schedule),
        )
        written = _writer(target)(plan)
        keep(app, plan, written)
    for note in written.left_out:
        session.note(f"not carried: {note}")
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(written.source)
    shown = {
        "target": target,
        "code": code,
        "path": str(out) if out else None,
        "left_out": written.left_out,
        "source": written.source,
    }
    session.show(shown, [written.source.rstrip("\n") if out is None else str(out)])


def _writer(target: str) -> "Callable[[Plan], Written]":
    module = importlib.import_module(f"mainspring.cli.export.{target}")
    writer: Callable[[Plan], Written] = module.write
    return writer


def _command(
    target: str,
    pipeline: str,
    data: tuple[str, ...],
    params: tuple[str, ...],
    schedule: str | None,
) -> str:
    words = ["mainspring", "export", target, pipeline]
    words += [word for each in data for word in ("--data", each)]
    words += [word for each in params for word in ("--param", each)]
    words += ["--schedule", schedule] if schedule else []
    return shlex.join(words)
