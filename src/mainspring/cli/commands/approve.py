"""`mainspring approve`: yes or no to what a run, or a candidate model, waits for."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session
from mainspring.cli.show import table, text_of

if TYPE_CHECKING:
    from mainspring.domain.pipeline import Wait


@click.command()
@click.argument("what", metavar="[RUN[/STEP] | SERVICE MODEL NUMBER]", nargs=-1)
@click.option(
    "--approved/--no-approved", " /--no", default=True, help="Yes, or no.  [default: yes]"
)
@click.option("--reason", default="", help="Why; kept with the answer.")
@pass_session
def approve(session: Session, /, *, what: tuple[str, ...], approved: bool, reason: str) -> None:
    """Say yes or no to a run that waits for an approval, or to a model version for a service.

    With nothing named, show the runs that wait for one. An answer for a model is bound to its bytes.
    """
    match what:
        case ():
            _show(session)
        case (run,):
            _answer(session, run, approved, reason)
        case (_, _, _):
            _judge(session, what, approved, reason)
        case _:
            raise click.UsageError("name a run, RUN/STEP, or a service, a model and its number")


def _show(session: Session) -> None:
    from mainspring.domain.pipeline import WaitKind
    from mainspring.pipelines.requests import ListWaits

    with session.client() as client:
        found = [w for w in client.call(ListWaits(limit=1000)) if w.kind is WaitKind.APPROVAL]
    session.show(found, list(_lines(found)))


def _answer(session: Session, named: str, approved: bool, reason: str) -> None:
    from mainspring.pipelines.requests import DecideWait

    run, _, step = named.partition("/")
    with session.client() as client:
        wait = client.call(DecideWait(run=run, step=step or None, approved=approved, note=reason))
    session.show(wait, [f"{wait.run}/{wait.node}: {'yes' if approved else 'no'} to {wait.what}"])


def _judge(session: Session, what: tuple[str, ...], approved: bool, reason: str) -> None:
    from mainspring.registry.requests import GiveApproval

    service, model, number = what
    if not number.isdecimal():
        raise click.UsageError(f"{number!r} is no number of a version")
    with session.client() as client:
        request = GiveApproval(
            service=service, model=model, number=int(number), approved=approved, reason=reason
        )
        session.show(client.call(request))


def _lines(found: "Sequence[Wait]") -> Iterator[str]:
    if not found:
        yield "no run waits for an approval"
        return
    rows = [
        [f"{wait.run}/{wait.node}", text_of(wait.since), text_of(wait.until), wait.what]
        for wait in found
    ]
    yield from table(["run/step", "since", "until", "what is asked"], rows)
