"""Files in several parts, and signed addresses: what is kept, what is refused, what is left."""

import asyncio
import os
import time
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from mainspring.api.mlflow.multipart import answer_when_done
from mainspring.api.mlflow.tickets import SIGNED
from mainspring.api.parts import MAX_PARTS, Uploads
from mainspring.app import App
from mainspring.domain.actor import Role
from mainspring.governance.requests import IssueToken
from mainspring.kernel.errors import Unavailable
from mainspring.server.control import create_app_on
from mainspring.testing.apps import clock_of
from mainspring.testing.web import Browser
from mainspring.tracking.requests import CreateRun

ROOT = "/api/2.0/mlflow-artifacts"
CALLS = "/api/2.0/mlflow/artifacts"


@pytest.fixture
def run(app: App) -> str:
    return app.call(CreateRun(experiment="0")).id


class Upload:
    """One upload as a client drives it."""

    def __init__(self, browser: Browser, run: str, count: int, name: str = "big.bin") -> None:
        self._browser = browser
        self.folder = f"0/{run}/artifacts/models"
        self.name = name
        made = self.call("create", num_parts=count)
        assert made.status_code == 200, made.text
        self.id = made.json()["upload_id"]
        self.urls = [each["url"] for each in made.json()["credentials"]]
        self.etags: dict[int, str] = {}

    def call(self, verb: str, **body: object) -> Any:
        path = f"{ROOT}/mpu/{verb}/{self.folder}"
        return self._browser.post(path, json={"path": self.name, **body})

    def send(self, number: int, content: bytes) -> Any:
        given = self._browser.put(path_of(self.urls[number - 1]), content=content)
        self.etags[number] = given.headers.get("etag", "")
        return given

    def complete(self, **more: object) -> Any:
        parts = [{"part_number": n, "etag": e, "url": "x"} for n, e in sorted(self.etags.items())]
        return self.call("complete", **{"upload_id": self.id, "parts": parts, **more})

    def read(self) -> Any:
        return self._browser.get(f"{ROOT}/artifacts/{self.folder}/big.bin")


def path_of(url: str) -> str:
    return urlsplit(url).path


def left(app: App) -> list[str]:
    return [path.name for path in (app.settings.work_path / "uploads").iterdir()]


def test_parts_in_any_order_become_one_file(app: App, browser: Browser, run: str) -> None:
    upload = Upload(browser, run, 3)
    for number in (3, 1, 2):
        upload.send(number, bytes([number]) * 100_000)

    done = upload.complete()

    assert (done.status_code, done.json()) == (200, {})
    assert upload.read().content == b"\1" * 100_000 + b"\2" * 100_000 + b"\3" * 100_000
    assert left(app) == []


def test_a_file_of_no_bytes_goes_up_in_one_empty_part(browser: Browser, run: str) -> None:
    upload = Upload(browser, run, 1)
    upload.send(1, b"")

    assert upload.complete().status_code == 200
    assert upload.read().content == b""


def test_older_clients_send_the_path_on_their_own_disk(browser: Browser, run: str) -> None:
    for local in ("/home/me/out/big.bin", "C:\\out\\big.bin"):
        upload = Upload(browser, run, 1, local)
        upload.send(1, local.encode())

        assert upload.complete().status_code == 200
        assert upload.read().content == local.encode()


def test_nothing_is_named_before_every_part_is_there(browser: Browser, run: str) -> None:
    upload = Upload(browser, run, 2)
    upload.send(2, b"second")

    lacking = upload.complete()
    upload.etags[1] = '"' + "0" * 64 + '"'
    invented = upload.complete()

    assert (lacking.status_code, invented.status_code) == (409, 409)
    assert "from 1 to 2" in lacking.json()["message"]
    assert "part 1 did not arrive" in invented.json()["message"]
    assert upload.read().status_code == 404


def test_a_part_sent_again_replaces_nothing_that_was_named(browser: Browser, run: str) -> None:
    upload = Upload(browser, run, 1)
    upload.send(1, b"first try")
    first = upload.etags[1]
    upload.send(1, b"second try")
    upload.etags[1] = first

    upload.complete()

    assert upload.read().content == b"first try"


def test_a_part_damaged_on_disk_is_not_taken(app: App, browser: Browser, run: str) -> None:
    upload = Upload(browser, run, 1)
    upload.send(1, b"as it was sent")
    next((app.settings.work_path / "uploads" / upload.id).glob("00001-*")).write_bytes(b"changed")

    done = upload.complete()

    assert (done.status_code, done.json()["error_code"]) == (500, "DATA_LOSS")
    assert upload.read().status_code == 404


def test_an_aborted_upload_leaves_nothing_and_takes_nothing_more(
    app: App, browser: Browser, run: str
) -> None:
    upload = Upload(browser, run, 2)
    upload.send(1, b"x" * 1000)

    assert upload.call("abort", upload_id=upload.id).status_code == 200
    assert left(app) == []
    assert upload.send(2, b"late").status_code == 404
    assert upload.complete().status_code == 404
    assert left(app) == []


