"""`mainspring run begin|items|step|finish`: a run whose steps another scheduler has run, one by one."""

import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.commands.run import code_of, pairs, run, told, tracking_uri, value_of
from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.app import App
    from mainspring.domain.pipeline import LogLine, StepAttempt
    from mainspring.pipelines.handed_on import HandedOn, StepResult

# Of a step that failed: trying again is of no use. Schedulers are told not to.
GAVE_UP = 10
FAILED = 1
STOPPED = 130


@run.command(short_help="Begin a run whose steps another scheduler has run.")
@click.argument("pipeline")
@click.option("--key", required=True, help="The scheduler's own name of this run.")
@click.option("--scheduler", default="scheduler", help="Who will run the steps, such as airflow.")
@click.option("--data", "data", multiple=True, metavar="PARAMETER=DATASET[@NUMBER]")
@click.option("--param", "params", multiple=True, metavar="NAME=VALUE")
@click.option("--code", metavar="DIGEST", help="The code to run, as `mainspring export` kept it.")
@click.option(
    "--project",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Without --code, the folder with the code.  [default: here]",
)
@pass_session
def begin(
    session: Session,
    /,
    *,
    pipeline: str,
    key: str,
    scheduler: str,
    data: tuple[str, ...],
    params: tuple[str, ...],
    code: str | None,
    project: Path,
) -> None:
    """Begin a run of PIPELINE whose steps another scheduler has run, one by one; prints its id.

    Asked again with the same key it gives the same run; after a failure a new one that keeps what had ended.
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
            why=f"asked for by {scheduler}: {key}",
        )
        begun = app.call(BeginRun(asked=asked, key=key, scheduler=scheduler))
    session.show(begun, [begun.id])


@run.command(short_help="List the items of a mapped step.")
@click.argument("step", metavar="RUN/STEP")
@pass_session
def items(session: Session, /, step: str) -> None:
    """List the items of a mapped STEP of RUN as JSON, each to be run by `mainspring run step`."""
    from mainspring.kernel.codec import encode_text

    run_id, name = _parts(step)
    with session.app() as app:
        found = _handed_on(session, app, run_id).items(name)
    session.show(found, [encode_text(found)])


@run.command(short_help="Run one step of a run that was handed on.")
@click.argument("step", metavar="RUN/STEP")
@click.option("--retry-here", is_flag=True, help="Try again as the pipeline says, in this process.")
@click.option("-q", "--quiet", is_flag=True, help="Show no log.")
@pass_session
def step(session: Session, /, step: str, retry_here: bool, quiet: bool) -> None:
    """Run one STEP of RUN, or one item of a mapped step, such as train[3]; its log goes to stderr.

    A step that has ended is left as it is. Exit code 0 if it ended or is skipped, 1 if it failed and may be
    tried again, 10 if that is of no use: its retries are used up or don't cover the error. RUN has failed then.
    """
    run_id, name = _parts(step)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    with session.app() as app:
        result = _handed_on(session, app, run_id, stopping, quiet).step(name, retry_here=retry_here)
    session.show(result, _lines(result))
    if code := _exit_code(result):
        raise click.exceptions.Exit(code)


@run.command(short_help="End a run all of whose steps have ended.")
@click.argument("run_id", metavar="RUN")
@pass_session
def finish(session: Session, /, run_id: str) -> None:
    """End RUN, all of whose steps have ended; prints what it returned."""
    with session.app() as app:
        ended = _handed_on(session, app, run_id).finish()
    lines = [f"{ended.id} {ended.state.value}"]
    lines += [f"  {o.kind.value} {o.digest}: {o.summary}" for o in ended.outputs]
    if ended.error:
        lines.append(f"  {ended.error}")
    session.show(ended, lines)
    if ended.state.value != "succeeded":
        raise click.exceptions.Exit(FAILED)


def _handed_on(
    session: Session,
    app: "App",
    run_id: str,
    stopping: threading.Event | None = None,
    quiet: bool = True,
) -> "HandedOn":
    from mainspring.pipelines.engine import tracking_variables
    from mainspring.pipelines.handed_on import HandedOn

    def tell(seen: "StepAttempt | LogLine") -> None:
        # With --json too: a scheduler reads the result from stdout, and people its log.
        click.echo(told(seen), err=True)

    return HandedOn(
        app.call,
        app.blobs,
        app.settings,
        run_id,
        tracking=tracking_variables(tracking_uri(session)),
        stopping=stopping,
        watch=None if quiet else tell,
    )


def _lines(result: "StepResult") -> list[str]:
    lines = [f"{result.step} {result.state.value}" + (f": {result.why}" if result.why else "")]
    lines += [f"  {o.kind.value} {o.digest}: {o.summary}" for o in result.outputs]
    if result.error:
        lines.append(f"  {result.error}")
    return lines


def _exit_code(result: "StepResult") -> int:
    if result.state.value == "failed":
        return GAVE_UP if result.is_final else FAILED
    return STOPPED if result.state.value == "interrupted" else 0


def _parts(text: str) -> tuple[str, str]:
    from mainspring.kernel.errors import Invalid

    run_id, slash, name = text.partition("/")
    if not (run_id and slash and name):
        raise Invalid(
            f"{text!r} is not RUN/STEP", hint="Such as run_01k.../train or run_01k.../train[3]."
        )
    return run_id, name
