"""An MLflow made by the real MLflow is taken over; the real client then sees the same on our server."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[3]
MLFLOW = ROOT / ".venv-mlflow" / "bin"
FILL = Path(__file__).with_name("takeover_script.py")
LOOK = Path(__file__).with_name("takeover_look_script.py")
_SERVE = """
import sys
from pathlib import Path
from mainspring.config import Settings
from mainspring.server.control import run
run(Settings(home=Path(sys.argv[1]), database=sys.argv[2], port=0))
"""

pytestmark = [pytest.mark.mlflow, pytest.mark.slow, pytest.mark.timeout(400)]


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_FILE_STORE": "true",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        # A trace is there when its program goes on.
        "MLFLOW_ENABLE_ASYNC_TRACE_LOGGING": "false",
    }


def _mlflow(folder: Path, script: Path, *arguments: str) -> str:
    if not MLFLOW.exists():
        pytest.fail("there is no .venv-mlflow: make it with `make setup-mlflow`", pytrace=False)
    done = subprocess.run(
        [MLFLOW / "python", script, *arguments],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=folder,
        env=_environment(folder),
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def _seen(folder: Path, uri: str) -> dict[str, Any]:
    lines = [line for line in _mlflow(folder, LOOK, uri).splitlines() if line.startswith("SAW ")]
    found: dict[str, Any] = json.loads(lines[0].removeprefix("SAW "))
    return found


def _import(folder: Path, uri: str, *more: str, **environment: str) -> dict[str, Any]:
    done = subprocess.run(
        [*_command(uri), "--json", *more],
        capture_output=True,
        text=True,
        cwd=folder,
        env=_environment(folder) | environment,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _command(uri: str) -> list[str]:
    main = [sys.executable, "-m", "mainspring.cli.main", "import", "mlflow"]
    return [*main, "--tracking-uri", uri, "--home", "home"]


@contextmanager
def _our_server(home: Path, database: str) -> Iterator[str]:
    server = subprocess.Popen(
        [sys.executable, "-c", _SERVE, str(home), database], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        found = re.search(r"http://\S+", server.stdout.readline())
        assert found
        yield found.group()
    finally:
        server.terminate()
        server.wait(timeout=30)
        server.stdout.close()


@contextmanager
def _their_server(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    arguments = ["server", "--backend-store-uri", "sqlite:///served.db", "--port", str(port)]
    arguments += ["--artifacts-destination", str(folder / "served"), "--workers", "1"]
    with (folder / "mlflow.log").open("wb") as log:
        server = subprocess.Popen(
            [MLFLOW / "mlflow", *arguments],
            cwd=folder,
            env=_environment(folder) | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            for _ in range(600):
                try:
                    urllib.request.urlopen(f"{url}/health", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield url
        finally:
            # It starts workers that outlive it.
            os.killpg(server.pid, signal.SIGKILL)
            server.wait(timeout=30)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str, dict[str, Any]]]:
    """A running MLflow server with one of everything: its folder, its address, what its client sees."""
    folder = tmp_path_factory.mktemp("mlflow")
    with _their_server(folder) as url:
        _mlflow(folder, FILL, url)
        yield folder, url, _seen(folder, url)


def _check(folder: Path, before: dict[str, Any], uri: str, *more: str, database: str = "") -> None:
    environment = {"MAINSPRING_DATABASE": database} if database else {}

    first = _import(folder, uri, "--verify", *more, **environment)
    again = _import(folder, uri, *more, **environment)

    assert first["differences"] == []
    traces = 4 if "traces" in first["added"] else 0
    assert first["added"]["runs"] == 9 + (traces > 0)
    assert first["added"].get("traces", 0) == traces
    assert sum(len(each.get("traces", {})) for each in before.values()) == traces
    assert first["added"]["model versions"] == 3
    assert set(again["added"].values()) == {0}
    with _our_server(folder / "home", database) as url:
        after = _seen(folder, url)
    assert after == before


def test_a_running_server_is_taken_over(
    filled: tuple[Path, str, dict[str, Any]], tmp_path: Path
) -> None:
    _folder, url, before = filled

    _check(tmp_path, before, url)


def test_a_database_is_taken_over_into_postgresql(
    filled: tuple[Path, str, dict[str, Any]], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder, _url, before = filled
    database = request.getfixturevalue("postgres").new_database()
    root = ("--artifact-root", str(folder / "served"))

    _check(tmp_path, before, f"sqlite:///{folder}/served.db", *root, database=database)


def test_a_folder_is_taken_over(tmp_path: Path) -> None:
    uri = f"file://{tmp_path}/mlruns"
    _mlflow(tmp_path, FILL, uri)

    _check(tmp_path, _seen(tmp_path, uri), uri)


def test_a_takeover_that_is_killed_goes_on_where_it_was(
    filled: tuple[Path, str, dict[str, Any]], tmp_path: Path
) -> None:
    folder, _url, _before = filled
    uri = f"sqlite:///{folder}/served.db"
    root = ("--artifact-root", str(folder / "served"))
    for seconds in (0.05, 0.2, 0.5):
        taking = subprocess.Popen(
            [*_command(uri), *root],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert taking.stderr is not None
        # From the first words on it writes.
        assert "experiment" in taking.stderr.readline()
        time.sleep(seconds)
        taking.kill()
        taking.wait()
        taking.stderr.close()

    report = _import(tmp_path, uri, "--verify", *root)

    assert report["differences"] == []
    assert report["found"]["runs"] == 10