def test_an_upload_completes_only_where_it_was_begun(browser: Browser, run: str) -> None:
    upload = Upload(browser, run, 1)
    upload.send(1, b"x")

    for more in ({"path": "other.bin"}, {"upload_id": "../" + upload.id}, {"upload_id": "0" * 32}):
        assert upload.complete(**more).status_code == 404


def test_more_parts_than_are_kept_are_sent_as_one_stream(browser: Browser, run: str) -> None:
    asked = {"path": "huge.bin", "num_parts": MAX_PARTS + 1}
    given = browser.post(f"{ROOT}/mpu/create/0/{run}/artifacts", json=asked)

    # By this status clients know that they should fall back.
    assert given.status_code == 501
    for count in (0, -1, "many"):
        asked = {"path": "a", "num_parts": count}
        path = f"{ROOT}/mpu/create/0/{run}/artifacts"
        assert browser.post(path, json=asked).status_code == 400


def test_an_upload_goes_nowhere_but_below_a_root(app: App, browser: Browser, run: str) -> None:
    for folder, name in [
        (f"0/{run}/artifacts", ".."),
        (f"0/{run}/artifacts", "a%2f..%2f..%2fb"),
        (f"0/{run}/artifacts", "a/"),
        (f"0/{run}/artifacts/%2e%2e/x", "a"),
        ("0/run_unknown/artifacts", "a"),
        ("versions/mv_1/artifacts", "a"),
        ("etc", "passwd"),
    ]:
        given = browser.post(f"{ROOT}/mpu/create/{folder}", json={"path": name, "num_parts": 1})
        assert given.status_code in (400, 404), (folder, name)
    assert not (app.settings.work_path / "uploads").exists()


def test_uploads_that_were_left_are_swept_once_they_are_old(
    app: App, browser: Browser, run: str
) -> None:
    old, new = Upload(browser, run, 2), Upload(browser, run, 2)
    old.send(1, b"x")
    folder = app.settings.work_path / "uploads" / old.id
    os.utime(folder, (time.time() - 100, time.time() - 100))

    assert Uploads(app.settings.work_path).sweep(50) == 1
    assert left(app) == [new.id]


def test_a_viewer_begins_no_upload(app: App, run: str) -> None:
    secret = app.call(IssueToken(name="v", role=Role.VIEWER)).secret
    with Browser(create_app_on(app), Authorization=f"Bearer {secret}") as viewer:
        for path in (f"{ROOT}/mpu/create/0/{run}/artifacts", f"{CALLS}/presigned-upload-url"):
            given = viewer.post(path, json={"path": "x", "num_parts": 1, "run_id": run})
            assert given.json()["error_code"] == "PERMISSION_DENIED"


def a_token(app: App) -> dict[str, str]:
    secret = app.call(IssueToken(name="a", role=Role.AUTHOR)).secret
    return {"Authorization": f"Bearer {secret}"}


def test_a_signed_address_needs_no_token_and_ends(app: App, run: str) -> None:
    login = a_token(app)
    with Browser(create_app_on(app)) as browser:
        begun = browser.post(
            f"{ROOT}/mpu/create/0/{run}/artifacts",
            json={"path": "x", "num_parts": 1},
            headers=login,
        )
        url = path_of(begun.json()["credentials"][0]["url"])
        assert browser.put(url, content=b"x").status_code == 200
        assert browser.get(url).status_code == 403
        clock_of(app).advance(timedelta(hours=13))
        late = browser.put(url, content=b"x")

    assert (late.status_code, late.json()["error_code"]) == (403, "PERMISSION_DENIED")
    assert "expired" in late.json()["message"]


def test_an_address_that_was_not_signed_here_opens_nothing(app: App, run: str) -> None:
    login = a_token(app)
    with Browser(create_app_on(app)) as browser:
        browser.put(f"{ROOT}/artifacts/0/{run}/artifacts/a", content=b"secret", headers=login)
        given = browser.get(f"{ROOT}/presigned/0/{run}/artifacts/a", headers=login).json()
        url = path_of(given["url"])
        said, _, mark = url.rpartition(".")
        forged = [SIGNED, SIGNED + ".", said, said + ".", f"{said}A.{mark}", f"{said}.{mark}0"]
        forged += [
            f"{SIGNED}../artifacts/0/{run}/artifacts/a",
            f"{SIGNED}é.{mark}",
            url[:-1] + ("0" if url[-1] != "0" else "1"),
        ]

        assert browser.get(url).content == b"secret"
        assert all(browser.get(each).status_code in (401, 403, 404) for each in forged)
        assert all(browser.put(each, content=b"").status_code in (401, 403, 404) for each in forged)


def test_a_presigned_file_is_read_in_ranges(browser: Browser, run: str) -> None:
    content = bytes(range(256)) * 100
    browser.put(f"{ROOT}/artifacts/0/{run}/artifacts/a/b.bin", content=content)

    given = browser.get(f"{ROOT}/presigned/0/{run}/artifacts/a/b.bin").json()
    by_run = browser.post(
        f"{CALLS}/presigned-download-url", json={"run_id": run, "path": "a/b.bin"}
    ).json()

    for url in (given["url"], by_run["presigned_url"]):
        part = browser.get(path_of(url), headers={"Range": "bytes=1000-1999"})
        assert (part.status_code, part.content) == (206, content[1000:2000])
        assert "sandbox" in part.headers["content-security-policy"]
    assert given["file_size"] == by_run["file_size"] == len(content)
    assert browser.get(f"{ROOT}/presigned/0/{run}/artifacts/none").status_code == 404


