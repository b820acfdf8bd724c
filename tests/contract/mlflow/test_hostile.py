"""What a hostile client may send: it is refused at once, and nothing is read, written or given away."""

import http.client
import json
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote, unquote

import pytest

from mainspring.app import App
from mainspring.server.control import create_app_on
from mainspring.testing.web import served

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
SECRET = b"a secret beside the home"


class Client:
    """Sends requests as they are written, and looks through every answer for what must not be in it."""

    def __init__(self, url: str, home: Path) -> None:
        self.port = int(url.rpartition(":")[2])
        self._home = str(home).encode()

    def send(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            sent = {"Host": f"127.0.0.1:{self.port}", **(headers or {})}
            if body is not None:
                sent["Content-Length"] = str(len(body))
            for name, value in sent.items():
                connection.putheader(name, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            told = answer.read()
        finally:
            connection.close()
        for word in (SECRET, self._home, b"Traceback", b"SELECT ", b"sqlite", b"root:x"):
            assert word not in told, (method, path[:100])
        return answer.status, told

    def post(self, path: str, body: object) -> tuple[int, bytes]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.send("POST", API + path, data, {"Content-Type": "application/json"})


@pytest.fixture
def client(app: App) -> Iterator[Client]:
    (app.settings.home.parent / "secret.txt").write_bytes(SECRET)
    with served(create_app_on(app)) as url:
        yield Client(url, app.settings.home)


@pytest.fixture
def run(client: Client) -> str:
    _, told = client.post("/experiments/create", {"name": "demand"})
    experiment = json.loads(told)["experiment_id"]
    _, told = client.post("/runs/create", {"experiment_id": experiment, "start_time": 1})
    return str(json.loads(told)["run"]["info"]["artifact_uri"]).removeprefix("mlflow-artifacts:/")


SPELLINGS = [
    "../../../secret.txt",
    "..%2f..%2f..%2fsecret.txt",
    "%2e%2e/%2e%2e/%2e%2e/secret.txt",
    "..%252f..%252f..%252fsecret.txt",
    "%252e%252e%252fsecret.txt",
    "..\\..\\secret.txt",
    "..%5c..%5csecret.txt",
    "..%255c..%255csecret.txt",
    "/etc/passwd",
    "%2fetc%2fpasswd",
    "a/../../../../../etc/passwd",
    "a//b",
    "a/./b",
    "a%00b",
    "a%0ab",
    "..%c0%af..%c0%afetc%c0%afpasswd",
    "..%ef%bc%8f..%ef%bc%8fsecret.txt",
    "%ef%bc%8e%ef%bc%8e/secret.txt",
    "%ff%fe",
    "%E2%80%AEtxt.exe",
    "a" * 5000,
]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_no_spelling_of_a_path_leaves_its_root(client: Client, run: str, method: str) -> None:
    body = b"x" if method == "PUT" else None
    for spelling in SPELLINGS:
        for path in (f"{run}/{spelling}", spelling):
            status, _ = client.send(method, f"{FILES}/{path}", body)
            assert 400 <= status < 500, (status, path[:120])


def test_no_spelling_of_a_path_gets_an_address(app: App, client: Client, run: str) -> None:
    run_id = run.split("/")[1]
    for spelling in SPELLINGS:
        for method, path, body in (
            ("GET", f"/api/2.0/mlflow-artifacts/presigned/{run}/{spelling}", None),
            ("POST", f"/api/2.0/mlflow-artifacts/mpu/create/{run}/{spelling}", {"path": "x"}),
            ("POST", f"/api/2.0/mlflow-artifacts/mpu/create/{spelling}", {"path": "x"}),
            ("POST", f"{API}/artifacts/presigned-download-url", {"path": unquote(spelling)}),
            ("POST", f"{API}/artifacts/presigned-upload-url", {"path": unquote(spelling)}),
            ("PUT", f"/api/2.0/mlflow-artifacts/signed/{spelling}", {}),
        ):
            data = None if body is None else json.dumps({**body, "run_id": run_id}).encode()
            status, _ = client.send(method, path, data)
            assert 400 <= status < 500, (status, method, path[:120])
    assert not (app.settings.work_path / "uploads").exists()


def test_no_spelling_of_a_path_is_listed_or_read_by_query(client: Client, run: str) -> None:
    run_id = run.split("/")[1]
    for spelling in SPELLINGS:
        for start in (
            f"{FILES}?path=",
            f"{API}/artifacts/list?run_id={run_id}&path=",
            f"/get-artifact?run_id={run_id}&path=",
            "/model-versions/get-artifact?name=demand&version=1&path=",
        ):
            status, told = client.send("GET", start + spelling)
            if status == 200:
                assert json.loads(told).get("files", []) == [], (start, spelling)
            else:
                assert 400 <= status < 500, (status, start, spelling)


@pytest.mark.parametrize(
    "location",
    ["file:///etc", "/etc/passwd", "http://127.0.0.1:22/", "s3://bucket", "..", "runs:/x"],
)
def test_a_location_that_a_client_names_is_never_followed(
    client: Client, run: str, location: str
) -> None:
    status, told = client.post(
        "/experiments/create", {"name": f"at {location}", "artifact_location": location}
    )
    assert status == 200
    made = json.loads(told)["experiment_id"]
    _, told = client.send("GET", f"{API}/experiments/get?experiment_id={made}")
    experiment = json.loads(told)["experiment"]
    assert experiment["artifact_location"] == f"mlflow-artifacts:/{made}"
    assert {"key": "mainspring.artifact_location", "value": location} in experiment["tags"]

    client.post("/registered-models/create", {"name": "demand"})
    status, _ = client.post("/model-versions/create", {"name": "demand", "source": location})
    assert 400 <= status < 500


@pytest.mark.parametrize(
    "body",
    [
        b'{"run_id":' + b"[" * 200_000 + b"]" * 200_000 + b"}",
        b'{"a":' * 200_000 + b"1" + b"}" * 200_000,
        b'{"run_id":"' + b"a" * (1 << 20),
        b"\xff\xfe{}",
        b"[]",
        b"null",
        b'{"run_id": "\\ud800"}',
    ],
    ids=["deep lists", "deep objects", "cut off", "no text", "list", "null", "surrogate"],
)
def test_no_body_brings_the_server_down(client: Client, body: bytes) -> None:
    for path in ("/runs/log-batch", "/runs/search", "/experiments/create", "/logged-models"):
        status, _ = client.post(path, body)
        assert 400 <= status < 500


def test_a_body_that_is_too_large_is_refused_unread(client: Client) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=10)
    connection.putrequest("POST", f"{API}/runs/log-batch")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(64 << 30))
    connection.endheaders(b"{")

    assert connection.getresponse().status == 413
    connection.close()


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip"])
def test_a_bomb_is_refused_unopened(client: Client, encoding: str) -> None:
    bomb = zlib.compress(b"0" * (50 << 20))
    began = time.monotonic()

    status, _ = client.send(
        "POST",
        f"{API}/runs/log-batch",
        bomb,
        {"Content-Type": "application/json", "Content-Encoding": encoding},
    )

    assert 400 <= status < 500
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    "number",
    ["1e999", "99999999999999999999999", "1.5", '"0x10"', "true", "null", "[]", "{}", '""'],
)
def test_odd_numbers_are_taken_or_refused(client: Client, run: str, number: str) -> None:
    run_id = run.split("/")[1]
    for field in ("value", "step", "timestamp"):
        fields = {"value": "1", "step": "1", "timestamp": "1", field: number}
        told = ",".join(f'"{name}":{text}' for name, text in fields.items())
        status, _ = client.post(
            "/runs/log-metric", f'{{"run_id":"{run_id}","key":"k",{told}}}'.encode()
        )
        assert status == 200 or 400 <= status < 500
    for field in ("max_results", "page_token", "filter", "order_by", "run_view_type"):
        status, _ = client.post(
            "/runs/search", f'{{"experiment_ids":["0"],"{field}":{number}}}'.encode()
        )
        assert status == 200 or 400 <= status < 500


