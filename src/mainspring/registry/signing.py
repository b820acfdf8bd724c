"""Signatures of versions, made and judged: by whom a version is signed, and whether that holds."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from mainspring.domain.attestation import NOT_SIGNED, Attestation, Signing, SigningState
from mainspring.domain.dataset import Manifest
from mainspring.governance.keys import PublicKey, SigningKey, holds
from mainspring.kernel.errors import Invalid, MainspringError
from mainspring.registry import statements


def signing_of(
    model: str,
    attestations: Sequence[Attestation],
    manifest: Callable[[], Manifest],
    trusted: Callable[[], dict[str, PublicKey]],
) -> Signing:
    """What signatures come to for a version with this name and manifest, by keys that are trusted.

    One that holds, of a trusted key, is enough: whoever may attach signatures must not be able to undo
    another's by a broken one.
    """
    if not attestations:
        return NOT_SIGNED
    signed_by: set[str] = set()
    unknown: set[str] = set()
    wrong: list[str] = []
    try:
        files, keys = manifest(), trusted()
        for each in attestations:
            name, why = _judged(each, model, files, keys)
            if why:
                wrong.append(why)
            elif name is None:
                unknown.add(each.key)
            else:
                signed_by.add(name)
    except MainspringError as error:
        # Keys, bytes or the library are lacking: what can't be checked counts as nobody's.
        return Signing(state=SigningState.SIGNED, why=f"it could not be checked: {error.message}")
    state = SigningState.BROKEN if wrong else SigningState.SIGNED
    return Signing(
        state=SigningState.VERIFIED if signed_by else state,
        signed_by=tuple(sorted(signed_by)),
        unknown_keys=tuple(sorted(unknown)),
        why="; ".join(wrong),
    )


def _judged(
    attestation: Attestation, model: str, files: Manifest, keys: Mapping[str, PublicKey]
) -> tuple[str | None, str | None]:
    """The name of the trusted key that signed, if one did, and what is wrong with the signature."""
    try:
        bundle = statements.read_bundle(attestation.bundle)
    except Invalid as error:
        return None, error.message
    if why := statements.mismatch(bundle.payload, model, files):
        return None, why
    key = keys.get(bundle.key)
    if key is None:
        return None, None
    if holds(key, bundle.signature, bundle.signed):
        return key.name, None
    return None, f"a signature was not made by the key {key.name!r} that it names"


def sign(model: str, manifest: Manifest, key: SigningKey) -> str:
    """A signature of a version with this name and these files, as the text of an OpenSSF bundle."""
    unsigned = statements.unsigned_bundle(
        statements.statement_of(model, manifest), key.public.fingerprint
    )
    return statements.bundle_text(replace(unsigned, signature=key.sign(unsigned.signed)))
