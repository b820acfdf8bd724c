"""A serving process loads nothing unsigned where its service asks for signatures."""

import time
from pathlib import Path

import polars as pl

from mainspring.app import App
from mainspring.blobs.trees import read_manifest
from mainspring.domain.service import ServicePolicy
from mainspring.governance.keys import KeyKind, SigningKey, make_key_pair
from mainspring.registry import signing
from mainspring.registry.requests import AttachSignature
from mainspring.serving.requests import ListServingReports
from mainspring.testing.models import a_trick_model
from mainspring.testing.serving import (
    a_declared_service,
    a_judged_version,
    a_predictor,
    promoted,
)

INPUTS = pl.DataFrame({"x": [1.0, 2.0]})


def test_an_unsigned_champion_is_loaded_only_once_it_is_signed(
    live_app: App, tmp_path: Path
) -> None:
    private, public = make_key_pair(KeyKind.ED25519)
    (tmp_path / "release.key").write_bytes(private)
    trusted = live_app.settings.trusted_keys_path
    trusted.mkdir()
    (trusted / "release.pub").write_bytes(public)
    a_declared_service(live_app)
    version = a_judged_version(live_app, a_trick_model(), INPUTS)
    promoted(live_app, version)
    a_declared_service(live_app, serve=ServicePolicy(require_signed=True))

    with a_predictor(live_app.settings.home) as predictor:
        why = _refusal(live_app)
        status, _ = predictor.infer(x=21.0)

        manifest = read_manifest(live_app.blobs, version.manifest)
        bundle = signing.sign("demand", manifest, SigningKey(tmp_path / "release.key"))
        live_app.call(AttachSignature(model="demand", number=1, bundle=bundle))
        predictor.wait_ready()
        answered, body = predictor.infer(x=21.0)

    assert "it is not signed" in why
    assert status == 503
    assert (answered, body["outputs"][0]["data"]) == (200, [42.0])


def _refusal(app: App) -> str:
    """What a serving process says of a version that it does not load; waits for it."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        for report in app.call(ListServingReports()):
            for why in report.failed.values():
                return why
        time.sleep(0.05)
    raise AssertionError("no serving process said that it refuses a version")
