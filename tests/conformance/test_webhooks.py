"""Webhooks on both databases, sent over real sockets to a receiver of our own."""

import base64
import hashlib
import hmac
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from mainspring.app import App
from mainspring.blobs.trees import put_manifest
from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.domain.webhook import DeliveryState, SignedDelivery, Webhook, WebhookStatus
from mainspring.governance.requests import ListAuditEntries, ListEvents
from mainspring.kernel.codec import encode_text
from mainspring.kernel.digests import digest_bytes
from mainspring.kernel.errors import Denied, Invalid, NotFound
from mainspring.reconcile.deliveries import Deliveries
from mainspring.registry.requests import (
    CreateModel,
    DeleteAlias,
    RegisterModelVersion,
    SetAlias,
    UpdateModelVersion,
)
from mainspring.testing.apps import clock_of
from mainspring.webhooks import rules, sending
from mainspring.webhooks.requests import (
    ClaimDeliveries,
    CreateWebhook,
    DeleteWebhook,
    GetDelivery,
    GetWebhook,
    ListDeliveries,
    ListWebhooks,
    NextDelivery,
    RecordDelivery,
    TryWebhook,
    UpdateWebhook,
)

HERE = "127.0.0.0/8"
SECRET = "kept between the two of us"
ALL = tuple(sorted(rules.EVENTS))


@dataclass
class Receiver:
    """What arrived, and with what statuses to answer; the last one stays."""

    url: str = ""
    statuses: list[int] = field(default_factory=lambda: [200])
    answer: bytes = b"thanks"
    trickles: bool = False
    got: list[tuple[str, dict[str, str], str]] = field(default_factory=list)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    state = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            state.got.append((self.path, dict(self.headers), body))
            status = state.statuses.pop(0) if len(state.statuses) > 1 else state.statuses[0]
            self.send_response(status)
            self.send_header("Location", "/elsewhere")
            self.end_headers()
            try:
                for byte in state.answer:
                    self.wfile.write(bytes([byte]) if state.trickles else state.answer)
                    if not state.trickles:
                        break
                    time.sleep(0.1)
            except OSError:
                # The sender had enough.
                return

        def log_message(self, *args: object) -> None:
            """Tests print nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    state.url = f"http://127.0.0.1:{server.server_port}/hook"
    yield state
    server.shutdown()
    server.server_close()
    thread.join()


def a_webhook(app: App, url: str, **given: Any) -> Webhook:
    values = {"name": "ci", "url": url, "events": ALL, "secret": SECRET} | given
    return app.call(CreateWebhook(**values))


def register(app: App, content: bytes = b"model", **given: Any) -> None:
    entry = ManifestEntry(path="MLmodel", digest=app.blobs.put_bytes(content), size_bytes=5)
    manifest = put_manifest(app.blobs, Manifest(entries=(entry,)))
    app.call(RegisterModelVersion(model="demand", manifest=manifest, **given))


def deliver(app: App, networks: str = HERE) -> bool:
    """One look of the controller's loop."""
    return Deliveries(app.call, networks).tick((), clock_of(app).now())


