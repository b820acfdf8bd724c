"""Model signatures in OpenSSF's format: what is signed, how it is wrapped, and whether it fits a version.

The signed bytes are an in-toto statement that lists every file of a model by its SHA-256, wrapped in a DSSE envelope
within a Sigstore bundle (https://github.com/ossf/model-signing-spec, in-toto Attestation v1, DSSE v1). Tools of
others that sign by keys read ours, and we read theirs. Pure.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from mainspring.domain.dataset import Manifest
from mainspring.kernel.codec import canonical
from mainspring.kernel.digests import Digest, hex_part
from mainspring.kernel.errors import Invalid

_BUNDLE = "application/vnd.dev.sigstore.bundle.v0.3+json"
_PAYLOAD = "application/vnd.in-toto+json"
_STATEMENT = "https://in-toto.io/Statement/v1"
_PREDICATE = "https://model_signing/signature/v1.0"
MAX_BUNDLE_LENGTH = 4 << 20


@dataclass(frozen=True, slots=True)
class Bundle:
    """A bundle, unwrapped: the signed payload, the signature, and the fingerprint of the key that made it."""

    payload: bytes
    signature: bytes
    key: str

    @property
    def signed(self) -> bytes:
        """The bytes that the signature is of: DSSE's encoding of a payload and its type."""
        return b"DSSEv1 %d %s %d %s" % (
            len(_PAYLOAD),
            _PAYLOAD.encode(),
            len(self.payload),
            self.payload,
        )


def statement_of(model: str, manifest: Manifest) -> bytes:
    """The statement that these are the files of a version of this model."""
    files = [(entry.path, hex_part(entry.digest)) for entry in manifest.entries]
    return canonical(
        {
            "_type": _STATEMENT,
            "subject": [{"name": model, "digest": {"sha256": _root(files)}}],
            "predicateType": _PREDICATE,
            "predicate": {
                "serialization": {
                    "method": "files",
                    "hash_type": "sha256",
                    "allow_symlinks": False,
                },
                "resources": [
                    {"name": path, "algorithm": "sha256", "digest": digest}
                    for path, digest in files
                ],
            },
        }
    )


def unsigned_bundle(payload: bytes, key: str) -> Bundle:
    """A statement before it is signed by the key with this fingerprint."""
    return Bundle(payload, b"", key)


def bundle_text(bundle: Bundle) -> str:
    """A bundle as the JSON that is kept in files."""
    return json.dumps(
        {
            "mediaType": _BUNDLE,
            "verificationMaterial": {"publicKey": {"hint": bundle.key}, "tlogEntries": []},
            "dsseEnvelope": {
                "payload": base64.b64encode(bundle.payload).decode(),
                "payloadType": _PAYLOAD,
                "signatures": [{"sig": base64.b64encode(bundle.signature).decode(), "keyid": ""}],
            },
        }
    )


def read_bundle(text: str) -> Bundle:
    """Unwrap a bundle; raises `Invalid` (code `not_a_signature`) for anything but one by a key."""
    if len(text) > MAX_BUNDLE_LENGTH:
        raise _not_one(f"it is longer than {MAX_BUNDLE_LENGTH:,} characters")
    try:
        whole = json.loads(text)
        envelope, material = whole["dsseEnvelope"], whole["verificationMaterial"]
        if envelope["payloadType"] != _PAYLOAD:
            raise _not_one(f"its payload is {str(envelope['payloadType'])[:80]!r}")
        if "publicKey" not in material:
            raise _not_one("it is signed by a certificate, and only keys are read here")
        key = str(material["publicKey"]["hint"])
        (signature,) = envelope["signatures"]
        payload = base64.b64decode(envelope["payload"], validate=True)
        bundle = Bundle(payload, base64.b64decode(signature["sig"], validate=True), key)
    except (ValueError, KeyError, TypeError, RecursionError, binascii.Error) as error:
        raise _not_one(f"{type(error).__name__}: {error}"[:200]) from error
    if len(key) != 64 or not set(key) <= set("0123456789abcdef"):
        raise _not_one("it does not say which key made it")
    return bundle


def mismatch(payload: bytes, model: str, manifest: Manifest) -> str | None:
    """How a statement differs from a version of this model with these files; None if it is about it."""
    try:
        name, stated = _stated(json.loads(payload))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return f"what is signed is no statement about a model ({type(error).__name__}: {error})"[
            :300
        ]
    if name != model:
        return f"what is signed is a model named {name[:80]!r}, not {model!r}"
    files = {entry.path: str(entry.digest) for entry in manifest.entries}
    return _difference(stated, files)


def _stated(statement: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """The name and the files by path of which a statement says that they are the model."""
    if (statement["_type"], statement["predicateType"]) != (_STATEMENT, _PREDICATE):
        raise ValueError(f"its type is {str(statement['predicateType'])[:80]!r}")
    (subject,) = statement["subject"]
    predicate = statement["predicate"]
    if predicate["serialization"]["method"] != "files":
        raise ValueError("its files are digested in shards")
    files = [(str(each["name"]), str(each["digest"])) for each in predicate["resources"]]
    if any(each["algorithm"] != "sha256" for each in predicate["resources"]):
        raise ValueError("its digests are not SHA-256")
    stated = {path: Digest("sha256:" + digest) for path, digest in files}
    if len(stated) != len(files):
        raise ValueError("it names a file twice")
    if _root(files) != subject["digest"]["sha256"]:
        raise ValueError("its digest of all files is not that of the files it lists")
    return str(subject["name"]), {path: str(digest) for path, digest in stated.items()}


def _difference(stated: Mapping[str, str], files: Mapping[str, str]) -> str | None:
    changed = sorted(path for path in stated.keys() & files.keys() if stated[path] != files[path])
    parts = [
        ("changed", changed),
        ("missing", sorted(stated.keys() - files.keys())),
        ("not signed", sorted(files.keys() - stated.keys())),
    ]
    told = [f"{what}: {', '.join(names[:3])}" for what, names in parts if names]
    return f"the files are not those that were signed ({'; '.join(told)})" if told else None


def _root(files: Iterable[tuple[str, str]]) -> str:
    return hashlib.sha256(b"".join(bytes.fromhex(digest) for _, digest in files)).hexdigest()


def _not_one(why: str) -> Invalid:
    return Invalid(
        f"this is no model signature that can be read here: {why}",
        code="not_a_signature",
        hint="`mainspring model sign` and `model_signing sign key` make such files.",
    )
