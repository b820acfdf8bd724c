"""Models to test against, kept as registered models are: in MLflow's format, in the blobs."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import put_folder, put_manifest
from mainspring.domain.model import ModelVersion, ModelVersionId
from mainspring.kernel.digests import Digest
from mainspring.tracking.model_writing import signature_of, write_model

if TYPE_CHECKING:
    import polars as pl


def a_stored_model(blobs: BlobStore, estimator: Any, inputs: "pl.DataFrame") -> Digest:
    """The manifest of a model that takes columns like those of `inputs`."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "model"
        write_model(folder, estimator, inputs=inputs)
        return put_manifest(blobs, put_folder(blobs, folder))


def a_version_of(
    blobs: BlobStore, estimator: Any, inputs: "pl.DataFrame", *, number: int = 1
) -> ModelVersion:
    """A model version as the registry would give it, for tests that have no registry."""
    return ModelVersion(
        id=ModelVersionId(f"mv_{number}"),
        model="demand",
        number=number,
        run=None,
        manifest=a_stored_model(blobs, estimator, inputs),
        flavor="sklearn",
        signature=signature_of(inputs),
        metrics={},
        reference=None,
        evaluation=None,
        project=None,
        environment=None,
        description="",
        tags={},
        aliases=(),
        gate_results=(),
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        created_by="person:tester",
    )


def a_trick_model(factor: float = 2.0) -> Any:
    """A model of one input `x` that answers `factor * x`, and misbehaves when told to.

    For x = -1 its process dies, for -2 it sleeps a minute, for -3 it raises, for -4 it answers NaN, for -5
    it takes a tenth of a second.
    """

    # Defined inside a function, so that it is pickled by value: workers can't import the tests.
    class Trick:
        def predict(self, table: Any) -> Any:
            import os
            import time

            import numpy

            told = set(table["x"].to_list())
            if -1 in told:
                os._exit(9)
            if -2 in told:
                time.sleep(60)
            if -3 in told:
                raise ValueError("told to fail")
            if -5 in told:
                time.sleep(0.1)
            answers = table["x"].to_numpy() * factor
            return numpy.where(table["x"].to_numpy() == -4, numpy.nan, answers)

    return Trick()
