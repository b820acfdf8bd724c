"""Putting down what is to be said, in the transaction in which it happens."""

from mainspring.domain.webhook import Delivery
from mainspring.kernel.codec import encode_text
from mainspring.kernel.errors import NotFound
from mainspring.store.tx import Tx
from mainspring.webhooks import queries, rules
from mainspring.webhooks.declare import webhook_of
from mainspring.webhooks.requests import TryWebhook

Data = dict[str, object]


def notify(tx: Tx, event: str, data: Data) -> None:
    """Have every webhook that listens for an event told of it, once this transaction is committed."""
    hooks = queries.listening(tx, event)
    if hooks:
        _put_down(tx, hooks, event, data, is_test=False)


def try_webhook(tx: Tx, request: TryWebhook) -> Delivery:
    """Have a webhook told of something that did not happen, also one that is not listening for it."""
    webhook = webhook_of(tx, request.id)
    event = webhook.events[0] if request.event is None else request.event
    rules.check_events((event,))
    (id_,) = _put_down(tx, [webhook.id], event, example_of(event), is_test=True)
    return delivery_of(tx, id_)


def delivery_of(tx: Tx, id_: str) -> Delivery:
    """The delivery of that id, for other use cases; raises `NotFound`."""
    found = queries.delivery(tx, id_)
    if found is None:
        raise NotFound(f"there is no delivery {id_[:80]!r}", code="no_such_delivery")
    return found


def example_of(event: str) -> Data:
    """Made-up data of an event, in the shape that MLflow documents.

    >>> example_of("model_version_alias.deleted")
    {'name': 'example_model', 'alias': 'example_alias'}
    """
    entity, _, action = event.partition(".")
    kind = "prompt" if entity.startswith("prompt") else "model"
    data: Data = {"name": f"example_{kind}"}
    if entity.endswith("_tag"):
        data |= {"version": "1"} if "version" in entity else {}
        data |= {"key": "example_key"} | ({"value": "example_value"} if action == "set" else {})
    elif entity.endswith("_alias"):
        data |= {"alias": "example_alias"} | ({"version": "1"} if action == "created" else {})
    else:
        if entity == "model_version":
            data |= {"version": "1", "source": "models:/123", "run_id": "abcd1234abcd5678"}
        elif entity == "prompt_version":
            data |= {"version": "1", "template": "Hello {{name}}!"}
        data |= {"tags": {"example_key": "example_value"}, "description": "An example"}
    return data


def _put_down(tx: Tx, hooks: list[str], event: str, data: Data, *, is_test: bool) -> list[str]:
    entity, _, action = event.partition(".")
    body = encode_text(
        {"entity": entity, "action": action, "timestamp": tx.now.isoformat(), "data": data}
    )
    ids = [tx.new_id("dlv") for _ in hooks]
    queries.add_deliveries(
        tx,
        [
            {"id": id_, "webhook": hook, "event": event, "body": body, "is_test": is_test}
            for id_, hook in zip(ids, hooks, strict=True)
        ],
    )
    return ids
