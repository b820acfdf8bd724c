"""`mainspring`: finds the command, runs it, and turns whatever goes wrong into a message and an exit code."""

import importlib
import sys
from collections.abc import Sequence
from typing import NoReturn

import click

from mainspring.cli.exits import (
    INTERRUPTED,
    UNEXPECTED,
    USAGE,
    exit_code_of,
    say,
    say_unexpected,
)
from mainspring.cli.global_options import with_globals
from mainspring.cli.session import Session
from mainspring.config import wants_tracebacks
from mainspring.kernel.errors import MainspringError

# What `mainspring --help` lists, in the order of a day's work. Written down, so that help imports none of
# it; a test checks that it agrees with the modules and with the table of operations.
SECTIONS: dict[str, dict[str, str]] = {
    "Start": {
        "demo": "Watch the whole loop at work on two years of real data.",
        "init": "Write a project: flow.py, mainspring.toml and a schema.",
        "up": "Run everything: server, loops, pages and serving.",
    },
    "Declare": {
        "apply": "Declare services from mainspring.toml, or change them.",
        "schema": "Infer, check and read what is expected of data.",
        "import": "Take over what other tools hold.",
        "service": "Read, pause and resume declared services.",
        "approve": "Say yes or no to a run that waits, or to a model version.",
    },
    "Work": {
        "data": "Add, list, compare and check out dataset versions.",
        "remote": "Name the places that versions are pushed to and pulled from.",
        "quarantine": "Look at rows that checks kept out; let them in.",
        "run": "Run a pipeline here and now; read and cancel runs.",
        "plan": "Tell what a run would do, without running it.",
        "resume": "Do what is left of a run that failed or was cancelled.",
        "fork": "Run a step and what follows again, on other code.",
        "export": "Write a pipeline as source for another scheduler.",
        "ci": "Judge the models that this code makes, in any CI system.",
        "reproduce": "Train a model again from code and data, and compare.",
        "backfill": "Run a pipeline for many of its days or keys, as one thing.",
        "triggers": "What makes pipelines run by themselves; what came of it.",
        "why": "Tell why the steps of a run were run again, or not.",
        "predict": "Ask a service for predictions.",
        "experiment": "Make and list experiments.",
        "model": "Read registered models; sign them; move their aliases.",
    },
    "Watch": {
        "status": "What is running and how it is doing, on one screen.",
        "logs": "Read or follow what a run printed.",
        "trace": "Follow one prediction back to its model, code and data.",
        "traces": "Search, show and delete what programs traced of themselves.",
        "monitor": "Read what monitoring saw.",
        "incident": "Read and close incidents.",
        "event": "Read what happened.",
        "audit": "Read and verify who did what.",
    },
    "Operate": {
        "limit": "Limit the steps of all runs that use the same thing.",
        "rollback": "End a rollout, or restore the champion before, at once.",
        "rollout": "Start, stop and list rollouts.",
        "deployment": "Read which versions answer.",
        "serving": "Read what serving processes say of themselves.",
        "webhook": "Tell other programs of what happens; read what came of it.",
        "token": "Issue, list and revoke tokens.",
        "fsck": "Verify every stored byte and every reference to one.",
        "gc": "Find bytes that nothing refers to, and delete them.",
    },
    "Processes, one by one": {
        "server": "API and pages only.",
        "controller": "The loops and the pipeline worker only.",
        "serve": "Answer predictions only.",
    },
}

# Where a hand-written command lives; every other name is made from the table of operations.
HAND_WRITTEN = {
    "demo": "mainspring.cli.demo.command:demo",
    "init": "mainspring.cli.commands.init:init",
    "up": "mainspring.cli.commands.processes:up",
    "server": "mainspring.cli.commands.processes:server",
    "controller": "mainspring.cli.commands.processes:controller",
    "serve": "mainspring.cli.commands.processes:serve",
    "apply": "mainspring.cli.commands.apply:apply",
    "data": "mainspring.cli.commands.data:data",
    "schema": "mainspring.cli.commands.schema:schema",
    "import": "mainspring.cli.commands.imports:import_",
    "quarantine": "mainspring.cli.commands.quarantine:quarantine",
    "model": "mainspring.cli.commands.model:model",
    "run": "mainspring.cli.commands.hand_on:run",
    "resume": "mainspring.cli.commands.run:resume",
    "fork": "mainspring.cli.commands.run:fork",
    "reproduce": "mainspring.cli.commands.reproduce:reproduce",
    "ci": "mainspring.cli.ci.command:ci",
    "export": "mainspring.cli.export.command:export",
    "plan": "mainspring.cli.commands.why:plan",
    "backfill": "mainspring.cli.commands.backfill:backfill",
    "triggers": "mainspring.cli.commands.triggers:triggers",
    "why": "mainspring.cli.commands.why:why",
    "predict": "mainspring.cli.commands.predict:predict",
    "status": "mainspring.cli.commands.status:status",
    "logs": "mainspring.cli.commands.logs:logs",
    "trace": "mainspring.cli.commands.trace:trace",
    "approve": "mainspring.cli.commands.approve:approve",
    "audit": "mainspring.cli.commands.audit:audit",
    "rollback": "mainspring.cli.commands.rollback:rollback",
    "fsck": "mainspring.cli.commands.fsck:fsck",
    "gc": "mainspring.cli.commands.gc:gc",
}


class Root(click.Group):
    """The root command: knows every name, imports only the one that is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for section in SECTIONS.values() for name in section]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self.list_commands(ctx):
            return None
        from mainspring.cli.groups import command_named

        if place := HAND_WRITTEN.get(cmd_name):
            module, _, attribute = place.partition(":")
            return command_named(cmd_name, getattr(importlib.import_module(module), attribute))
        return command_named(cmd_name, None)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        width = max(len(name) for name in self.list_commands(ctx))
        for title, section in SECTIONS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), text) for name, text in section.items()])


@with_globals
@click.group(
    cls=Root, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]}
)
@click.option("--version", is_flag=True, help="Print the version and end.")
@click.pass_context
def root(context: click.Context, version: bool) -> None:
    """Declare what a good model is; Mainspring keeps one in production."""
    if version:
        from importlib.metadata import version as installed

        click.echo(f"mainspring {installed('mainspring')}")
        context.exit()
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


def run_command(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; prints errors, raises none but with MAINSPRING_DEBUG."""
    session = Session()
    try:
        result = root.main(
            args=None if arguments is None else list(arguments),
            prog_name="mainspring",
            standalone_mode=False,
            obj=session,
        )
        return result if isinstance(result, int) else 0
    except click.ClickException as error:
        error.show()
        return USAGE
    except click.Abort:
        click.echo(err=True)
        return INTERRUPTED
    except MainspringError as error:
        if wants_tracebacks():
            raise
        say(error, as_json=session.as_json)
        return exit_code_of(error)
    except Exception as error:
        if wants_tracebacks():
            raise
        say_unexpected(error, session.logs)
        return UNEXPECTED


def main() -> NoReturn:
    """The console script."""
    sys.exit(run_command())


if __name__ == "__main__":
    main()