def test_what_happens_in_the_registry_is_told_signed_in_mlflows_words(
    any_app: App, receiver: Receiver
) -> None:
    a_webhook(any_app, receiver.url)
    register(any_app, description="first", tags={"team": "rides"})
    any_app.call(SetAlias(model="demand", alias="best", number=1))
    any_app.call(DeleteAlias(model="demand", alias="best"))
    any_app.call(UpdateModelVersion(model="demand", number=1, tags={"k": "v"}))
    any_app.call(UpdateModelVersion(model="demand", number=1, removed_tags=("k", "not there")))
    while deliver(any_app):
        pass

    said = {}
    for path, headers, body in receiver.got:
        content = json.loads(body)
        signed = f"{headers['X-MLflow-Delivery-Id']}.{headers['X-MLflow-Timestamp']}.{body}"
        mac = hmac.new(SECRET.encode(), signed.encode(), hashlib.sha256).digest()
        assert headers["X-MLflow-Signature"] == f"v1,{base64.b64encode(mac).decode()}"
        assert (path, sorted(content)) == ("/hook", ["action", "data", "entity", "timestamp"])
        said[f"{content['entity']}.{content['action']}"] = content["data"]
    assert said == {
        "registered_model.created": {"name": "demand", "tags": {}, "description": ""},
        "model_version.created": {
            "name": "demand",
            "version": "1",
            "source": "",
            "run_id": None,
            "tags": {"team": "rides"},
            "description": "first",
        },
        "model_version_alias.created": {"name": "demand", "alias": "best", "version": "1"},
        "model_version_alias.deleted": {"name": "demand", "alias": "best"},
        "model_version_tag.set": {"name": "demand", "version": "1", "key": "k", "value": "v"},
        "model_version_tag.deleted": {"name": "demand", "version": "1", "key": "k"},
    }
    assert len(receiver.got) == len(said)


def test_prompts_are_told_of_as_prompts(any_app: App, receiver: Receiver) -> None:
    a_webhook(any_app, receiver.url)
    tags = {"mlflow.prompt.is_prompt": "true", "mlflow.prompt.text": "Hello {{name}}"}
    register(any_app, tags=tags)
    deliver(any_app)

    told = [json.loads(body) for _, _, body in receiver.got]
    assert sorted(each["entity"] for each in told) == ["prompt", "prompt_version"]
    version = next(each["data"] for each in told if each["entity"] == "prompt_version")
    assert version["template"] == "Hello {{name}}"


def test_only_those_who_listen_are_told(any_app: App, receiver: Receiver) -> None:
    a_webhook(any_app, f"{receiver.url}/aliases", events=("model_version_alias.created",))
    a_webhook(any_app, f"{receiver.url}/off", status=WebhookStatus.DISABLED)
    a_webhook(any_app, f"{receiver.url}/models", events=("registered_model.created",), secret="")
    any_app.call(CreateModel(model="demand"))
    deliver(any_app)

    assert [path for path, _, _ in receiver.got] == ["/hook/models"]
    assert "X-MLflow-Signature" not in receiver.got[0][1]


def test_a_change_that_is_refused_is_told_to_nobody(any_app: App, receiver: Receiver) -> None:
    hook = a_webhook(any_app, receiver.url)
    with pytest.raises(NotFound):
        any_app.call(RegisterModelVersion(model="demand", manifest=digest_bytes(b"no such")))

    assert not deliver(any_app)
    assert any_app.call(ListDeliveries(webhook=hook.id)) == ()


def test_what_fails_is_tried_again_later_with_the_same_id(any_app: App, receiver: Receiver) -> None:
    receiver.statuses = [503, 429, 201]
    hook = a_webhook(any_app, receiver.url)
    any_app.call(CreateModel(model="demand"))
    waits = []
    while (due := any_app.call(NextDelivery())) is not None:
        waits.append((due - clock_of(any_app).now()).total_seconds())
        clock_of(any_app).advance(due - clock_of(any_app).now())
        assert deliver(any_app)

    (delivery,) = any_app.call(ListDeliveries(webhook=hook.id))
    assert waits == [0, 5, 10]
    assert (delivery.state, delivery.attempts) == (DeliveryState.DELIVERED, 3)
    assert (delivery.response_status, delivery.response) == (201, "thanks")
    assert {headers["X-MLflow-Delivery-Id"] for _, headers, _ in receiver.got} == {delivery.id}


def test_what_nobody_hears_is_given_up_after_hours(any_app: App) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    hook = a_webhook(any_app, f"http://127.0.0.1:{port}/")
    any_app.call(CreateModel(model="demand"))
    began = clock_of(any_app).now()
    while (due := any_app.call(NextDelivery())) is not None:
        clock_of(any_app).advance(due - clock_of(any_app).now())
        deliver(any_app)

    (delivery,) = any_app.call(ListDeliveries(webhook=hook.id, state=DeliveryState.FAILED))
    assert delivery.attempts == rules.MAX_ATTEMPTS
    assert "Connection refused" in delivery.error
    assert clock_of(any_app).now() - began > timedelta(hours=2)


