"""The options that every command takes, before or after its name."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import click

from mainspring.cli.session import Session

C = TypeVar("C", bound=click.Command)
P = ParamSpec("P")
R = TypeVar("R")

NAMES = ("home", "url", "token", "json")


def with_globals(command: C) -> C:
    """Give a command the global options; what they say lands in its session."""
    taken = {parameter.name for parameter in command.params}
    command.params += [option for option in _options() if option.name not in taken]
    if command.help and not command.short_help:
        # click would cut the first sentence after 45 letters and end it with dots, however wide the terminal is.
        command.short_help = command.get_short_help_str(limit=200)
    return command


def _options() -> list[click.Option]:
    return [
        click.Option(
            ["--home"],
            type=click.Path(file_okay=False),
            help="Folder with the store and the blobs. [default: .mainspring]",
            expose_value=False,
            callback=_remember,
        ),
        click.Option(
            ["--url"],
            help="A running server to talk to, instead of opening a home.",
            expose_value=False,
            callback=_remember,
        ),
        click.Option(
            ["--token"],
            help="Token to show to that server.",
            expose_value=False,
            callback=_remember,
        ),
        click.Option(
            ["--json"],
            is_flag=True,
            default=None,
            help="Print results and errors as JSON.",
            expose_value=False,
            callback=_remember,
        ),
    ]


def _remember(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    session = context.ensure_object(Session)
    if value is not None and parameter.name:
        session.flags[parameter.name] = value


def session_of(context: click.Context) -> Session:
    """The session of a command that runs."""
    return context.ensure_object(Session)


def pass_session(function: Callable[Concatenate[Session, P], R]) -> Callable[P, R]:
    """Give a command's function its session as the first argument."""

    @wraps(function)
    def with_session(*args: P.args, **kwargs: P.kwargs) -> R:
        return function(session_of(click.get_current_context()), *args, **kwargs)

    return with_session
