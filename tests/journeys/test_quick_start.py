"""The README's quick start, typed as it stands there, on a table of one's own."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

ROOT = Path(__file__).parents[2]
HOURS = ROOT / "examples" / "bikes" / "hour.parquet"


def commands_of_the_readme() -> tuple[list[str], list[str]]:
    """The lines that set a service up, and those that are typed in another terminal."""
    section = (ROOT / "README.md").read_text().split("## With your own data")[1]
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    first, second = (
        [line.split("  #")[0].strip() for line in block.splitlines()] for block in blocks[:2]
    )
    return first, second


def run(command: str, folder: Path, code: int = 0) -> str:
    words = shlex.split(command)
    program = Path(sys.executable).with_name(words[0])
    done = subprocess.run(
        [program, *words[1:]], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, f"{command}: {done.stdout}{done.stderr}"
    return done.stdout + (done.stderr if code else "")


def wait_until(is_so: Callable[[], bool], what: str, seconds: float = 90) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, f"it did not come to pass that {what}"
        time.sleep(0.5)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_the_quick_start_works_as_it_is_written(tmp_path: Path) -> None:
    setting_up, looking = commands_of_the_readme()
    columns = [
        "dteday",
        "hr",
        "holiday",
        "workingday",
        "weathersit",
        "temp",
        "hum",
        "windspeed",
        "cnt",
    ]
    pl.read_parquet(HOURS).select(columns).head(4000).write_csv(tmp_path / "rides.csv")
    shop = tmp_path / "shop"

    assert setting_up[0].startswith("pip install")
    assert setting_up[-1] == "mainspring up"
    run(setting_up[1], tmp_path)
    assert setting_up[2] == "cd shop"
    for command in setting_up[3:-1]:
        run(command, shop)

    up = subprocess.Popen(
        [Path(sys.executable).with_name("mainspring"), "up", "--port", "0", "--serving-port", "0"],
        cwd=shop,
        stdout=subprocess.DEVNULL,
    )
    try:
        wait_until(lambda: "1 versions ready" in run("mainspring status", shop), "a model answers")
        status, predict, trace, logs, rollback, verify = looking
        assert "cnt" in run(status, shop)
        answer = json.loads(run(predict + " --json", shop))
        prediction = answer["parameters"]["prediction_id"][0]
        traced = run(trace.replace("PREDICTION_ID", prediction), shop)
        assert "from rides version 1" in traced
        assert run(logs, shop) == "" or "train" in run(logs, shop)
        # The first model is still in its first rollout, with no champion to go back to, as the README says.
        assert "nothing would answer for it" in run(rollback, shop, code=4)
        assert "intact" in run(verify, shop)
    finally:
        up.send_signal(signal.SIGTERM)
        assert up.wait(timeout=60) == 0


def test_the_readme_names_targets_that_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`?make ([a-z-]+)", (ROOT / "README.md").read_text()))

    assert named <= targets
