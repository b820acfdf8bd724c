"""The options that every command takes, before or after its name."""

from typing import Any, TypeVar

import click

from mainspring.cli.session import Session

C = TypeVar("C", bound=click.Command)

NAMES = ("home", "url", "token", "json")


def with_globals(command: C) -> C:
    """Give a command the global options; what they say lands in its session."""
    taken = {parameter.name for parameter in command.params}
    command.params += [option for option in _options() if option.name not in taken]
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


pass_session = click.make_pass_decorator(Session, ensure=True)
