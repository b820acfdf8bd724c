"""`mainspring reproduce`: train a model again from its code, data and parameters, and compare."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from mainspring.cli.commands.run import work_on
from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.app import App
    from mainspring.pipelines.reproduce import Reproduction


@click.command()
@click.argument("what", metavar="MODEL[@VERSION]|RUN")
@click.option(
    "--tolerance",
    type=click.FloatRange(0, 1),
    default=0.0,
    help="How far a metric may be from what it was, as a share.  [default: 0]",
)
@click.option("-q", "--quiet", is_flag=True, help="Print the result only.")
@pass_session
def reproduce(session: Session, /, *, what: str, tolerance: float, quiet: bool) -> None:
    """Do the run that made MODEL again, without the cache, and compare every step's result with what it was.

    VERSION is a number or an alias; without it the newest. Exit code 1 unless every result is the same byte
    for byte, or with --tolerance every metric is close enough.
    """
    from mainspring.pipelines.reproduce import compared, request_again

    with session.app() as app:
        run = _run_of(app, what)
        finished = work_on(session, app, request_again(app.call, app.blobs, run), quiet=quiet)
        found = compared(app.call, app.blobs, run, finished, tolerance=tolerance)
    session.show(found, list(_lines(found, finished.error)))
    if not found.succeeded:
        raise click.exceptions.Exit(1)


def _run_of(app: "App", what: str) -> str:
    from mainspring.kernel.errors import NotFound
    from mainspring.registry.requests import GetModelVersion

    if what.startswith("run_"):
        return what
    name, _, version = what.rpartition("@") if "@" in what else (what, "", "")
    number = int(version) if version.isdecimal() else None
    found = app.call(
        GetModelVersion(
            model=name, number=number, alias=version if version and not number else None
        )
    )
    if found.run is None:
        raise NotFound(
            f"version {found.number} of {name} was registered from outside: no run made it",
            code="no_such_run",
        )
    return str(found.run)


def _lines(found: "Reproduction", error: str | None) -> Iterator[str]:
    yield f"run {found.before}, done again as {found.after}"
    if error:
        yield f"  failed: {error}"
    elif found.is_exact:
        yield "  every step gave the same bytes"
    for name in found.differing:
        yield f"  {name}: another result"
    for pair in found.metrics:
        word = "the same" if pair.before == pair.after else "close" if pair.is_close else "differs"
        yield f"  {pair.name}: {pair.before} -> {pair.after} ({word})"
    for change in found.environment:
        yield f"  environment: {change}"
    yield "reproduced" if found.succeeded else "NOT reproduced"
