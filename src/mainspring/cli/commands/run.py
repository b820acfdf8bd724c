"""`mainspring run`: a pipeline here and now; reading and cancelling runs is derived."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.app import App
    from mainspring.domain.pipeline import LogLine, PipelineRun, StepAttempt
    from mainspring.kernel.digests import Digest


class RunGroup(click.Group):
    """A group whose unknown first word is the pipeline to run: `mainspring run flow:demand`."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self.commands and ":" in args[0]:
            args = ["start", *args]
        return super().resolve_command(ctx, args)


@click.group(cls=RunGroup)
def run() -> None:
    """Run a pipeline here and now; read and cancel runs.

    mainspring run flow:demand --data rides=rides --param half_life_days=30
    """


@run.command(short_help="Run PIPELINE now; `start` may be left out.")
@click.argument("pipeline")
@click.option("--data", "data", multiple=True, metavar="PARAMETER=DATASET[@NUMBER]")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE")
@click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Folder with the code.  [default: here]",
)
@click.option(
    "--verify-cache",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="Run this share of the steps found in the cache again, and compare.  [default: 0]",
)
@click.option("--code", metavar="DIGEST", help="Run the code kept under this digest instead.")
@click.option("--key", help="Run once by this key: asked again, go on with that run.")
@click.option("-q", "--quiet", is_flag=True, help="Print the result only.")
@pass_session
def start(
    session: Session,
    /,
    *,
    pipeline: str,
    data: tuple[str, ...],
    params: tuple[str, ...],
    project: Path,
    verify_cache: float,
    code: str | None,
    key: str | None,
    quiet: bool,
) -> None:
    """Run PIPELINE (module:function) on dataset versions, each step in a process of its own.

    Without --data, a dataset parameter reads the dataset of its own name. Values of --param are JSON, or
    text if they aren't. Exit code 1 if the run fails.
    """
    from mainspring.pipelines.local import request_for
    from mainspring.pipelines.requests import BeginRun

    with session.app() as app:
        asked = request_for(
            app.call,
            app.blobs,
            app.settings,
            pipeline,
            code=code_of(app, code, project),
            data=dict(pairs("--data", data)),
            params={name: value_of(text) for name, text in pairs("--param", params)},
            why="asked for on the command line",
            verify_cache=verify_cache,
        )
        requested = app.call(BeginRun(asked=asked, key=key)) if key else app.call(asked)
        carry_out(session, app, requested, quiet=quiet)


def code_of(app: "App", digest: str | None, project: Path) -> "Digest":
    """The code to run: what is kept under a digest, else a snapshot of the project's folder as it is now."""
    from mainspring.kernel.digests import parse_digest
    from mainspring.pipelines.snapshot import take_snapshot

    return parse_digest(digest) if digest else take_snapshot(app.blobs, project.absolute())


@click.command()
@click.argument("run", metavar="RUN")
@click.option("-q", "--quiet", is_flag=True, help="Print the result only.")
@pass_session
def resume(session: Session, /, *, run: str, quiet: bool) -> None:
    """Do what is left of RUN, which failed or was cancelled: on its own code, data and parameters.

    A run whose worker was killed goes on by itself. Exit code 1 if the new run fails.
    """
    from mainspring.pipelines.fork import resume_run

    with session.app() as app:
        carry_out(session, app, resume_run(app.call, run), quiet=quiet)


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--from", "first", required=True, metavar="STEP", help="The first step to run again.")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE")
@click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Folder with the code.  [default: here]",
)
@click.option("-q", "--quiet", is_flag=True, help="Print the result only.")
@pass_session
def fork(
    session: Session,
    /,
    *,
    run: str,
    first: str,
    params: tuple[str, ...],
    project: Path,
    quiet: bool,
) -> None:
    """Run STEP of RUN and what follows from it again, on the code as it is now and on RUN's data.

    The other steps keep the results that they had in RUN, whatever their code is now. Exit code 1 if the new
    run fails.
    """
    from mainspring.pipelines.fork import fork_run

    with session.app() as app:
        requested = fork_run(
            app.call,
            app.blobs,
            app.settings,
            run,
            first,
            project=project.absolute(),
            params={name: value_of(text) for name, text in pairs("--param", params)},
        )
        carry_out(session, app, requested, quiet=quiet)


def carry_out(session: Session, app: "App", requested: "PipelineRun", *, quiet: bool) -> None:
    """Work on a run until it is over, and show its result; exit code 1 if it fails."""
    finished = work_on(session, app, requested, quiet=quiet)
    lines = [f"{finished.id} {finished.state.value}"]
    lines += [f"  {output.kind.value}: {output.summary}" for output in finished.outputs]
    if finished.error:
        lines.append(f"  {finished.error}")
    session.show(finished, lines)
    if finished.state.value != "succeeded":
        raise click.exceptions.Exit(1)


def work_on(
    session: Session, app: "App", requested: "PipelineRun", *, quiet: bool
) -> "PipelineRun":
    """Work on a run until it is over, showing what happens meanwhile unless `quiet`."""
    from mainspring.pipelines import local

    return local.carry_out(
        app.call,
        app.blobs,
        app.settings,
        requested,
        tracking_uri=tracking_uri(session),
        watch=None if quiet else lambda seen: session.note(told(seen)),
    )


def told(seen: "StepAttempt | LogLine") -> str:
    """What happens in a run, in one line."""
    from mainspring.cli.commands.logs import log_text
    from mainspring.domain.pipeline import LogLine, StepState

    if isinstance(seen, LogLine):
        return log_text(seen)
    attempt = f" (try {seen.attempt})" if seen.attempt > 1 else ""
    if seen.state is StepState.WAITING:
        return f"{seen.node}: {seen.warning} (mainspring approve {seen.run}/{seen.node})"
    if seen.finished_at is None:
        return f"{seen.node}{attempt}: began"
    seconds = (seen.finished_at - seen.started_at).total_seconds()
    text = f"{seen.node}{attempt}: {seen.state.value}"
    if seen.state is StepState.SUCCEEDED:
        text += f" in {seconds:.1f} s"
    return f"{text}: {seen.error}" if seen.error else text


def tracking_uri(session: Session) -> str | None:
    """Where steps' own `mlflow` calls go: the server that runs on this home, if one does."""
    from mainspring.server.supervisor import is_up, read_state

    home = session.settings.home
    state = read_state(home) if is_up(home) else None
    return None if state is None else str(state["url"])


def pairs(option: str, texts: tuple[str, ...]) -> list[tuple[str, str]]:
    """NAME=VALUE options as pairs; raises `Invalid` for any other text."""
    from mainspring.kernel.errors import Invalid

    found = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals and value):
            raise Invalid(f"{option} {text!r} is not NAME=VALUE")
        found.append((name, value))
    return found


def value_of(text: str) -> Any:
    """A parameter's value: JSON, or text if it isn't."""
    import json

    try:
        return json.loads(text)
    except ValueError:
        return text
