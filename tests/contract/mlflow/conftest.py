"""Running a script with a real MLflow client, in its own environment, against a real server of ours."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from mainspring.testing.postgres import PostgresServer

ROOT = Path(__file__).parents[3]
_SERVE = """
import json, sys
from pathlib import Path
from mainspring.config import Settings
from mainspring.server.control import run
run(Settings(home=Path(sys.argv[1]), **{"port": 0, **json.loads(sys.argv[2])}))
"""

Saw = dict[str, Any]
"""What a script printed of what it saw: a line `SAW` and JSON."""


@contextmanager
def _a_server(home: Path, settings: dict[str, Any]) -> Iterator[str]:
    """A control server in a process of its own; gives its address."""
    command = [sys.executable, "-c", _SERVE, str(home), json.dumps(settings)]
    with (home.parent / "server.log").open("wb") as log:
        server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True)
        assert server.stdout is not None
        try:
            found = re.search(r"http://\S+", server.stdout.readline())
            assert found, (home.parent / "server.log").read_text()
            yield found.group()
        finally:
            server.terminate()
            server.wait(timeout=30)
            server.stdout.close()


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def seen_by(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Saw]:
    """Runs a script of this folder with the client of an environment; `settings` are the server's."""

    def run(script: str, environment: str = ".venv-mlflow", **settings: str | int) -> Saw:
        client = ROOT / environment / "bin" / "python"
        if not client.exists():
            pytest.fail(
                f"there is no {environment}: make it with `make setup-mlflow`", pytrace=False
            )
        folder = tmp_path_factory.mktemp("mlflow")
        if request.param == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres")
            settings["database"] = server.new_database()
        with _a_server(folder / "home", settings) as url:
            done = subprocess.run(
                [client, Path(__file__).with_name(script), url],
                capture_output=True,
                text=True,
                timeout=300,
                cwd=folder,
                env=_environment(folder),
                check=False,
            )
        lines = [line for line in done.stdout.splitlines() if line.startswith("SAW ")]
        assert lines, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        saw: Saw = json.loads(lines[0].removeprefix("SAW "))
        return saw

    return run


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        "GIT_PYTHON_REFRESH": "quiet",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",
    }
