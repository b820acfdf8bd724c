"""Calls that give a trigger a reason to run: by hand, and by webhooks that are signed.

Two ways of signing are read, those of code hosts and of MLflow (and our own webhooks):
`X-Hub-Signature-256: sha256=<hex HMAC of the body>`, and `X-MLflow-Signature: v1,<base64 HMAC of
id.timestamp.body>` with its id and timestamp beside it.
"""

import base64
import hmac
import json
from datetime import timedelta
from typing import Any

from mainspring.domain.event import TriggerCalled
from mainspring.domain.trigger import Cause, CauseKind, Trigger, names_in
from mainspring.kernel.errors import Denied, Invalid
from mainspring.store.tx import Tx
from mainspring.triggers import queries
from mainspring.triggers.events import values_at
from mainspring.triggers.fitting import params_of
from mainspring.triggers.requests import CallTrigger, CheckHook, HookCall, ReceiveHook
from mainspring.triggers.state import trigger_of

SIGNED_BODY = "x-hub-signature-256"
SIGNED_DELIVERY = "x-mlflow-signature"
TIMESTAMP = "x-mlflow-timestamp"
_DELIVERIES = ("x-mlflow-delivery-id", "x-github-delivery", "x-gitea-delivery", "idempotency-key")
HEADERS = (SIGNED_BODY, SIGNED_DELIVERY, TIMESTAMP, *_DELIVERIES)
_AGE = timedelta(minutes=5)
_LONGEST = 200


def call_trigger(tx: Tx, request: CallTrigger) -> Cause:
    """Record that somebody asks; raises `Invalid` if the parameters need values that were not given."""
    trigger = trigger_of(tx, request.name, locked=True)
    values = values_at(tx.now) | request.values
    missing = sorted(names_in(dict(trigger.spec.params)) - set(values))
    if missing:
        raise Invalid(
            f"the trigger {request.name} needs a value for {missing[0]}",
            code="no_such_value",
            hint=f"Give it one, as --value {missing[0]}=... does.",
        )
    params_of(trigger, values)
    key = f"hand:{tx.new_id('cau')}"
    what = f"{tx.actor} asked for it"
    return _record(tx, trigger, CauseKind.HAND, key=key, what=what, values=values)


def check_hook(tx: Tx, request: CheckHook) -> None:
    """Raise `Denied`, in the same words whether there is no such trigger, no secret, or a wrong signature.

    A secret counts while the trigger is declared to wait for a webhook.
    """
    secret = queries.secret_of(tx, request.name)
    is_signed = bool(secret) and _is_signed(tx, secret, request.call)
    if not is_signed or not waits_for_webhook(trigger_of(tx, request.name)):
        raise Denied(
            "the call is not signed with this trigger's secret",
            code="bad_signature",
            hint="`mainspring triggers secret NAME` makes one; docs/pipelines.md says how to sign.",
        )


def receive_hook(tx: Tx, request: ReceiveHook) -> Cause:
    """Record a call; one whose delivery was recorded before is that one again."""
    check_hook(tx, CheckHook(name=request.name, call=request.call))
    trigger = trigger_of(tx, request.name, locked=True)
    delivery = _delivery(tx, request.call)
    values = values_at(tx.now) | {"delivery": delivery} | _fields(request.call.body)
    missing = sorted(names_in(dict(trigger.spec.params)) - set(values))
    if missing:
        raise Invalid(
            f"the call has no {missing[0]}, which the trigger's parameters ask for",
            code="no_such_value",
            hint="Its body is a JSON object that has this field, with text or a number.",
        )
    params_of(trigger, values)
    what = f"webhook called, delivery {delivery}"
    key = f"call:{delivery}"
    return _record(tx, trigger, CauseKind.WEBHOOK, key=key, what=what, values=values)


def waits_for_webhook(trigger: Trigger) -> bool:
    """Whether a webhook is among what a trigger waits for."""
    return any(source.kind is CauseKind.WEBHOOK for source in trigger.spec.on)


def signature_of(secret: str, body: str) -> str:
    """What a sender puts into `X-Hub-Signature-256`.

    >>> signature_of("s", "{}")[:15]
    'sha256=143ca8d5'
    """
    return "sha256=" + hmac.new(secret.encode(), body.encode(), "sha256").hexdigest()


def _record(
    tx: Tx, trigger: Trigger, kind: CauseKind, *, key: str, what: str, values: dict[str, str]
) -> Cause:
    new = Cause(
        id=0,
        trigger=trigger.spec.name,
        kind=kind,
        key=key,
        at=tx.now,
        seen_at=tx.now,
        what=what,
        values=values,
    )
    is_new = queries.add_causes(tx, [new])
    cause = queries.cause_with_key(tx, trigger.spec.name, key)
    if is_new:
        tx.emit(
            TriggerCalled(trigger=trigger.spec.name, kind=kind.value, cause=str(cause.id), why=what)
        )
    return cause


def _is_signed(tx: Tx, secret: str, call: HookCall) -> bool:
    if given := call.headers.get(SIGNED_BODY):
        return hmac.compare_digest(given.encode(), signature_of(secret, call.body).encode())
    timestamp = call.headers.get(TIMESTAMP, "")
    if not timestamp.isdecimal() or len(timestamp) > len("99999999999"):
        return False
    if abs(int(timestamp) - tx.now.timestamp()) > _AGE.total_seconds():
        return False
    signed = f"{call.headers.get(_DELIVERIES[0], '')}.{timestamp}.{call.body}"
    wanted = base64.b64encode(hmac.digest(secret.encode(), signed.encode(), "sha256")).decode()
    given = call.headers.get(SIGNED_DELIVERY, "")
    return hmac.compare_digest(given.encode(), f"v1,{wanted}".encode())


def _delivery(tx: Tx, call: HookCall) -> str:
    """What tells one delivery from another: the id that its sender gave it; without one, every call counts."""
    given = next((call.headers[name] for name in _DELIVERIES if call.headers.get(name)), None)
    return given[:_LONGEST] if given else tx.new_id("del")


def _fields(body: str) -> dict[str, str]:
    """Text, numbers and truths of a JSON object, by their names; nothing of any other body."""
    try:
        read: Any = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(read, dict):
        return {}
    return {
        f"body.{_storable(name)}": _storable(value if isinstance(value, str) else json.dumps(value))
        for name, value in read.items()
        if isinstance(value, str | int | float | bool)
    }


def _storable(text: str) -> str:
    """JSON may spell what no database takes as text: NULs, and halves of characters."""
    return text.encode(errors="replace").decode().replace("\0", "\ufffd")
