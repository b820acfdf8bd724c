"""The command line as a whole: names, help, errors and exit codes."""

import json
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from mainspring.cli.derive import derived_groups
from mainspring.cli.exits import EXIT_CODES
from mainspring.cli.main import HAND_WRITTEN, SECTIONS, root, run_command
from mainspring.kernel.errors import KINDS
from mainspring.operations.table import BY_NAME

NAMES = [name for section in SECTIONS.values() for name in section]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("MAINSPRING_HOME", raising=False)
    monkeypatch.delenv("MAINSPRING_URL", raising=False)
    monkeypatch.chdir(tmp_path)


def every_command() -> Iterator[tuple[list[str], click.Command]]:
    context = click.Context(root)
    for name in NAMES:
        command = root.get_command(context, name)
        assert command is not None, name
        yield [name], command
        if isinstance(command, click.Group):
            for verb in command.list_commands(context):
                inner = command.get_command(context, verb)
                assert inner is not None, verb
                yield [name, verb], inner


def test_every_name_in_the_help_is_a_command_and_every_command_is_in_the_help() -> None:
    assert set(HAND_WRITTEN) | set(derived_groups()) == set(NAMES)


def test_every_operation_with_words_can_be_reached() -> None:
    reached = {" ".join(words) for words, _ in every_command()}

    for group, verbs in derived_groups().items():
        for verb in verbs:
            assert f"{group} {verb}".strip() in reached


def test_every_command_explains_itself_and_takes_the_global_options() -> None:
    for words, command in every_command():
        assert command.help, words
        names = {parameter.name for parameter in command.params}
        assert {"home", "url", "token", "json"} <= names, words


def test_help_is_printed_for_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    for words, _ in every_command():
        assert run_command([*words, "--help"]) == 0
        assert "Usage: mainspring" in capsys.readouterr().out


def test_every_kind_of_error_has_an_exit_code_of_its_own() -> None:
    assert set(EXIT_CODES) == set(KINDS)
    assert len(set(EXIT_CODES.values())) == len(EXIT_CODES)


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["--version"]) == 0

    assert capsys.readouterr().out.startswith("mainspring 0.")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["service", "show", "demand"], 3, "there is no service 'demand'"),
        (["data", "add", "rides", "nowhere.parquet"], 3, "there is no nowhere.parquet"),
        (["data", "show"], 2, "Missing argument 'DATASET'"),
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["data", "list", "--port", "1"], 2, "No such option"),
        (["token", "issue", "jo", "king"], 2, "'king' is not one of"),
        (["run", "list", "--limit", "0"], 2, "limit"),
        (["apply"], 3, "mainspring.toml"),
        (["audit", "verify", "--head", "sha256:00"], 8, "no entry of the chain has the hash"),
        (["up", "--port", "70000"], 2, "A port is a number from 0 to 65535"),
        (["fsck", "--url", "http://127.0.0.1:1"], 2, "--url names a server"),
    ],
)
def test_an_error_is_said_on_stderr_and_in_the_exit_code(
    arguments: list[str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(arguments) == code

    captured = capsys.readouterr()
    assert said in captured.err
    assert captured.out == ""
    assert "Traceback" not in captured.err


def test_an_error_is_json_if_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["service", "show", "demand", "--json"]) == 3

    error = json.loads(capsys.readouterr().err)["error"]
    assert error["kind"] == "not_found"
    assert "demand" in error["message"]


def test_global_options_stand_before_or_after_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = str(tmp_path / "here")

    assert run_command(["--home", home, "--json", "token", "list"]) == 0
    assert run_command(["token", "list", "--home", home, "--json"]) == 0

    assert capsys.readouterr().out == "[]\n[]\n"
    assert [path.name for path in tmp_path.iterdir()] == ["here"]


def test_an_unexpected_error_has_an_id_and_its_traceback_in_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home = tmp_path / "home"
    assert run_command(["token", "list", "--home", str(home)]) == 0

    def broken(*_: object) -> None:
        raise ZeroDivisionError("by us")

    monkeypatch.setitem(BY_NAME["token.list"].__dict__, "use_case", broken)

    assert run_command(["token", "list", "--home", str(home)]) == 70

    said = capsys.readouterr().err
    (log,) = (home / "logs").glob("error-*.log")
    assert str(log) in said
    assert "ZeroDivisionError: by us" in log.read_text()


def test_fields_become_options_with_their_types(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = ["--home", str(tmp_path / "home"), "--json"]

    issue = ["token", "issue", "jo", "viewer", "--expires-at", "2030-01-01T00:00:00Z"]
    assert run_command([*issue, *home]) == 0
    assert run_command(["experiment", "create", "e", "--tags", "team=maps", *home]) == 0
    assert run_command(["incident", "list", "--open-only", *home]) == 0

    token, experiment, incidents = map(json.loads, capsys.readouterr().out.splitlines())
    assert token["token"]["expires_at"] == "2030-01-01T00:00:00Z"
    assert experiment["tags"]["team"] == "maps"
    assert incidents == []
