"""Model signatures: OpenSSF's own tool verifies ours, and we take its."""

import subprocess
from pathlib import Path

import pytest

from mainspring.app import App
from mainspring.blobs.trees import lay_out, put_folder, put_manifest, read_manifest
from mainspring.domain.attestation import SigningState
from mainspring.governance.keys import KeyKind, SigningKey, make_key_pair
from mainspring.kernel.errors import Invalid
from mainspring.registry import signing
from mainspring.registry.requests import AttachSignature, RegisterModelVersion

pytestmark = pytest.mark.mlflow

PYTHON = Path(__file__).parents[3] / ".venv-mlflow" / "bin" / "python"


def model_signing(*words: object) -> subprocess.CompletedProcess[str]:
    """The tool of the OpenSSF, as its users call it."""
    if not PYTHON.exists():
        pytest.fail("there is no .venv-mlflow: make it with `make setup-mlflow`", pytrace=False)
    command = [str(PYTHON), "-W", "ignore", "-m", "model_signing", *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model's files, with names that sort otherwise by parts than by letters."""
    folder = tmp_path / "demand"
    for path in ("MLmodel", "data/model.skops", "data.txt", "data-2/é.bin"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(path)
    return folder


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    private, public = make_key_pair(KeyKind.P256)
    (tmp_path / "release.key").write_bytes(private)
    (tmp_path / "release.pub").write_bytes(public)
    return tmp_path


def test_its_tool_verifies_what_we_sign(app: App, folder: Path, keys: Path, tmp_path: Path) -> None:
    manifest = put_manifest(app.blobs, put_folder(app.blobs, folder))
    text = signing.sign(
        "demand", read_manifest(app.blobs, manifest), SigningKey(keys / "release.key")
    )
    (tmp_path / "demand.sig").write_text(text)
    laid_out = tmp_path / "out" / "demand"
    lay_out(app.blobs, read_manifest(app.blobs, manifest), laid_out)
    words = ("--signature", tmp_path / "demand.sig", "--public_key", keys / "release.pub")

    good = model_signing("verify", "key", laid_out, *words)
    (laid_out / "MLmodel").write_text("changed")
    bad = model_signing("verify", "key", laid_out, *words)

    assert good.returncode == 0, good.stderr
    assert bad.returncode != 0


def test_we_take_what_its_tool_signs(app: App, folder: Path, keys: Path, tmp_path: Path) -> None:
    app.settings.trusted_keys_path.mkdir()
    (app.settings.trusted_keys_path / "release.pub").write_bytes(
        (keys / "release.pub").read_bytes()
    )
    manifest = put_manifest(app.blobs, put_folder(app.blobs, folder))
    app.call(RegisterModelVersion(model="demand", manifest=manifest))
    (folder / "data.txt").write_text("other")
    other = put_manifest(app.blobs, put_folder(app.blobs, folder))
    app.call(RegisterModelVersion(model="demand", manifest=other))
    (folder / "data.txt").write_text("data.txt")
    words = ("--private_key", keys / "release.key", "--signature", tmp_path / "theirs.sig")
    done = model_signing("sign", "key", folder, *words)
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "theirs.sig").read_text()

    version = app.call(AttachSignature(model="demand", number=1, bundle=text))
    with pytest.raises(Invalid, match=r"changed: data\.txt"):
        app.call(AttachSignature(model="demand", number=2, bundle=text))

    assert (version.signing.state, version.signing.signed_by) == (
        SigningState.VERIFIED,
        ("release",),
    )
