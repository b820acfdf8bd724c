"""Signatures of versions: attaching and reading them."""

from mainspring.domain.attestation import Attestation
from mainspring.domain.event import ModelSigned
from mainspring.domain.model import ModelVersion
from mainspring.governance.keys import holds, trusted_keys
from mainspring.kernel.errors import Conflict, Invalid
from mainspring.registry import queries, statements
from mainspring.registry.read import version_of
from mainspring.registry.requests import AttachSignature, ListSignatures
from mainspring.store.tx import Tx

_MOST = 32


def attach_signature(tx: Tx, request: AttachSignature) -> ModelVersion:
    """Keep a signature with the version that it is of; the same key's earlier one is replaced.

    Raises `Invalid` for one that is about other files or another name (`signature_mismatch`), or that a
    trusted key should have made and did not (`signature_broken`), `Conflict` for one too many by keys that are
    not trusted.
    """
    version = version_of(tx, request.model, request.number)
    bundle = statements.read_bundle(request.bundle)
    if why := statements.mismatch(
        bundle.payload, version.model, queries.manifest_of(tx, version.manifest)
    ):
        raise Invalid(
            f"this signature is not of version {version.number} of {version.model}: {why}",
            code="signature_mismatch",
            hint="Sign the version itself: `mainspring model sign` reads its files and name.",
        )
    key = trusted_keys(tx.trusted_keys).get(bundle.key)
    if key is not None and not holds(key, bundle.signature, bundle.signed):
        raise Invalid(
            f"the signature was not made by the key {key.name!r} that it names",
            code="signature_broken",
        )
    keys = {each.key for each in queries.attestations_of(tx, [version.id])[version.id]}
    # Keys that nobody knows must not be able to keep out the one that counts.
    if key is None and len(keys - {bundle.key}) >= _MOST:
        raise Conflict(f"the version has {_MOST} signatures, and may have no more")
    queries.attach(tx, version.id, bundle.key, request.bundle)
    tx.emit(
        ModelSigned(
            model=version.model,
            number=version.number,
            version=version.id,
            key=bundle.key,
            why=f"by the trusted key {key.name!r}" if key else "by a key that is not trusted here",
        )
    )
    return version_of(tx, request.model, request.number)


def list_signatures(tx: Tx, request: ListSignatures) -> tuple[Attestation, ...]:
    """A version's signatures as they were made, oldest first; raises `NotFound` for an unknown version."""
    version = version_of(tx, request.model, request.number)
    return tuple(queries.attestations_of(tx, [version.id])[version.id])
