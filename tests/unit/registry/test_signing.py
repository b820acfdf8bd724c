"""Signatures of versions: made, judged, attached, and asked for before a version serves."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from mainspring.app import App
from mainspring.blobs.trees import put_manifest, read_manifest
from mainspring.domain.attestation import SigningState
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.domain.event import ModelSigned
from mainspring.domain.model import ModelVersion
from mainspring.domain.rollout import RolloutState
from mainspring.domain.service import ServicePolicy
from mainspring.domain.version_diff import Where
from mainspring.governance.keys import KeyKind, SigningKey, make_key_pair
from mainspring.kernel.errors import Conflict, Invalid, Rejected
from mainspring.registry import signing, statements
from mainspring.registry.requests import (
    AttachSignature,
    DeleteModelVersion,
    DiffModelVersions,
    GetModelVersion,
    ListSignatures,
    RecordGateResults,
    RegisterModelVersion,
    UpdateModel,
)
from mainspring.serving.requests import AdvanceRollout, GetRouting, RollBack, StartRollout
from mainspring.store.tables.registry import model_signatures, model_versions
from mainspring.testing.apps import TESTER, emitted
from mainspring.testing.serving import a_declared_service, promoted

SIGNED_ONLY = ServicePolicy(require_signed=True)


def a_key(folder: Path, name: str = "release", kind: KeyKind = KeyKind.P256) -> SigningKey:
    private, _ = make_key_pair(kind)
    path = folder / f"{name}.key"
    path.write_bytes(private)
    return SigningKey(path)


def trust(app: App, key: SigningKey) -> None:
    folder = app.settings.trusted_keys_path
    folder.mkdir(exist_ok=True)
    (folder / f"{key.public.name}.pub").write_bytes(key.public.pem)


def a_version(app: App, model: str = "demand", **files: bytes) -> ModelVersion:
    entries = tuple(
        ManifestEntry(path=path, digest=app.blobs.put_bytes(content), size_bytes=len(content))
        for path, content in sorted((files or {"MLmodel": b"flavors"}).items())
    )
    manifest = put_manifest(app.blobs, Manifest(entries=entries))
    return app.call(RegisterModelVersion(model=model, manifest=manifest))


def signature_of(app: App, version: ModelVersion, key: SigningKey) -> str:
    return signing.sign(version.model, read_manifest(app.blobs, version.manifest), key)


def attached(app: App, version: ModelVersion, bundle: str) -> ModelVersion:
    return app.call(AttachSignature(model=version.model, number=version.number, bundle=bundle))


def signed(app: App, version: ModelVersion, key: SigningKey) -> ModelVersion:
    return attached(app, version, signature_of(app, version, key))


def again(app: App, version: ModelVersion) -> ModelVersion:
    return app.call(GetModelVersion(model=version.model, number=version.number))


def written_into_the_store(app: App, version: ModelVersion, bundle: str) -> None:
    """What somebody does who can write to the database, past every check."""
    key = statements.read_bundle(bundle).key
    values = {"version": version.id, "key": key, "bundle": bundle, "attached_by": "person:eve"}
    with app.store.write(TESTER, "test") as tx:
        tx.execute(insert(model_signatures).values(attached_at=tx.now, **values))


@pytest.mark.parametrize("kind", KeyKind)
def test_a_version_is_unsigned_then_signed_then_verified(
    any_app: App, tmp_path: Path, kind: KeyKind
) -> None:
    key = a_key(tmp_path, kind=kind)
    version = a_version(any_app)
    assert version.signing.state is SigningState.UNSIGNED

    unknown = signed(any_app, version, key).signing
    trust(any_app, key)
    known = again(any_app, version).signing

    assert (unknown.state, unknown.unknown_keys) == (SigningState.SIGNED, (key.public.fingerprint,))
    assert (known.state, known.signed_by) == (SigningState.VERIFIED, ("release",))
    assert str(known) == "verified by release"
    (event,) = emitted(any_app, ModelSigned)
    assert (event.subject, event.payload["key"]) == (version.id, key.public.fingerprint)


def test_trust_ends_when_the_key_is_taken_away(app: App, tmp_path: Path) -> None:
    key = a_key(tmp_path)
    trust(app, key)
    version = signed(app, a_version(app), key)
    assert version.signing.state is SigningState.VERIFIED

    (app.settings.trusted_keys_path / "release.pub").unlink()

    assert again(app, version).signing.state is SigningState.SIGNED


def test_a_signature_under_another_keys_name_is_refused(app: App, tmp_path: Path) -> None:
    release, eve = a_key(tmp_path), a_key(tmp_path, "eve")
    trust(app, release)
    version = a_version(app)
    forged = statements.read_bundle(signature_of(app, version, eve))
    forged_text = statements.bundle_text(replace(forged, key=release.public.fingerprint))

    with pytest.raises(Invalid, match="not made by the key 'release'") as refused:
        attached(app, version, forged_text)
    written_into_the_store(app, version, forged_text)

    assert refused.value.code == "signature_broken"
    assert again(app, version).signing.state is SigningState.BROKEN


def test_a_signature_copied_from_another_version_is_refused(app: App, tmp_path: Path) -> None:
    key = a_key(tmp_path)
    trust(app, key)
    good, bad = a_version(app, model_pkl=b"good"), a_version(app, model_pkl=b"bad")
    copied = signature_of(app, good, key)

    with pytest.raises(Invalid, match="changed: model_pkl") as refused:
        attached(app, bad, copied)
    written_into_the_store(app, bad, copied)

    assert refused.value.code == "signature_mismatch"
    found = again(app, bad).signing
    assert found.state is SigningState.BROKEN
    assert "changed: model_pkl" in found.why


def test_a_signature_says_for_which_model_its_files_are(app: App, tmp_path: Path) -> None:
    key = a_key(tmp_path)
    version, same_bytes = a_version(app, "demand"), a_version(app, "fraud")
    assert version.manifest == same_bytes.manifest

    with pytest.raises(Invalid, match="a model named 'demand', not 'fraud'"):
        attached(app, same_bytes, signature_of(app, version, key))


def test_a_signature_holds_no_longer_under_a_new_name(app: App, tmp_path: Path) -> None:
    key = a_key(tmp_path)
    trust(app, key)
    signed(app, a_version(app), key)

    app.call(UpdateModel(model="demand", name="rides"))

    found = app.call(GetModelVersion(model="rides", number=1)).signing
    assert (found.state, found.signed_by) == (SigningState.BROKEN, ())


def test_other_files_put_under_a_signed_version_are_noticed(any_app: App, tmp_path: Path) -> None:
    key = a_key(tmp_path)
    trust(any_app, key)
    version = signed(any_app, a_version(any_app, MLweights=b"m", weights=b"good"), key)
    other = a_version(any_app, MLweights=b"m", weights=b"bad", extra=b"x")

    with any_app.store.write(TESTER, "test") as tx:
        where = model_versions.c.id == version.id
        tx.execute(update(model_versions).where(where).values(manifest=other.manifest))

    found = again(any_app, version).signing
    assert found.state is SigningState.BROKEN
    assert "changed: weights; not signed: extra" in found.why


def test_a_broken_signature_undoes_no_good_one(app: App, tmp_path: Path) -> None:
    release, eve = a_key(tmp_path), a_key(tmp_path, "eve")
    trust(app, release)
    trust(app, eve)
    version = signed(app, a_version(app), release)

    written_into_the_store(app, version, signature_of(app, a_version(app, x=b"other"), eve))

    found = again(app, version).signing
    assert (found.state, found.signed_by) == (SigningState.VERIFIED, ("release",))


def test_signing_again_by_the_same_key_replaces(any_app: App, tmp_path: Path) -> None:
    release, ada = a_key(tmp_path), a_key(tmp_path, "ada", KeyKind.ED25519)
    trust(any_app, release)
    trust(any_app, ada)
    version = a_version(any_app)

    for key in (release, ada, release):
        signed(any_app, version, key)

    assert again(any_app, version).signing.signed_by == ("ada", "release")
    kept = any_app.call(ListSignatures(model="demand", number=1))
    assert {each.key for each in kept} == {release.public.fingerprint, ada.public.fingerprint}


def test_signatures_go_with_their_version(any_app: App, tmp_path: Path) -> None:
    version = signed(any_app, a_version(any_app), a_key(tmp_path))

    any_app.call(DeleteModelVersion(model="demand", number=version.number))

    with any_app.store.read(TESTER, "test") as tx:
        assert tx.execute(model_signatures.select()).all() == []


def test_a_version_takes_no_endless_number_of_signatures(app: App, tmp_path: Path) -> None:
    version = a_version(app)
    for number in range(32):
        signed(app, version, a_key(tmp_path, f"key{number}", KeyKind.ED25519))

    with pytest.raises(Conflict, match="32 signatures"):
        signed(app, version, a_key(tmp_path, "one-more", KeyKind.ED25519))


def test_signatures_by_unknown_keys_keep_no_trusted_one_out(app: App, tmp_path: Path) -> None:
    version, release = a_version(app), a_key(tmp_path)
    trust(app, release)
    for number in range(32):
        signed(app, version, a_key(tmp_path, f"key{number}", KeyKind.ED25519))

    found = signed(app, version, release).signing

    assert (found.state, found.signed_by) == (SigningState.VERIFIED, ("release",))


def changed(text: str, *path: object, to: object) -> str:
    whole = json.loads(text)
    place = whole
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("dsseEnvelope",), None),
        (("dsseEnvelope", "payloadType"), "text/plain"),
        (("dsseEnvelope", "payload"), "not base64!"),
        (("dsseEnvelope", "signatures"), []),
        (("dsseEnvelope", "signatures"), [{"sig": "AA=="}] * 2),
        (("verificationMaterial",), {"certificate": {"rawBytes": "AA=="}}),
        (("verificationMaterial", "publicKey", "hint"), "../../etc/passwd"),
    ],
)
def test_what_is_no_signature_is_refused(
    app: App, tmp_path: Path, path: tuple[object, ...], value: object
) -> None:
    version = a_version(app)
    text = signature_of(app, version, a_key(tmp_path))

    with pytest.raises(Invalid) as refused:
        attached(app, version, changed(text, *path, to=value))

    assert refused.value.code == "not_a_signature"


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", "\x00", "[" * 100_000, '{"a": 1e999}'])
def test_any_text_is_refused_clearly(app: App, text: str) -> None:
    version = a_version(app)

    with pytest.raises(Invalid):
        attached(app, version, text or " ")


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ({"predicateType": "https://slsa.dev/provenance/v1"}, "its type is"),
        ({"subject": []}, "no statement about a model"),
        ({"predicate": {"serialization": {"method": "shards"}, "resources": []}}, "in shards"),
        (
            {"subject": [{"name": "demand", "digest": {"sha256": "0" * 64}}]},
            "not that of the files it lists",
        ),
    ],
)
def test_a_statement_that_means_something_else_is_no_signature_of_the_version(
    app: App, tmp_path: Path, statement: dict[str, object], why: str
) -> None:
    version, key = a_version(app), a_key(tmp_path)
    whole = json.loads(
        statements.statement_of("demand", read_manifest(app.blobs, version.manifest))
    )
    bundle = statements.unsigned_bundle(
        json.dumps(whole | statement).encode(), key.public.fingerprint
    )
    text = statements.bundle_text(replace(bundle, signature=key.sign(bundle.signed)))

    with pytest.raises(Invalid, match=why):
        attached(app, version, text)


def test_a_file_that_is_no_key_stops_trust_rather_than_being_skipped(
    app: App, tmp_path: Path
) -> None:
    key = a_key(tmp_path)
    trust(app, key)
    version = signed(app, a_version(app), key)

    (app.settings.trusted_keys_path / "broken.pub").write_text("no key")

    found = again(app, version).signing
    assert found.state is SigningState.SIGNED
    assert "broken.pub is no public key" in found.why


def test_a_private_key_among_the_trusted_ones_is_refused(app: App, tmp_path: Path) -> None:
    key = a_key(tmp_path)
    trust(app, key)
    private = (tmp_path / "release.key").read_bytes()
    (app.settings.trusted_keys_path / "oops.pem").write_bytes(private)

    with pytest.raises(Invalid, match="is no public key in PEM"):
        signed(app, a_version(app), key)


def test_a_key_that_signs_no_models_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    path = tmp_path / "rsa.key"
    path.write_bytes(
        rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )

    with pytest.raises(Invalid, match="of a kind that signs no models"):
        SigningKey(path)


def test_without_the_library_nothing_counts_as_verified(
    app: App, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = a_key(tmp_path)
    trust(app, key)
    version = signed(app, a_version(app), key)

    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)

    found = again(app, version).signing
    assert found.state is SigningState.SIGNED
    assert "a library that is not installed" in found.why


def test_a_diff_tells_who_signed(app: App, tmp_path: Path) -> None:
    key = a_key(tmp_path)
    trust(app, key)
    signed(app, a_version(app), key)
    a_version(app, weights=b"other")

    found = app.call(DiffModelVersions(model="demand", number=1, other=2))

    (change,) = [each for each in found.changes if each.where is Where.SIGNING]
    assert (change.before, change.after) == ("verified by release", "unsigned")


def a_judged_version(app: App, **files: bytes) -> ModelVersion:
    return app.call(RecordGateResults(version=a_version(app, "demand", **files).id, results=()))


def test_a_rollout_waits_for_a_signature(any_app: App, tmp_path: Path) -> None:
    key = a_key(tmp_path)
    trust(any_app, key)
    a_declared_service(any_app, serve=SIGNED_ONLY)
    version = a_judged_version(any_app)

    rollout = any_app.call(StartRollout(service="demand", version=version.id))
    with pytest.raises(Conflict, match="waits for a signature by a trusted key") as waits:
        any_app.call(AdvanceRollout(rollout=rollout.id, step_index=rollout.step_index))
    signed(any_app, version, key)
    after = any_app.call(AdvanceRollout(rollout=rollout.id, step_index=rollout.step_index))

    assert rollout.state is RolloutState.WAITING
    assert waits.value.code == "signature_missing"
    assert after.state is RolloutState.RUNNING


def test_a_version_whose_signature_does_not_hold_never_serves(app: App, tmp_path: Path) -> None:
    key = a_key(tmp_path)
    trust(app, key)
    a_declared_service(app, serve=SIGNED_ONLY)
    version = a_judged_version(app)
    written_into_the_store(app, version, signature_of(app, a_version(app, x=b"other"), key))

    with pytest.raises(Rejected, match="its signature does not hold") as refused:
        app.call(StartRollout(service="demand", version=version.id))

    assert refused.value.code == "signature_broken"


def test_nobody_goes_back_to_an_unsigned_champion_where_signatures_are_asked_for(
    app: App, tmp_path: Path
) -> None:
    key = a_key(tmp_path)
    trust(app, key)
    a_declared_service(app)
    promoted(app, a_judged_version(app))
    a_declared_service(app, serve=SIGNED_ONLY)
    second = a_judged_version(app, weights=b"2")
    signed(app, second, key)
    promoted(app, second)

    with pytest.raises(Rejected, match="version 1 of demand can't be gone back to"):
        app.call(RollBack(service="demand"))
    signed(app, app.call(GetModelVersion(model="demand", number=1)), key)
    back = app.call(RollBack(service="demand"))

    assert back.champion == app.call(GetModelVersion(model="demand", number=1)).id


def test_the_routing_says_what_must_not_be_loaded(app: App, tmp_path: Path) -> None:
    key = a_key(tmp_path)
    trust(app, key)
    a_declared_service(app)
    version = a_judged_version(app)
    promoted(app, version)

    a_declared_service(app, serve=SIGNED_ONLY)
    (before,) = app.call(GetRouting())
    signed(app, version, key)
    (after,) = app.call(GetRouting())

    assert "it is not signed" in before.refused[version.id]
    assert after.refused == {}
