"""Declaring triggers, pausing and deleting them, giving them a secret."""

import secrets

from mainspring.domain.event import TriggerChanged
from mainspring.domain.trigger import Trigger
from mainspring.kernel.codec import digest_of
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.store.tx import Tx
from mainspring.triggers import queries
from mainspring.triggers.collect import look_on
from mainspring.triggers.hooks import waits_for_webhook
from mainspring.triggers.requests import (
    ApplyTrigger,
    DeleteTrigger,
    NewTriggerSecret,
    PauseTrigger,
    ResumeTrigger,
)
from mainspring.triggers.rules import check_spec
from mainspring.triggers.state import trigger_of


def apply_trigger(tx: Tx, request: ApplyTrigger) -> Trigger:
    """Store a declaration; what happened until now is looked at as it was declared before."""
    check_spec(request.spec, request.graph)
    for digest in (request.project, request.environment):
        if not tx.blobs.exists(digest):
            raise NotFound(
                f"there are no bytes {digest}", code="blob_missing", hint="Store them, then apply."
            )
    name = request.spec.name
    before = queries.trigger(tx, name, locked=True)
    digest = digest_of([request.spec, request.graph])
    if before and (before.digest, before.project, before.environment) == (
        digest,
        request.project,
        request.environment,
    ):
        return before
    if before:
        _look_at_the_rest(tx, before)
    since = before.since if before else {}
    queries.save(
        tx,
        Trigger(
            spec=request.spec,
            graph=request.graph,
            digest=digest,
            project=request.project,
            environment=request.environment,
            applied_at=tx.now,
            applied_by=str(tx.actor),
            cursor=queries.last_event(tx),
            looked_at=tx.now,
            since={str(source): since.get(str(source), tx.now) for source in request.spec.on},
            tips={
                text: commit
                for text, commit in (before.tips if before else {}).items()
                if text in {str(source) for source in request.spec.on}
            },
        ),
        is_new=before is None,
    )
    _tell(tx, name, "changed" if before else "declared")
    return trigger_of(tx, name)


def pause_trigger(tx: Tx, request: PauseTrigger) -> Trigger:
    """Pausing a paused trigger changes nothing."""
    return _set_paused(tx, request.name, paused=True)


def resume_trigger(tx: Tx, request: ResumeTrigger) -> Trigger:
    """Resuming a trigger that is not paused changes nothing."""
    return _set_paused(tx, request.name, paused=False)


def delete_trigger(tx: Tx, request: DeleteTrigger) -> None:
    """Raises `NotFound` for an unknown trigger."""
    trigger_of(tx, request.name, locked=True)
    queries.remove(tx, request.name)
    _tell(tx, request.name, "deleted")


def new_trigger_secret(tx: Tx, request: NewTriggerSecret) -> str:
    """Raises `Invalid` for a trigger that waits for no webhook."""
    trigger = trigger_of(tx, request.name, locked=True)
    if not waits_for_webhook(trigger):
        raise Invalid(
            f"the trigger {request.name} waits for no webhook",
            code="no_webhook",
            hint='Write "webhook" among what it is `on`, and apply.',
        )
    secret = secrets.token_urlsafe(32)
    queries.change(tx, request.name, secret=secret)
    _tell(tx, request.name, "given a secret")
    return secret


def _look_at_the_rest(tx: Tx, trigger: Trigger) -> None:
    """Look until nothing is left: a look may pass over as much as it may and find nothing that counts."""
    looked_to = None
    while looked_to != (trigger.cursor, trigger.looked_at):
        looked_to = (trigger.cursor, trigger.looked_at)
        look_on(tx, trigger)
        trigger = trigger_of(tx, trigger.spec.name)


def _set_paused(tx: Tx, name: str, *, paused: bool) -> Trigger:
    trigger = trigger_of(tx, name, locked=True)
    if trigger.paused != paused:
        queries.change(tx, name, paused=paused)
        _tell(tx, name, "paused" if paused else "resumed")
    return trigger_of(tx, name)


def _tell(tx: Tx, name: str, what: str) -> None:
    tx.emit(TriggerChanged(trigger=name, what=what))
