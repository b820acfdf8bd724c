"""The demo as a user starts it: every claim comes true, twice in a row in the same folder."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from mainspring.app import opened_app
from mainspring.cli.main import run_command
from mainspring.config import Settings
from mainspring.governance.requests import VerifyAudit
from mainspring.testing.apps import TESTER

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

DEMO = [sys.executable, "-m", "mainspring.cli.main", "demo", "--exit", "--no-browser"]


def tell_story(home: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*DEMO, "--home", str(home)],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=800,
        check=False,
    )


def test_every_claim_comes_true_and_the_home_is_sound(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "demo"

    told = tell_story(home, tmp_path)

    assert told.returncode == 0, told.stdout[-4000:]
    assert "14 of 14 claims came true" in told.stdout
    assert run_command(["fsck", "--home", str(home)]) == 0
    assert run_command(["status", "--home", str(home)]) == 0
    # Version 2, or a later one if the loops found reason to train again before the end.
    assert re.search(r"champion   demand version [2-9]", capsys.readouterr().out)
    with opened_app(Settings(home=home), actor=TESTER) as app:
        assert app.call(VerifyAudit()).intact


def test_a_folder_that_the_demo_did_not_make_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")

    told = tell_story(tmp_path, tmp_path)

    assert told.returncode == 4
    assert "holds something that the demo did not make" in told.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
