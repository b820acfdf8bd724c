"""One suite for both clients: a home opened in this process, and a server of it."""

import hashlib
import math
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from mainspring.api.address import local_secrets
from mainspring.app import App
from mainspring.blobs.taking import Stamp
from mainspring.datasets.checkout import checkout
from mainspring.datasets.requests import AddRemote
from mainspring.domain.actor import Role
from mainspring.domain.run import Metric
from mainspring.governance.requests import (
    IssueToken,
    ListAuditEntries,
    ListEvents,
    ListTokens,
    VerifyAudit,
)
from mainspring.kernel.digests import Digest, digest_bytes
from mainspring.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from mainspring.quality.intake import add_data
from mainspring.sdk.client import Client
from mainspring.sdk.embedded import connect
from mainspring.sdk.remote import RemoteClient
from mainspring.server.control import create_app_on
from mainspring.testing.web import served
from mainspring.tracking.requests import CreateExperiment, CreateRun, GetRun, LogBatch


@pytest.fixture(params=["embedded", "remote"])
def client(request: pytest.FixtureRequest, any_app: App) -> Iterator[Client]:
    if request.param == "embedded":
        settings = any_app.settings
        with connect(settings.home, database=settings.database or None) as embedded:
            yield embedded
    else:
        # As the home's owner, whom the server lets in also once there are tokens.
        secret = local_secrets(any_app.settings.home).user
        with served(create_app_on(any_app)) as url, RemoteClient(url, secret) as remote:
            yield remote


def test_an_answer_is_the_same_value(client: Client) -> None:
    issued = client.call(IssueToken(name="a", role=Role.VIEWER))
    (entry,) = client.call(ListAuditEntries()).items

    assert issued.token.role is Role.VIEWER
    assert issued.token.created_at.tzinfo is not None
    assert entry.operation == "token.issue"


def test_an_operation_can_be_called_by_its_name(client: Client) -> None:
    page = client.call_name("event.list", limit=5)

    assert page == client.call(ListEvents(limit=5))


def test_a_name_that_there_is_not_suggests_one(client: Client) -> None:
    with pytest.raises(NotFound, match="evnt") as caught:
        client.call_name("evnt.list")

    assert caught.value.hint == "Did you mean 'event.list'?"


def test_an_error_arrives_as_it_was_raised(client: Client) -> None:
    with pytest.raises(NotFound, match="a/b c") as caught:
        client.call_name("service.get", name="a/b c")

    assert caught.value.hint
    assert caught.value.code == "not_found"


def test_a_wrong_field_is_invalid_before_anything_is_sent(client: Client) -> None:
    with pytest.raises(Invalid, match="role"):
        client.call_name("token.issue", name="a", role="boss")


def test_a_number_that_is_none_survives_the_way(client: Client) -> None:
    experiment = client.call(CreateExperiment(name="nan"))
    run = client.call(CreateRun(experiment=experiment.id))
    points = (Metric(key="loss", value=math.nan), Metric(key="best", value=math.inf))
    client.call(LogBatch(run=run.id, metrics=points))

    found = {metric.key: metric.value for metric in client.call(GetRun(run=run.id)).metrics}

    assert math.isnan(found["loss"])
    assert found["best"] == math.inf


def test_bytes_go_up_and_come_down(client: Client, tmp_path: Path) -> None:
    data = b"spam" * 700_000
    (tmp_path / "file").write_bytes(data)
    digest = digest_bytes(data)

    assert not client.blobs.exists(digest)
    assert client.blobs.put_file(tmp_path / "file") == digest
    assert client.blobs.put(BytesIO(data)) == digest
    assert client.blobs.put_bytes(data) == digest
    assert client.blobs.exists(digest)
    assert client.blobs.size_bytes(digest) == len(data)
    assert client.blobs.read(digest) == data
    with client.blobs.open(digest) as stream:
        assert hashlib.sha256(stream.read()).hexdigest() == digest.removeprefix("sha256:")
    client.blobs.verify(digest)


def test_nothing_is_bytes_too(client: Client) -> None:
    digest = client.blobs.put_bytes(b"")

    assert (client.blobs.size_bytes(digest), client.blobs.read(digest)) == (0, b"")


def test_a_folder_goes_in_and_comes_out_as_it_was(client: Client, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for number in range(100):
        path = folder / f"{number % 3}" / f"{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"%d" % (number // 2))
    (folder / "large").write_bytes(bytes(range(256)) * 40_000)
    (folder / "empty").mkdir()

    version = add_data(client.call, client.blobs, "rides", folder).version
    checkout(client.blobs, version, tmp_path / "out")

    names = sorted(path.relative_to(folder) for path in folder.rglob("*"))
    assert (
        sorted(path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*"))
        == names
    )
    for name in names:
        if (folder / name).is_file():
            assert (tmp_path / "out" / name).read_bytes() == (folder / name).read_bytes()
    again = client.add_data("rides", folder)
    assert (again.version, again.is_new) == (version, False)
    assert not client.checkout("rides", tmp_path / "out")


def test_what_is_pushed_by_one_is_pulled_by_another(tmp_path: Path) -> None:
    with connect(tmp_path / "one") as one, connect(tmp_path / "two") as two:
        one.add_data("rides", pl.DataFrame({"a": [1]}))
        for each in (one, two):
            with pytest.raises(NotFound, match="there is no remote"):
                each.push()
            each.call(AddRemote(name="shared", url=f"file://{tmp_path / 'remote'}"))

        assert one.push().numbers == two.pull("rides").numbers == {"rides": (1,)}
        assert two.dataset("rides").read().equals(pl.DataFrame({"a": [1]}))
        with pytest.raises(NotFound, match="there is no remote 'other'"):
            one.push(remote="other")


def test_bytes_that_there_are_not_are_not_found(client: Client) -> None:
    missing = Digest("sha256:" + "0" * 64)

    for ask in (client.blobs.read, client.blobs.size_bytes, client.blobs.open):
        with pytest.raises(NotFound):
            ask(missing)


def test_many_at_once_all_get_their_own_answer(client: Client) -> None:
    answers: dict[int, str] = {}
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for _ in range(3):
                issued = client.call(IssueToken(name=f"t{number}", role=Role.ADMIN))
                answers[number] = issued.token.name
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert answers == {number: f"t{number}" for number in range(12)}
    assert len(client.call(ListTokens())) == 36
    assert client.call(VerifyAudit()).intact


def test_a_server_that_is_not_there_is_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mainspring.sdk.remote._DELAYS_SECONDS", (0.01,))
    with RemoteClient("http://127.0.0.1:9") as client, pytest.raises(Unavailable) as caught:
        client.call(ListEvents())

    assert caught.value.code == "server_unreachable"
    assert caught.value.hint


@pytest.mark.parametrize("url", ["", "127.0.0.1:5000", "ftp://a", "http://"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(Invalid, match="not the address"):
        RemoteClient(url)


def test_a_file_that_changes_while_it_is_sent_is_a_conflict(app: App, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a" * 100)
    with served(create_app_on(app)) as url, RemoteClient(url) as client:
        send = client.blobs._send  # type: ignore[attr-defined]  # to change the file in between

        def changing(path: str, digest: Digest, stamp: Stamp) -> None:
            Path(path).write_bytes(b"b" * 101)
            send(path, digest, stamp)

        client.blobs._send = changing  # type: ignore[attr-defined]
        with pytest.raises(Conflict, match="changed while"):
            client.blobs.put_file(path)