def test_a_sender_that_dies_in_the_middle_has_it_sent_again(
    any_app: App, receiver: Receiver
) -> None:
    a_webhook(any_app, receiver.url)
    any_app.call(CreateModel(model="demand"))
    (lost,) = any_app.call(ClaimDeliveries())

    assert not deliver(any_app)
    clock_of(any_app).advance(timedelta(seconds=61))
    assert deliver(any_app)
    late = any_app.call(RecordDelivery(id=lost.id, attempt=lost.attempt, status=400))
    assert [headers["X-MLflow-Delivery-Id"] for _, headers, _ in receiver.got] == [lost.id]
    assert late.state is DeliveryState.DELIVERED


def test_two_who_take_at_once_never_get_the_same_attempt(any_app: App) -> None:
    for number in range(3):
        a_webhook(any_app, "https://example.com/", name=f"h{number}")
    any_app.call(CreateModel(model="demand"))
    with ThreadPoolExecutor(6) as pool:
        taken = list(pool.map(lambda _: any_app.call(ClaimDeliveries()), range(6)))

    ids = [each.id for some in taken for each in some]
    assert len(ids) == len(set(ids)) == 3


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/",
        "http://localhost:{port}/",
        "http://2130706433:{port}/",
        "http://0x7f.1:{port}/",
        "http://[::ffff:127.0.0.1]:{port}/",
        "https://169.254.169.254/latest/meta-data",
        "https://10.0.0.1/",
        "https://[::1]:{port}/",
        "https://0.0.0.0:{port}/",
    ],
)
def test_nothing_is_sent_where_only_this_machine_can_reach(receiver: Receiver, url: str) -> None:
    port = receiver.url.split(":")[2].split("/")[0]
    sent = SignedDelivery(id="dlv_1", attempt=1, url=url.format(port=port), headers={}, body="{}")  # type: ignore[arg-type]
    outcome = sending.send(sent, ())

    assert receiver.got == []
    assert outcome.is_final
    assert "not a public address" in outcome.error


def test_what_is_refused_by_ourselves_is_not_tried_again(any_app: App, receiver: Receiver) -> None:
    hook = a_webhook(any_app, receiver.url)
    any_app.call(CreateModel(model="demand"))
    deliver(any_app, networks="10.0.0.0/8")

    (delivery,) = any_app.call(ListDeliveries(webhook=hook.id))
    assert (delivery.state, delivery.attempts) == (DeliveryState.FAILED, 1)
    assert "not a public address" in delivery.error


