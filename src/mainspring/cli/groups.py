"""Putting hand-written and derived commands of one name together."""

from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import with_globals

if TYPE_CHECKING:
    from mainspring.operations.operation import Operation

GROUP_HELP = {
    "service": "Read, pause and resume declared services.",
    "limit": "Limit the steps of all runs that use the same thing.",
    "experiment": "Make and list experiments.",
    "traces": "Search, show and delete what programs traced of themselves.",
    "monitor": "Read what monitoring saw.",
    "incident": "Read and close incidents.",
    "event": "Read what happened, newest first.",
    "rollout": "Start, stop and list rollouts.",
    "deployment": "Read which versions answer.",
    "serving": "Read what serving processes say of themselves.",
    "remote": "Name the places that versions are pushed to and pulled from.",
    "webhook": "Tell other programs of what happens; read what came of it.",
    "token": "Issue, list and revoke tokens.",
}


class WithDerived(click.Group):
    """A group of hand-written commands that has those of the table too.

    The table is read only when a command is asked for that nobody wrote by hand: reading it takes longer than many of
    those take.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted({*self.commands, *self._derived()})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in self.commands:
            return with_globals(self.commands[cmd_name])
        from mainspring.cli.derive import command_of

        operation = self._derived().get(cmd_name)
        return None if operation is None else command_of(operation, cmd_name)

    def _derived(self) -> "dict[str, Operation]":
        from mainspring.cli.derive import derived_groups

        return derived_groups().get(self.name or "", {})


def command_named(name: str, written: click.Command | None) -> click.Command:
    """The command of that name: what was written by hand, and beside it what the table gives."""
    if isinstance(written, WithDerived):
        return with_globals(written)
    from mainspring.cli.derive import command_of, derived_groups

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