def test_files_of_models_are_presigned_where_they_are_asked_for(browser: Browser, run: str) -> None:
    calls = "/api/2.0/mlflow"
    mlmodel = b"flavors: {python_function: {loader_module: mlflow.sklearn}}"
    made = browser.post(f"{calls}/logged-models", json={"experiment_id": "0"}).json()["model"]
    root = made["info"]["artifact_uri"].removeprefix("mlflow-artifacts:/")
    browser.put(f"{ROOT}/artifacts/{root}/MLmodel", content=mlmodel)
    browser.post(f"{calls}/registered-models/create", json={"name": "demand"})
    source = f"models:/{made['info']['model_id']}"
    browser.post(f"{calls}/model-versions/create", json={"name": "demand", "source": source})

    asked = {"artifact_file_path": "MLmodel", "presigned": "true"}
    of_model = f"{calls}/logged-models/{made['info']['model_id']}/artifacts/files"
    version = {"name": "demand", "version": "1", "path": "MLmodel", "presigned": "true"}
    given = [
        browser.get(of_model, params=asked).json(),
        browser.get("/model-versions/get-artifact", params=version).json(),
    ]

    assert [browser.get(path_of(each["url"])).content for each in given] == [mlmodel] * 2
    assert [each["file_size"] for each in given] == [len(mlmodel)] * 2
    assert browser.get(of_model, params={**asked, "artifact_file_path": "../x"}).status_code == 400


def test_damaged_bytes_get_no_address(app: App, browser: Browser, run: str) -> None:
    digest = app.blobs.put_bytes(b"as they were")
    browser.put(f"{ROOT}/artifacts/0/{run}/artifacts/a", content=b"as they were")
    path = app.blobs.path_of(digest)
    path.chmod(0o644)
    path.write_bytes(b"as they WERE")

    given = browser.get(f"{ROOT}/presigned/0/{run}/artifacts/a")

    assert (given.status_code, given.json()["error_code"]) == (500, "DATA_LOSS")


def test_a_whole_file_goes_up_to_a_signed_address(app: App, run: str) -> None:
    login = a_token(app)
    with Browser(create_app_on(app)) as browser:
        url = browser.post(
            f"{CALLS}/presigned-upload-url", json={"run_id": run, "path": "d/x"}, headers=login
        ).json()["presigned_url"]
        put = browser.put(path_of(url), content=b"hello")
        read = browser.get(f"{ROOT}/artifacts/0/{run}/artifacts/d/x", headers=login)
        wrong = [
            browser.post(f"{CALLS}/presigned-upload-url", json=body, headers=login).status_code
            for body in (
                {"path": "x"},
                {"path": "../x", "run_id": run},
                {"path": "x", "run_id": run, "model_id": "m-1"},
                {"path": "x", "run_id": run, "expiration": 604801},
                {"path": "x", "run_id": run, "expiration": 0},
            )
        ]

    assert (put.status_code, read.content) == (200, b"hello")
    assert wrong == [400] * 5


def test_clients_are_sent_elsewhere_only_if_the_address_is_known(app: App, run: str) -> None:
    known = replace(app, settings=replace(app.settings, public_url="https://ml.example.org/team/"))
    flags = ("multipart_uploads_enabled", "multipart_downloads_enabled")

    with Browser(create_app_on(app)) as browser, Browser(create_app_on(known)) as proxied:
        before = browser.get("/api/3.0/mlflow/server-info").json()
        after = proxied.get("/api/3.0/mlflow/server-info").json()
        url = Upload(proxied, run, 1).urls[0]
        own = Upload(browser, run, 1).urls[0]

    assert [before[flag] for flag in flags] == [False, False]
    assert [after[flag] for flag in flags] == [True, True]
    assert url.startswith("https://ml.example.org/team" + SIGNED)
    assert own.startswith("http://127.0.0.1:5000" + SIGNED)


def test_a_long_wait_is_filled_with_blanks() -> None:
    async def told(seconds: float) -> bytes:
        async def work() -> None:
            await asyncio.sleep(seconds)

        return await body_of(await answer_when_done(work(), 0.02))

    quick, slow = asyncio.run(told(0)), asyncio.run(told(0.2))

    assert quick == b"{}"
    assert slow.startswith(b"  ")
    assert slow.strip() == b"{}"


def test_work_that_fails_late_breaks_its_answer_off() -> None:
    async def told() -> bytes:
        async def work() -> None:
            await asyncio.sleep(0.1)
            raise Unavailable("the disk is full")

        return await body_of(await answer_when_done(work(), 0.02))

    with pytest.raises(Unavailable):
        asyncio.run(told())


async def body_of(response: Any) -> bytes:
    if hasattr(response, "body"):
        return bytes(response.body)
    return b"".join([chunk async for chunk in response.body_iterator])
