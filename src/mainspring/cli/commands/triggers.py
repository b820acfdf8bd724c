"""`mainspring triggers`: what makes pipelines run by themselves, and what came of it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session
from mainspring.cli.show import table, text_of

if TYPE_CHECKING:
    from mainspring.domain.trigger import Cause, TriggerStatus

_STATES = ("waiting", "ran", "superseded", "skipped")


@click.group()
def triggers() -> None:
    """List, pause and call what makes pipelines run by themselves; read what happened.

    Triggers are declared in mainspring.toml, as [trigger.NAME], and put in force by `mainspring apply`.
    """


@triggers.command("list", short_help="Every trigger, and what it waits for.")
@pass_session
def list_(session: Session, /) -> None:
    """Every trigger with what it is on, how much waits, and what is waited for before the next run."""
    from mainspring.triggers.requests import ListTriggers

    with session.client() as client:
        found = client.call(ListTriggers())
    session.show(found, list(_listed(found)))


@triggers.command()
@click.argument("name", metavar="TRIGGER")
@pass_session
def show(session: Session, /, *, name: str) -> None:
    """One trigger as it was declared, and how it is."""
    from mainspring.triggers.requests import GetTrigger

    with session.client() as client:
        found = client.call(GetTrigger(name=name))
    session.show(found, list(_fields(found)))


@triggers.command()
@click.argument("name", metavar="TRIGGER")
@pass_session
def pause(session: Session, /, *, name: str) -> None:
    """Keep a trigger from asking for runs; what happens meanwhile counts when it is resumed."""
    from mainspring.triggers.requests import PauseTrigger

    with session.client() as client:
        found = client.call(PauseTrigger(name=name))
    session.show(found, [f"trigger {name} is paused"])


@triggers.command()
@click.argument("name", metavar="TRIGGER")
@pass_session
def resume(session: Session, /, *, name: str) -> None:
    """Let a trigger ask for runs again."""
    from mainspring.triggers.requests import ResumeTrigger

    with session.client() as client:
        found = client.call(ResumeTrigger(name=name))
    session.show(found, [f"trigger {name} is resumed"])


@triggers.command()
@click.argument("name", metavar="TRIGGER")
@pass_session
def delete(session: Session, /, *, name: str) -> None:
    """Delete a trigger and what waits with it; its runs keep naming what caused them."""
    from mainspring.triggers.requests import DeleteTrigger

    with session.client() as client:
        client.call(DeleteTrigger(name=name))
    session.show(None, [f"trigger {name} is deleted"])


@triggers.command(short_help="Ask for a run of a trigger by hand.")
@click.argument("name", metavar="TRIGGER")
@click.option(
    "--value", "values", multiple=True, metavar="NAME=VALUE", help="A value for its parameters."
)
@pass_session
def call(session: Session, /, *, name: str, values: tuple[str, ...]) -> None:
    """Give a trigger a reason to run; cool-down, budget and concurrency hold as ever."""
    from mainspring.cli.commands.run import pairs
    from mainspring.triggers.requests import CallTrigger

    with session.client() as client:
        cause = client.call(CallTrigger(name=name, values=dict(pairs("--value", values))))
    session.show(cause, [f"trigger {name}: {cause.what}; `mainspring triggers log {name}` tells"])


@triggers.command(short_help="Make the secret that webhook calls are signed with.")
@click.argument("name", metavar="TRIGGER")
@pass_session
def secret(session: Session, /, *, name: str) -> None:
    """Make the secret that calls of POST /hooks/TRIGGER are signed with, and print it this once.

    The secret before counts no more.
    """
    from mainspring.triggers.requests import NewTriggerSecret

    with session.client() as client:
        made = client.call(NewTriggerSecret(name=name))
    session.show({"secret": made}, [made])


@triggers.command(short_help="What happened, and which run came of it.")
@click.argument("name", metavar="[TRIGGER]", required=False)
@click.option("--run", help="Only what led to this run.")
@click.option("--state", type=click.Choice(_STATES), help="Only what is in this state.")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option("--page-token", help="Where to go on, as the page before said.")
@pass_session
def log(
    session: Session,
    /,
    *,
    name: str | None,
    run: str | None,
    state: str | None,
    limit: int,
    page_token: str | None,
) -> None:
    """What happened for a trigger, newest first, and which run came of it, or why none did."""
    from mainspring.domain.trigger import CauseState
    from mainspring.triggers.requests import GetTrigger, ListCauses

    with session.client() as client:
        if name is not None:
            client.call(GetTrigger(name=name))
        page = client.call(
            ListCauses(
                trigger=name,
                run=run,
                state=CauseState(state) if state else None,
                limit=limit,
                page_token=page_token,
            )
        )
    lines = list(_causes(page.items))
    if page.next_token:
        lines.append(f"(more: --page-token {page.next_token})")
    session.show(page, lines)


def _listed(found: tuple["TriggerStatus", ...]) -> Iterator[str]:
    if not found:
        yield "no trigger is declared"
        return
    rows = [
        [
            each.trigger.spec.name,
            ", ".join(str(source) for source in each.trigger.spec.on) or "-",
            str(each.waiting),
            text_of(each.last_run),
            text_of(each.next_time),
            _state(each),
        ]
        for each in found
    ]
    yield from table(["trigger", "on", "waiting", "last run", "next time", "state"], rows)


def _state(status: "TriggerStatus") -> str:
    if status.trigger.error:
        return f"can't run: {status.trigger.error.splitlines()[0]}"
    if status.is_due:
        return "due"
    return status.why_not or (
        "paused" if status.trigger.paused else "waits for something to happen"
    )


def _fields(status: "TriggerStatus") -> Iterator[str]:
    spec = status.trigger.spec
    named = {
        "trigger": spec.name,
        "pipeline": spec.pipeline,
        "on": "; ".join(str(source) for source in spec.on) or "-",
        "data": text_of(spec.data),
        "params": text_of(spec.params),
        "mode": spec.mode.value,
        "catch up": spec.catch_up.value,
        "concurrency": str(spec.concurrency),
        "cool-down": f"{spec.cooldown_seconds:g} s",
        "debounce": f"{spec.debounce_seconds:g} s",
        "budget": f"{spec.budget_runs} runs in {spec.budget_seconds:g} s"
        if spec.budget_runs
        else "-",
        "max staleness": f"{spec.max_staleness_seconds:g} s" if spec.max_staleness_seconds else "-",
        "applied": f"{text_of(status.trigger.applied_at)} by {status.trigger.applied_by}",
        "webhook secret": text_of(status.trigger.has_secret),
        "waiting": str(status.waiting),
        "next time": text_of(status.next_time),
        "last run": text_of(status.last_run),
        "state": _state(status),
    }
    width = max(map(len, named))
    yield from (f"{name.ljust(width)}  {value}" for name, value in named.items())


def _causes(found: "Sequence[Cause]") -> Iterator[str]:
    if not found:
        yield "nothing happened"
        return
    rows = [
        [
            text_of(each.at),
            each.trigger,
            each.state.value,
            text_of(each.run),
            each.what + (f" ({each.reason})" if each.reason else ""),
        ]
        for each in found
    ]
    yield from table(["at", "trigger", "state", "run", "what happened"], rows)
