"""`mainspring audit verify`; listing entries is derived."""

from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session
from mainspring.kernel.errors import Corrupt

if TYPE_CHECKING:
    from mainspring.sdk.client import Client


@click.group()
def audit() -> None:
    """Read and verify who did what."""


@audit.command()
@click.option("--head", help="A head printed earlier; it must still be in the chain.")
@pass_session
def verify(session: Session, /, head: str | None) -> None:
    """Walk the whole audit chain; exit code 8 if an entry was altered, removed or reordered.

    Keep the head it prints somewhere else: with --head it later shows that nothing before it was rewritten.
    """
    from mainspring.governance.requests import VerifyAudit

    with session.client() as client:
        verdict = client.call(VerifyAudit())
        if head is not None and verdict.intact:
            _require(client, head)
    if not verdict.intact:
        if session.as_json:
            session.show(verdict)
        place = "the end" if verdict.broken_at is None else f"entry {verdict.broken_at}"
        raise Corrupt(
            f"the audit chain is broken at {place}: {verdict.problem}",
            code="audit_broken",
            hint="Compare with a backup; everything before that entry is intact.",
        )
    session.show(
        verdict,
        [
            f"intact: {verdict.entry_count:,} entries, {verdict.event_count:,} events",
            f"head {verdict.head}",
        ],
    )


def _require(client: "Client", head: str) -> None:
    """Raise `Corrupt` unless the chain still holds the entry with this hash."""
    from mainspring.governance.requests import ListAuditEntries

    token: str | None = None
    while True:
        page = client.call(ListAuditEntries(page_token=token, limit=1000))
        if any(entry.hash == head for entry in page.items):
            return
        token = page.next_token
        if token is None:
            raise Corrupt(
                f"no entry of the chain has the hash {head}",
                code="audit_rewritten",
                hint="The chain is whole but is not the one that this head was printed for.",
            )
