"""`mainspring backfill` as somebody types it."""

import sys
from pathlib import Path

import pytest

from mainspring.cli.main import main

FLOW = """
import mainspring as ms

@ms.step
def work(day: str) -> str:
    return day

@ms.pipeline(daily="day")
def flow(day: str):
    return work(day)
"""


def test_a_backfill_is_previewed_started_shown_and_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "flow.py").write_text(FLOW)
    monkeypatch.chdir(tmp_path)

    def typed(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["mainspring", "--home", str(tmp_path / "home"), *words])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 0
        return capsys.readouterr().out

    span = ("--from", "2026-01-01", "--to", "2026-01-31")
    previewed = typed("backfill", "flow:flow", *span, "--dry-run")
    started = typed("backfill", "flow:flow", *span)
    id_ = started.split()[1].rstrip(":")

    assert "2026-01-01: would run\n" in previewed
    assert "... and 11 more\n31 would run, 0 would be skipped" in previewed
    assert "31 to run, 0 skipped" in started
    assert "waiting=31" in typed("backfill", "show", id_)
    assert "2026-01-01" in typed("backfill", "parts", id_)
    assert "cancelled=31" in typed("backfill", "cancel", id_)
    assert id_ in typed("backfill", "list")
