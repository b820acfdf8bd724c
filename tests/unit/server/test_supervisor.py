"""The supervisor with real processes: restarts, signals, locks, ports."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mainspring.cli.main import run_command
from mainspring.kernel.errors import Conflict
from mainspring.server.children import Backoff, RotatingFile
from mainspring.server.ports import claim_port
from mainspring.server.supervisor import is_up, read_state

MAINSPRING = [sys.executable, "-m", "mainspring.cli.main"]


def wait_until(look: Callable[[], bool], seconds: float = 60.0) -> None:
    ends = time.monotonic() + seconds
    while not look():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.05)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


class Up:
    """A supervisor under test."""

    def __init__(self, home: Path, command: list[str] = MAINSPRING) -> None:
        self.home = home
        self.process = subprocess.Popen(
            [*command, "up", "--home", str(home), "--port", "0", "--serving-port", "0"],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        wait_until(self.is_ready)

    def is_ready(self) -> bool:
        assert self.process.poll() is None
        return bool((read_state(self.home) or {}).get("ready"))

    @property
    def children(self) -> dict[str, int]:
        found = (read_state(self.home) or {})["children"]
        return {name: int(pid) for name, pid in found.items() if pid}

    def end(self) -> str:
        self.process.terminate()
        output, _ = self.process.communicate(timeout=60)
        return output


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    up = Up(tmp_path_factory.mktemp("up") / "home")
    yield up
    if up.process.poll() is None:
        up.end()


@pytest.mark.parametrize("name", ["control", "controller", "predictor"])
def test_a_killed_process_is_started_again(up: Up, name: str) -> None:
    before = up.children[name]

    os.kill(before, signal.SIGKILL)

    wait_until(lambda: up.children.get(name, before) != before)
    assert is_alive(up.children[name])


@pytest.mark.slow
def test_a_process_that_hangs_is_killed_and_started_again_and_the_others_are_left(
    tmp_path: Path,
) -> None:
    impatient = (
        "from mainspring.server import heart, supervisor; from mainspring.cli.main import main; "
        "heart.HUNG_SECONDS = supervisor.HUNG_SECONDS = 12.0; supervisor.LOOK_SECONDS = 1.0; main()"
    )
    up = Up(tmp_path / "home", [sys.executable, "-c", impatient])
    before = up.children
    # Its first beats have arrived by now, or do before it stops.
    time.sleep(2.0)

    os.kill(before["controller"], signal.SIGSTOP)

    wait_until(lambda: up.children.get("controller", before["controller"]) != before["controller"])
    after = up.children
    output = up.end()
    assert f"controller (process {before['controller']}) hangs" in output
    assert output.count("killed by SIGKILL") == 1
    assert {name: after[name] for name in ("control", "predictor")} == {
        name: before[name] for name in ("control", "predictor")
    }


def test_a_second_up_on_the_same_home_is_refused_and_told_who_has_it(
    up: Up, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["up", "--home", str(up.home), "--port", "0"]) == 4

    said = capsys.readouterr().err
    assert f"process {up.process.pid}" in said
    assert is_up(up.home)


@pytest.mark.parametrize("option", ["--port", "--serving-port"])
def test_a_port_in_use_is_said_before_anything_starts(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        other = "--serving-port" if option == "--port" else "--port"

        code = run_command(["up", "--home", str(tmp_path), option, port, other, "0"])

    assert code == 4
    assert f"port {port} on 127.0.0.1 is in use" in capsys.readouterr().err
    assert not is_up(tmp_path)
    assert not (tmp_path / "store.sqlite3").exists()


def test_status_finds_the_running_processes(up: Up, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["status", "--home", str(up.home), "--json"]) == 0

    found = json.loads(capsys.readouterr().out)
    assert found["up"]["pid"] == up.process.pid


def test_sigterm_ends_everything_in_order(up: Up) -> None:
    children = up.children.values()

    output = up.end()

    assert up.process.returncode == 0
    assert output.strip().endswith("stopped")
    assert not any(is_alive(pid) for pid in children)
    assert not is_up(up.home)
    assert read_state(up.home) is None


def test_the_children_die_with_a_supervisor_that_is_killed(tmp_path: Path) -> None:
    up = Up(tmp_path / "home")
    children = list(up.children.values())

    up.process.kill()
    up.process.communicate()

    wait_until(lambda: not any(is_alive(pid) for pid in children), seconds=10)
    assert not is_up(up.home)


def test_a_home_that_can_not_be_opened_is_said_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "store.sqlite3").write_text("a diary, and no database at all" * 100)

    code = run_command(["up", "--home", str(tmp_path), "--port", "0", "--serving-port", "0"])

    assert code == 7
    said = capsys.readouterr().err
    assert "could not start" in said
    assert "not a readable SQLite database" in said
    assert not is_up(tmp_path)


def test_a_log_starts_anew_when_it_is_large(tmp_path: Path) -> None:
    log = RotatingFile(tmp_path / "a.log", limit=10, kept=2)

    for number in range(5):
        log.write(f"line {number}\n".encode())
    log.close()

    assert (tmp_path / "a.log").read_text() == "line 4\n"
    assert (tmp_path / "a.log.1").read_text() == "line 3\n"
    assert (tmp_path / "a.log.2").read_text() == "line 2\n"
    assert not (tmp_path / "a.log.3").exists()


def test_restarts_never_wait_longer_than_half_a_minute() -> None:
    backoff = Backoff()

    assert max(backoff.after(lived_seconds=0) for _ in range(50)) == 30.0


def test_zero_picks_a_free_port_and_a_taken_one_is_refused() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(Conflict, match="in use"):
            claim_port("127.0.0.1", port, "--port")
        assert claim_port("127.0.0.1", 0, "--port") not in (0, port)
