"""`mainspring model`: keys are made, versions signed and verified from a terminal."""

import json
import os
from pathlib import Path

import pytest

from mainspring.app import App, open_app
from mainspring.blobs.trees import put_manifest
from mainspring.cli.main import run_command
from mainspring.config import Settings
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.registry.requests import RegisterModelVersion
from mainspring.testing.apps import TESTER


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home with version 1 of the model `demand`, in the working folder."""
    monkeypatch.chdir(tmp_path)
    app = open_app(Settings(home=tmp_path / ".mainspring"), actor=TESTER)
    a_version(app, b"weights")
    app.close()
    return tmp_path / ".mainspring"


def a_version(app: App, content: bytes) -> None:
    entry = ManifestEntry(
        path="model.bin", digest=app.blobs.put_bytes(content), size_bytes=len(content)
    )
    manifest = put_manifest(app.blobs, Manifest(entries=(entry,)))
    app.call(RegisterModelVersion(model="demand", manifest=manifest))


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    code = run_command(["model", *words])
    said = capsys.readouterr()
    return code, said.out + said.err


def test_a_version_is_signed_and_verified(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    made, _ = run(capsys, "keygen", "release")
    signed = run(capsys, "sign", "demand", "1", "--key", "release.key")
    untrusted = run(capsys, "verify", "demand", "1")
    by_hand = run(capsys, "verify", "demand", "1", "--key", "release.pub")
    (home / "trusted-keys").mkdir()
    os.replace("release.pub", home / "trusted-keys" / "release.pub")
    trusted = run(capsys, "verify", "demand", "1")
    listed = run(capsys, "versions", "demand")

    assert made == 0
    assert (Path("release.key").stat().st_mode & 0o777) == 0o600
    assert signed == (0, "demand version 1: signed\n")
    assert untrusted[0] == 6
    assert "is signed by no key that is trusted here" in untrusted[1]
    assert by_hand[0] == 0
    assert trusted == (
        0,
        "demand version 1: 1 files, 7 bytes, none of them changed; verified by release\n",
    )
    assert "verified by release" in listed[1]


def test_a_changed_byte_is_found_before_the_signature_is_looked_at(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "keygen", "release")
    run(capsys, "sign", "demand", "1", "--key", "release.key")
    (stored,) = [path for path in home.rglob("*") if path.is_file() and _has(path, b"weights")]
    stored.chmod(0o644)
    stored.write_bytes(stored.read_bytes().replace(b"weights", b"veights"))

    code, said = run(capsys, "verify", "demand", "1", "--key", "release.pub")

    assert code == 8, said


def _has(path: Path, content: bytes) -> bool:
    return path.suffix not in (".sqlite3", ".sqlite3-wal") and content in path.read_bytes()


def test_what_was_signed_elsewhere_is_attached(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys, "keygen", "release", "--kind", "ed25519")
    run(capsys, "sign", "demand", "1", "--key", "release.key", "--output", "demand.sig")

    code, said = run(capsys, "sign", "demand", "1", "--signature", "demand.sig")

    assert (code, said) == (0, "demand version 1: signed\n")
    assert "dsseEnvelope" in json.loads(Path("demand.sig").read_text())


def test_an_encrypted_key_wants_its_passphrase(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("click.prompt", lambda *_, **__: "correct horse")
    run(capsys, "keygen", "ada", "--passphrase")
    Path("right").write_text("correct horse\n")
    Path("wrong").write_text("battery\n")

    key = ("sign", "demand", "1", "--key", "ada.key", "--passphrase-file")
    wrong, said = run(capsys, *key, "wrong")
    right, _ = run(capsys, *key, "right")

    assert (wrong, right) == (2, 0)
    assert "can't be used" in said
    assert b"ENCRYPTED" in Path("ada.key").read_bytes()


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("sign", "demand", "1"), 2),
        (("sign", "demand", "9", "--key", "release.key"), 3),
        (("sign", "demand", "1", "--key", "release.pub"), 2),
        (("keygen", "release"), 4),
        (("keygen", "../release"), 2),
        (("verify", "demand", "9"), 3),
    ],
)
def test_mistakes_are_told_apart(
    home: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: int
) -> None:
    run(capsys, "keygen", "release")

    assert run(capsys, *words)[0] == code