@pytest.mark.parametrize(
    "filter_",
    [
        "metrics.a > 1 and " * 3000 + "metrics.b > 1",
        "(" * 10_000,
        "metrics.`" + "a" * 100_000 + "` > 1",
        "params.x LIKE '" + "%a" * 3000 + "'",
        "params.x = 'y'; DROP TABLE runs",
        "tags.x = 'a' OR 1=1 --",
        "attributes.run_id IN (" + ",".join(["'a'"] * 20_000) + ")",
        "params.a RLIKE '(a+)+$'",
        "\0",
    ],
    ids=["long", "deep", "name", "pattern", "statement", "or", "set", "regex", "nul"],
)
def test_no_filter_takes_long_or_gets_through(client: Client, run: str, filter_: str) -> None:
    began = time.monotonic()
    for path in ("/runs/search", "/experiments/search", "/logged-models/search"):
        status, _ = client.post(
            path, {"experiment_ids": ["0"], "filter": filter_, "max_results": 10}
        )
        assert status == 200 or 400 <= status < 500
    for path in ("registered-models/search", "model-versions/search"):
        status, _ = client.send("GET", f"{API}/{path}?filter={quote(filter_[:5000])}")
        assert status == 200 or 400 <= status < 500
    assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    "token", ["x", "eyJvZmZzZXQiOiAxMDB9", "AAAA", "'", "a" * 2000, "\u2603", "{}", "bnVsbA=="]
)
def test_a_forged_page_token_is_refused(client: Client, run: str, token: str) -> None:
    run_id = run.split("/")[1]
    status, _ = client.post("/runs/search", {"experiment_ids": ["0"], "page_token": token})
    assert 400 <= status < 500
    history = f"metrics/get-history?run_id={run_id}&metric_key=k&max_results=1"
    status, _ = client.send("GET", f"{API}/{history}&page_token={quote(token)}")
    assert 400 <= status < 500


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost.evil.example:5000"},
        {"Host": "[::1]evil.example"},
        {"Host": ""},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://evil.example", "Content-Type": "text/plain"},
    ],
    ids=str,
)
def test_a_foreign_host_or_origin_is_refused(client: Client, headers: dict[str, str]) -> None:
    status, _ = client.send(
        "POST",
        f"{API}/experiments/create",
        b'{"name": "theirs"}',
        {"Content-Type": "application/json", **headers},
    )

    assert 400 <= status < 500
    _, told = client.send("GET", f"{API}/experiments/search?max_results=10")
    assert b"theirs" not in told


def test_a_script_among_the_artifacts_runs_in_no_browser(client: Client, run: str) -> None:
    status, _ = client.send("PUT", f"{FILES}/{run}/page.html", b"<script>alert(1)</script>")
    assert status == 200
    run_id = run.split("/")[1]
    for path in (f"{FILES}/{run}/page.html", f"/get-artifact?run_id={run_id}&path=page.html"):
        connection = http.client.HTTPConnection("127.0.0.1", client.port)
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.read() == b"<script>alert(1)</script>"
        assert answer.headers["Content-Type"] == "application/octet-stream"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        connection.close()
