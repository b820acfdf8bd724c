"""The one door, on both databases."""

import pytest
from sqlalchemy import text

from mainspring.app import App
from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.domain.event import TokenIssued
from mainspring.governance.requests import (
    IssueToken,
    ListAuditEntries,
    ListEvents,
    ListTokens,
    RevokeToken,
    VerifyAudit,
)
from mainspring.kernel.errors import Denied, NotFound
from mainspring.testing.apps import TESTER, emitted

VIEWER = Actor(kind=ActorKind.PERSON, name="vera", role=Role.VIEWER)


def test_a_command_its_event_and_its_audit_entry_are_there_together(any_app: App) -> None:
    issued = any_app.call(IssueToken(name="ci", role=Role.AUTHOR))

    (event,) = emitted(any_app, TokenIssued)
    (entry,) = any_app.call(ListAuditEntries()).items
    assert event.payload == {"token": issued.token.id, "name": "ci", "role": "author"}
    assert entry.events == (event.id,)
    assert (entry.actor, entry.operation, entry.outcome) == ("person:tester", "token.issue", "ok")


def test_a_refused_command_changes_nothing_and_is_audited(any_app: App) -> None:
    with pytest.raises(NotFound):
        any_app.call(RevokeToken(id="tok_unknown"))

    (entry,) = any_app.call(ListAuditEntries()).items
    assert (entry.outcome, entry.events) == ("not_found", ())
    assert any_app.call(ListEvents()).items == []


def test_an_actor_without_the_permission_is_denied_and_audited(any_app: App) -> None:
    with pytest.raises(Denied, match=r"vera \(viewer\) may not token\.issue"):
        any_app.acting_as(VIEWER).call(IssueToken(name="x", role=Role.ADMIN))

    (entry,) = any_app.call(ListAuditEntries()).items
    assert (entry.actor, entry.outcome) == ("person:vera", "denied")
    assert any_app.call(ListTokens()) == ()


def test_a_query_leaves_no_audit_entry(any_app: App) -> None:
    any_app.call(ListTokens())

    assert any_app.call(ListAuditEntries()).items == []


def test_audit_pages_go_back_to_the_first_entry(any_app: App) -> None:
    for number in range(5):
        any_app.call(IssueToken(name=f"t{number}", role=Role.VIEWER))

    first = any_app.call(ListAuditEntries(limit=3))
    second = any_app.call(ListAuditEntries(limit=3, page_token=first.next_token))

    assert [entry.seq for entry in [*first.items, *second.items]] == [5, 4, 3, 2, 1]
    assert second.next_token is None


@pytest.mark.parametrize(
    ("tampering", "problem"),
    [
        ("UPDATE audit SET actor = 'person:nobody' WHERE seq = 2", "not what was written"),
        ("UPDATE audit SET outcome = 'denied' WHERE seq = 2", "not what was written"),
        ("DELETE FROM audit WHERE seq = 2", "entry 2 is missing"),
        ("UPDATE audit SET seq = 9 WHERE seq = 2", "entry 2 is missing"),
        ("DELETE FROM events WHERE seq = (SELECT max(seq) FROM events)", "are gone"),
        ("UPDATE events SET id = 'evt_forged' WHERE seq = 1", "in no audit entry"),
    ],
)
def test_tampering_with_the_log_is_found(any_app: App, tampering: str, problem: str) -> None:
    for number in range(3):
        any_app.call(IssueToken(name=f"t{number}", role=Role.VIEWER))
    assert any_app.call(VerifyAudit()).intact

    with any_app.store.write(TESTER, "tamper") as tx:
        tx.execute(text(tampering))

    verdict = any_app.call(VerifyAudit())
    assert not verdict.intact
    assert verdict.problem is not None
    assert problem in verdict.problem


def test_secrets_are_kept_nowhere(any_app: App) -> None:
    issued = any_app.call(IssueToken(name="ci", role=Role.AUTHOR))

    with any_app.store.read(TESTER, "look") as tx:
        for table in ("tokens", "audit", "events"):
            for row in tx.execute(text(f"SELECT * FROM {table}")):
                assert issued.secret not in str(tuple(row))


def test_a_token_acts_in_its_role_until_it_is_revoked(any_app: App) -> None:
    issued = any_app.call(IssueToken(name="ci", role=Role.AUTHOR))

    assert any_app.authenticate(issued.secret) == Actor(
        kind=ActorKind.PERSON, name="ci", role=Role.AUTHOR
    )
    any_app.call(RevokeToken(id=issued.token.id))
    with pytest.raises(Denied, match="unknown, expired or revoked"):
        any_app.authenticate(issued.secret)