def test_the_name_is_asked_once_and_the_judged_address_is_called(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, asked = socket.getaddrinfo, []

    def rebinding(host: str, *rest: Any, **named: Any) -> Any:
        asked.append(host)
        # The second answer for the name would lead elsewhere.
        return real("127.0.0.1" if asked.count(host) == 1 else "192.0.2.1", *rest, **named)

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    url = receiver.url.replace("127.0.0.1", "rebind.test")
    sent = SignedDelivery(id="dlv_1", attempt=1, url=url, headers={}, body="{}")  # type: ignore[arg-type]
    outcome = sending.send(sent, rules.networks_of(HERE))

    assert outcome.status == 200
    assert asked.count("rebind.test") == 1
    assert receiver.got[0][1]["Host"].startswith("rebind.test:")


def test_redirects_are_not_followed(any_app: App, receiver: Receiver) -> None:
    receiver.statuses = [302]
    hook = a_webhook(any_app, receiver.url)
    any_app.call(CreateModel(model="demand"))
    deliver(any_app)

    (delivery,) = any_app.call(ListDeliveries(webhook=hook.id))
    assert [path for path, _, _ in receiver.got] == ["/hook"]
    assert (delivery.state, delivery.response_status) == (DeliveryState.FAILED, 302)


def test_a_long_answer_is_cut_and_one_that_never_ends_is_not_waited_for(
    any_app: App, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ANSWER_SECONDS", 0.5)
    hook = a_webhook(any_app, receiver.url)
    receiver.answer = b"x" * 5_000_000
    any_app.call(TryWebhook(id=hook.id))
    deliver(any_app)
    clock_of(any_app).advance(timedelta(seconds=1))
    receiver.answer, receiver.trickles = b"y" * 100, True
    any_app.call(TryWebhook(id=hook.id))
    began = time.monotonic()
    deliver(any_app)
    took = time.monotonic() - began

    slow, long = any_app.call(ListDeliveries(webhook=hook.id))
    assert took < 5
    assert len(long.response) == sending.LONGEST_ANSWER
    assert slow.response_status == 200
    assert len(slow.response) < 100


def test_a_secret_is_told_to_nobody(any_app: App, receiver: Receiver) -> None:
    hook = a_webhook(any_app, receiver.url)
    any_app.call(UpdateWebhook(id=hook.id, secret=SECRET, description="changed"))
    any_app.call(TryWebhook(id=hook.id))

    shown = [
        any_app.call(GetWebhook(id=hook.id)),
        any_app.call(ListWebhooks()),
        any_app.call(ListDeliveries(webhook=hook.id)),
        any_app.call(ClaimDeliveries()),
        any_app.call(ListAuditEntries()),
        any_app.call(ListEvents()),
    ]
    assert any_app.call(GetWebhook(id=hook.id)).has_secret
    assert SECRET not in encode_text(shown)


def test_only_administrators_see_and_make_webhooks(any_app: App) -> None:
    operator = any_app.acting_as(Actor(kind=ActorKind.PERSON, name="olga", role=Role.OPERATOR))

    with pytest.raises(Denied):
        operator.call(ListWebhooks())
    with pytest.raises(Denied):
        a_webhook(operator, "https://example.com/")


def test_a_test_is_tried_once_and_a_deleted_webhook_is_gone(
    any_app: App, receiver: Receiver
) -> None:
    receiver.statuses = [500]
    hook = a_webhook(any_app, receiver.url)
    tried = any_app.call(TryWebhook(id=hook.id, event="prompt_tag.set"))
    deliver(any_app)
    after = any_app.call(GetDelivery(id=tried.id))
    any_app.call(CreateModel(model="demand"))
    any_app.call(DeleteWebhook(id=hook.id))

    assert (after.state, after.attempts, after.is_test) == (DeliveryState.FAILED, 1, True)
    assert not deliver(any_app)
    with pytest.raises(NotFound, match="not found"):
        any_app.call(GetWebhook(id=hook.id))
    with pytest.raises(NotFound):
        any_app.call(GetDelivery(id=tried.id))


def test_webhooks_come_in_pages(any_app: App) -> None:
    made = [a_webhook(any_app, "https://example.com/", name=f"h{n}").id for n in range(3)]

    first = any_app.call(ListWebhooks(limit=2))
    second = any_app.call(ListWebhooks(limit=2, page_token=first.next_token))
    assert [hook.id for hook in (*first.items, *second.items)] == sorted(made)
    assert second.next_token is None


def test_what_can_be_no_webhook_is_refused(any_app: App) -> None:
    for wrong in (
        {"url": "ftp://example.com/"},
        {"url": "https://"},
        {"url": "https://user:word@example.com/"},
        {"url": "https://example.com/a b"},
        {"url": "https://example.com/\r\nHost: x"},
        {"url": "https://example.com:99999/"},
        {"name": "-no"},
        {"name": "x" * 64},
        {"events": ()},
        {"events": ("model.exploded",)},
    ):
        with pytest.raises(Invalid):
            a_webhook(any_app, **{"url": "https://example.com/"} | wrong)
