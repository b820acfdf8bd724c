"""Keys that sign: making, reading, using and trusting them. The only module that imports `cryptography`.

Public keys are PEM files in a folder whose content this installation trusts. A key's name is its file's, its
fingerprint the SHA-256 of its PEM text, as in OpenSSF's model signatures: both are known without the library,
which is loaded only to sign and to check.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.kernel.errors import Invalid, Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

_PEM = re.compile(
    rb"-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+?)\s*-----END PUBLIC KEY-----\s*\Z"
)
_LARGEST_FILE = 100_000


class KeyKind(StrEnum):
    """What kind of key pair can be made."""

    P256 = "p256"
    """ECDSA on NIST's curve P-256: what other tools for model signatures read as well."""
    ED25519 = "ed25519"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicKey:
    """A public key by name, in PEM as every tool writes it."""

    name: str
    pem: bytes

    @property
    def fingerprint(self) -> str:
        return hashlib.sha256(self.pem).hexdigest()


def read_public_key(path: Path) -> PublicKey:
    """The public key in a PEM file; raises `Invalid` for anything else, private keys among them."""
    try:
        with path.open("rb") as stream:
            content = stream.read(_LARGEST_FILE)
    except OSError as error:
        raise Invalid(
            f"the key {path} can't be read: {error.strerror}", code="key_unreadable"
        ) from error
    found = _PEM.match(content.strip())
    if found is None:
        raise Invalid(
            f"{path} is no public key in PEM",
            code="no_public_key",
            hint="It begins with -----BEGIN PUBLIC KEY-----; `openssl pkey -in KEY -pubout` writes one.",
        )
    try:
        der = base64.b64decode(b"".join(found.group(1).split()), validate=True)
    except binascii.Error as error:
        raise Invalid(f"{path} is no public key in PEM: {error}", code="no_public_key") from error
    text = base64.b64encode(der)
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    pem = b"\n".join([b"-----BEGIN PUBLIC KEY-----", *lines, b"-----END PUBLIC KEY-----", b""])
    return PublicKey(name=path.stem, pem=pem)


def trusted_keys(folder: Path) -> dict[str, PublicKey]:
    """The keys in a folder (`*.pub`, `*.pem`) by fingerprint; none if there is no folder.

    Raises `Invalid` for a file there that is no public key: to go on without it would be to trust otherwise
    than was meant.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in (".pub", ".pem"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise Invalid(
            f"the folder of trusted keys {folder} can't be read: {error.strerror}",
            code="key_unreadable",
        ) from error
    return {key.fingerprint: key for key in map(read_public_key, files)}


def holds(key: PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether a signature of a message was made by this key's other half.

    Raises `Unavailable` without the library, `Invalid` for a kind of key that can't sign.
    """
    library = _library()
    public = _loaded(lambda: library.load_pem_public_key(key.pem), f"the public key {key.name!r}")
    try:
        if isinstance(public, library.ed25519.Ed25519PublicKey):
            public.verify(signature, message)
        else:
            _check_curve(public, library.ec.EllipticCurvePublicKey, key.name)
            public.verify(signature, message, library.ec.ECDSA(_hash_for(public.curve.key_size)))
    except library.InvalidSignature:
        return False
    return True


class SigningKey:
    """A private key from a PEM file; raises `Invalid` for what is none or needs another passphrase."""

    def __init__(self, path: Path, passphrase: bytes | None = None) -> None:
        library = _library()
        try:
            pem = path.read_bytes()
        except OSError as error:
            raise Invalid(
                f"the key {path} can't be read: {error.strerror}", code="key_unreadable"
            ) from error
        self._library = library
        self._key: Any = _loaded(
            lambda: library.load_pem_private_key(pem, passphrase), f"the private key {path}"
        )
        if not isinstance(self._key, library.ed25519.Ed25519PrivateKey):
            _check_curve(self._key, library.ec.EllipticCurvePrivateKey, path.name)
        self.public = PublicKey(name=path.stem, pem=_public_pem(self._key))

    def sign(self, message: bytes) -> bytes:
        """A signature of these bytes."""
        if isinstance(self._key, self._library.ed25519.Ed25519PrivateKey):
            return bytes(self._key.sign(message))
        algorithm = self._library.ec.ECDSA(_hash_for(self._key.curve.key_size))
        return bytes(self._key.sign(message, algorithm))


def is_encrypted(path: Path) -> bool:
    """Whether a private key's file asks for a passphrase."""
    try:
        return b"ENCRYPTED" in path.read_bytes()[:_LARGEST_FILE]
    except OSError:
        return False


def make_key_pair(kind: KeyKind, passphrase: bytes | None = None) -> tuple[bytes, bytes]:
    """A new private key and its public half, both in PEM."""
    library = _library()
    key: PrivateKeyTypes = (
        library.ed25519.Ed25519PrivateKey.generate()
        if kind is KeyKind.ED25519
        else library.ec.generate_private_key(library.ec.SECP256R1())
    )
    from cryptography.hazmat.primitives import serialization as forms

    protection: Any = (
        forms.BestAvailableEncryption(passphrase) if passphrase else forms.NoEncryption()
    )
    private = key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, protection)
    return private, _public_pem(key)


def _public_pem(key: Any) -> bytes:
    from cryptography.hazmat.primitives import serialization as forms

    pem: bytes = key.public_key().public_bytes(
        forms.Encoding.PEM, forms.PublicFormat.SubjectPublicKeyInfo
    )
    return pem


def _check_curve(key: Any, wanted: type, name: str) -> None:
    if not isinstance(key, wanted) or key.curve.key_size not in (256, 384, 521):  # type: ignore[attr-defined]  # the isinstance check is mypy's blind spot for a type in a variable
        raise Invalid(
            f"the key {name!r} is of a kind that signs no models",
            code="wrong_kind_of_key",
            hint="Use an Ed25519 key, or one on NIST's curves P-256, P-384 or P-521.",
        )


def _hash_for(key_size: int) -> Any:
    from cryptography.hazmat.primitives import hashes

    return {256: hashes.SHA256(), 384: hashes.SHA384(), 521: hashes.SHA512()}[key_size]


def _loaded(load: Any, what: str) -> Any:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return load()
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise Invalid(
            f"{what} can't be used: {error}",
            code="key_unreadable",
            hint="It has to be PEM, and an encrypted one needs its passphrase.",
        ) from error


def _library() -> Any:
    """What of the library is used, loaded when it is."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives import serialization
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519
    except ImportError as error:
        raise Unavailable(
            "signatures need a library that is not installed",
            code="signing_not_installed",
            hint="Install it: pip install 'mainspring[signing]'.",
        ) from error
    from types import SimpleNamespace

    return SimpleNamespace(
        InvalidSignature=InvalidSignature,
        ec=ec,
        ed25519=ed25519,
        load_pem_public_key=serialization.load_pem_public_key,
        load_pem_private_key=serialization.load_pem_private_key,
    )
