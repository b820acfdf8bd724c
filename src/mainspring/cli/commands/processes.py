"""The commands that start processes: everything under a supervisor, or one of them in the foreground."""

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

F = TypeVar("F", bound=Callable[..., Any])


def _listening(*names: str) -> Callable[[F], F]:
    """The options for where a process listens."""
    known = {
        "host": click.option("--host", help="Address to listen on.  [default: 127.0.0.1]"),
        "port": click.option("--port", type=int, help="Port of API and pages.  [default: 5000]"),
        "serving_port": click.option(
            "--serving-port", type=int, help="Port of predictions.  [default: 5001]"
        ),
        "public_url": click.option(
            "--public-url",
            help="Where clients reach the API, if they do so through a proxy. With it MLflow's clients move large files in parts.",
        ),
        "database": click.option(
            "--database", help="SQLAlchemy URL of the store.  [default: SQLite in the home]"
        ),
    }

    def decorate(function: F) -> F:
        for name in reversed(names):
            function = known[name](function)
        return function

    return decorate


@click.command()
@_listening("host", "port", "serving_port", "public_url", "database")
@click.option("--with-parent", is_flag=True, hidden=True, help="End when the parent process does.")
@pass_session
def up(session: Session, /, with_parent: bool, **given: Any) -> int:
    """Run everything under one supervisor: API, pages, loops, pipeline worker and serving.

    Whatever dies is started again. Ctrl-C ends all of it, answering first what is being asked. Logs are in
    the home's folder `logs`. Port 0 picks a free port.
    """
    from mainspring.server import supervisor
    from mainspring.server.child import die_with_parent

    if with_parent:
        die_with_parent()
    session.flags.update(given)
    return supervisor.up(session.settings, say=click.echo)


@click.command()
@_listening("host", "port", "public_url", "database")
@pass_session
def server(session: Session, /, **given: Any) -> None:
    """Run the API and the pages only; ready when /health answers."""
    _run(session, "mainspring.server.control", given)


@click.command()
@_listening("database")
@pass_session
def controller(session: Session, /, **given: Any) -> None:
    """Run the loops and the pipeline worker only."""
    _run(session, "mainspring.server.controller", given)


@click.command()
@_listening("host", "serving_port", "database")
@pass_session
def serve(session: Session, /, **given: Any) -> None:
    """Answer predictions only, for every service of this home."""
    _run(session, "mainspring.server.predictor", given)


def _run(session: Session, module: str, given: dict[str, Any]) -> None:
    session.flags.update(given)
    importlib.import_module(module).run(session.settings)
