"""Putting hand-written and derived commands of one name together."""

import click

from mainspring.cli.derive import command_of, derived_groups
from mainspring.cli.global_options import with_globals

GROUP_HELP = {
    "service": "Read, pause and resume declared services.",
    "experiment": "Make and list experiments.",
    "traces": "Search, show and delete what programs traced of themselves.",
    "monitor": "Read what monitoring saw.",
    "incident": "Read and close incidents.",
    "event": "Read what happened, newest first.",
    "rollout": "Start, stop and list rollouts.",
    "deployment": "Read which versions answer.",
    "serving": "Read what serving processes say of themselves.",
    "webhook": "Tell other programs of what happens; read what came of it.",
    "token": "Issue, list and revoke tokens.",
}


def command_named(name: str, written: click.Command | None) -> click.Command:
    """The command of that name: what was written by hand, and beside it what the table gives."""
    derived = derived_groups().get(name, {})
    if written is None and "" in derived:
        return command_of(derived[""], name)
    command = written or click.Group(name, help=GROUP_HELP.get(name))
    if isinstance(command, click.Group):
        for verb, operation in derived.items():
            if verb not in command.commands:
                command.add_command(command_of(operation, verb))
        for each in command.commands.values():
            with_globals(each)
    return with_globals(command)
