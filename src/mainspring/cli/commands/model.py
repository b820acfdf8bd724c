"""`mainspring model`: keys, signing and verifying; reading models and moving aliases is derived."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from mainspring.cli.global_options import pass_session
from mainspring.cli.session import Session

if TYPE_CHECKING:
    from mainspring.governance.keys import PublicKey, SigningKey

_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)


@click.group()
def model() -> None:
    """Read registered models; sign them; move their aliases."""


@model.command()
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(["p256", "ed25519"]),
    default="p256",
    help="p256 is what other tools for model signatures read too.",
)
@click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    default=Path(),
    help="Where both files are written.",
)
@click.option("--passphrase", is_flag=True, help="Ask for a passphrase that encrypts the key.")
@pass_session
def keygen(session: Session, /, name: str, kind: str, folder: Path, passphrase: bool) -> None:
    """Make a pair of keys: NAME.key, which signs and stays with you, and NAME.pub, which others trust."""
    from mainspring.governance.keys import KeyKind, make_key_pair, read_public_key
    from mainspring.kernel.errors import Invalid

    if not name or Path(name).name != name or name.startswith("."):
        raise Invalid(f"{name!r} can't name a file", hint="Name who signs: release, or ada.")
    private_path, public_path = folder / f"{name}.key", folder / f"{name}.pub"
    secret = _new_passphrase() if passphrase else None
    private, public = make_key_pair(KeyKind(kind), secret)
    _write_new(private_path, private, mode=0o600)
    _write_new(public_path, public, mode=0o644)
    trusted = session.settings.trusted_keys_path
    session.show(
        {"private": str(private_path), "public": str(public_path)},
        [
            f"{private_path} signs; keep it where only its owner can read it",
            f"{public_path} has the fingerprint {read_public_key(public_path).fingerprint}",
            f"To trust it, put {public_path.name} into {trusted} on each machine that serves",
        ],
    )


@model.command()
@click.argument("name")
@click.argument("number", type=int)
@click.option("--key", type=_FILE, help="The private key, in PEM.")
@click.option("--passphrase-file", type=_FILE, help="A file with the key's passphrase.")
@click.option("--signature", type=_FILE, help="A signature that was made elsewhere, to attach.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="Also write it there."
)
@pass_session
def sign(
    session: Session,
    /,
    *,
    name: str,
    number: int,
    key: Path | None,
    passphrase_file: Path | None,
    signature: Path | None,
    output: Path | None,
) -> None:
    """Sign version NUMBER of model NAME: a statement about its name and all its files, by a private key.

    The key is used here and sent nowhere. With --signature what another tool made (`model_signing sign key`) is
    attached instead.
    """
    from mainspring.blobs.trees import read_manifest
    from mainspring.registry import signing
    from mainspring.registry.requests import AttachSignature, GetModelVersion

    if (key is None) == (signature is None):
        raise click.UsageError("give either --key or --signature")
    with session.client() as client:
        version = client.call(GetModelVersion(model=name, number=number))
        if signature is not None:
            text = signature.read_text(errors="replace")
        elif key is not None:
            manifest = read_manifest(client.blobs, version.manifest)
            text = signing.sign(version.model, manifest, _private_key(key, passphrase_file))
        version = client.call(AttachSignature(model=name, number=number, bundle=text))
    if output is not None:
        output.write_text(text)
    session.show(version.signing, [f"{name} version {number}: {version.signing}"])


@model.command()
@click.argument("name")
@click.argument("number", type=int)
@click.option(
    "--key", "keys", type=_FILE, multiple=True, help="A public key to trust, instead of the folder."
)
@pass_session
def verify(session: Session, /, name: str, number: int, keys: tuple[Path, ...]) -> None:
    """Read every byte of version NUMBER of model NAME and check its signatures, here and by your own keys.

    The exit code is 0 only if a trusted key signed exactly what is stored; nothing that the server says of the
    signatures is believed.
    """
    from mainspring.blobs.trees import read_manifest
    from mainspring.domain.attestation import SigningState
    from mainspring.governance.keys import read_public_key, trusted_keys
    from mainspring.kernel.errors import Rejected
    from mainspring.registry.requests import GetModelVersion, ListSignatures
    from mainspring.registry.signing import signing_of

    def trusted() -> "dict[str, PublicKey]":
        if keys:
            return {key.fingerprint: key for key in map(read_public_key, keys)}
        return trusted_keys(session.settings.trusted_keys_path)

    with session.client() as client:
        version = client.call(GetModelVersion(model=name, number=number))
        signatures = client.call(ListSignatures(model=name, number=number))
        manifest = read_manifest(client.blobs, version.manifest)
        for entry in manifest.entries:
            client.blobs.verify(entry.digest)
    found = signing_of(name, signatures, manifest=lambda: manifest, trusted=trusted)
    size = f"{len(manifest.entries)} files, {manifest.size_bytes:,} bytes"
    session.show(found, [f"{name} version {number}: {size}, none of them changed; {found}"])
    if found.state is not SigningState.VERIFIED:
        raise Rejected(
            f"version {number} of {name} is signed by no key that is trusted here"
            + (f": {found.why}" if found.why else ""),
            code="not_signed",
            hint="`mainspring model sign` signs it; public keys are trusted in "
            f"{session.settings.trusted_keys_path}, or given by --key.",
        )


def _private_key(path: Path, passphrase_file: Path | None) -> "SigningKey":
    from mainspring.governance.keys import SigningKey, is_encrypted

    if passphrase_file is not None:
        return SigningKey(path, passphrase_file.read_bytes().rstrip(b"\r\n"))
    if is_encrypted(path):
        asked: str = click.prompt(f"Passphrase of {path}", hide_input=True, err=True)
        return SigningKey(path, asked.encode())
    return SigningKey(path)


def _new_passphrase() -> bytes:
    asked: str = click.prompt("Passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return asked.encode()


def _write_new(path: Path, content: bytes, *, mode: int) -> None:
    import os

    from mainspring.kernel.errors import Conflict

    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except FileExistsError as error:
        raise Conflict(
            f"{path} exists already", code="file_exists", hint="Keys are never overwritten."
        ) from error
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
