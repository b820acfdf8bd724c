"""What is printed holds no orders for the terminal, whatever files are called."""

import os
from pathlib import Path

import pytest

from mainspring.cli.main import run_command
from mainspring.cli.plain import plain


def test_control_characters_and_what_is_no_text_are_written_out() -> None:
    assert plain("a\x1b]0;x\x07\x7f\x9b\r\udcff") == "a\\x1b]0;x\\x07\\x7f\\x9b\\r\\udcff"


def test_text_stays_as_it_is() -> None:
    assert plain("line\n\tжук 🦀 é") == "line\n\tжук 🦀 é"


@pytest.mark.parametrize("flags", [[], ["--json"]])
def test_a_file_can_not_give_orders_to_the_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str]
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (folder / "a\x1b[2Jb").write_text("1")
    home = ["--home", str(tmp_path / "home"), *flags]
    run_command([*home, "data", "add", "rides", str(folder)])
    (folder / "a\x1b[2Jb").write_text("22")

    assert run_command([*home, "data", "status", str(folder)]) == 1
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\x1b[2J")
    assert run_command([*home, "data", "add", "rides", name]) == 3

    said = capsys.readouterr()
    assert "1b[2J" in said.out and "1b[2J" in said.err
    assert "\x1b" not in said.out + said.err
