"""A model's answers for a stored table, computed by a process of its own.

`python -m mainspring.serving.score BLOBS MANIFEST TABLE WORK OUTPUT PARENT` writes `Scores` as msgpack to
OUTPUT, or an error to standard error. `score` runs it and reads the answers.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from mainspring.blobs.local import LocalBlobs
from mainspring.config import load_settings
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Invalid, MainspringError, Unavailable
from mainspring.serving.loading import laid_out
from mainspring.serving.process import model_environment
from mainspring.serving.worker import die_with
from mainspring.tracking.trust import Trust, trust_of

if TYPE_CHECKING:
    import polars as pl

TIMEOUT_SECONDS = 600.0
_FAILED = 4


class Scores(msgspec.Struct, frozen=True, kw_only=True):
    """One prediction per row; for a classifier also its probabilities, a list per row in `classes`' order."""

    predictions: list[Any]
    probabilities: list[list[float]] | None = None
    classes: list[Any] = []


def score(
    *,
    blobs: Path,
    work: Path,
    manifest: Digest,
    table: Digest,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Scores:
    """What a model answers for the rows of a stored Parquet table; columns it does not take are ignored.

    `manifest` names the model, `table` the blob. Raises `Invalid` if the model can't be loaded or fails on
    the rows, `Unavailable` if its process was killed or took too long.
    """
    import os

    work.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="score-", dir=work) as scratch:
        output = Path(scratch) / "scores"
        arguments = [str(blobs), manifest, table, scratch, str(output), str(os.getpid())]
        try:
            done = subprocess.run(
                [sys.executable, "-m", "mainspring.serving.score", *arguments],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                env=model_environment(),
                timeout=timeout_seconds,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise Unavailable(
                f"the model did not score the table within {timeout_seconds:.0f} s",
                code="scoring_slow",
            ) from error
        if done.returncode < 0:
            raise Unavailable(
                f"the scoring process was killed by signal {-done.returncode}",
                code="scoring_killed",
            )
        if done.returncode:
            lines = done.stderr.decode(errors="replace").strip().splitlines()
            said = lines[-1] if lines else f"exit status {done.returncode}"
            raise Invalid(f"the model can't score the table: {said}", code="scoring_failed")
        return msgspec.msgpack.decode(output.read_bytes(), type=Scores)


def main() -> None:
    """Score the table named on the command line."""
    blobs_path, manifest, table, work, output, parent = sys.argv[1:]
    die_with(int(parent))
    try:
        scores = _scores(LocalBlobs(Path(blobs_path)), Digest(manifest), Digest(table), Path(work))
        Path(output).write_bytes(msgspec.msgpack.encode(scores))
    except MainspringError as error:
        _fail(error.message)
    except Exception as error:
        # The model's own code may raise anything.
        _fail(f"{type(error).__name__}: {error}")


def _fail(text: str) -> None:
    sys.stderr.write("\n" + text.replace("\n", " ") + "\n")
    sys.exit(_FAILED)


def _scores(blobs: LocalBlobs, manifest: Digest, table: Digest, work: Path) -> Scores:
    import polars as pl

    from mainspring.tracking.model_format import load_model

    blobs.verify(table)
    rows = pl.read_parquet(blobs.path_of(table))
    with laid_out(blobs, manifest, work) as folder:
        trust = trust_of(load_settings().model_trust)
        predictions = load_model(folder, trust)(rows).tolist()
        probabilities, classes = _probabilities(folder, rows, trust)
    return Scores(predictions=predictions, probabilities=probabilities, classes=classes)


def _probabilities(
    folder: Path, rows: "pl.DataFrame", trust: Trust
) -> tuple[list[list[float]] | None, list[Any]]:
    """A classifier's probabilities; none for what is no scikit-learn classifier that gives them."""
    import numpy as np

    from mainspring.tracking.model_format import describe_folder, load_estimator, to_container

    description = describe_folder(folder)
    if "sklearn" not in description.flavors and description.container is None:
        return None, []
    estimator = load_estimator(folder, description, trust)
    classes = getattr(estimator, "classes_", None)
    if classes is None or not hasattr(estimator, "predict_proba"):
        return None, []
    if description.signature is not None:
        rows = rows.select(feature.name for feature in description.signature.inputs)
    found = np.asarray(
        estimator.predict_proba(to_container(rows, description.container or "pandas"))
    )
    if found.ndim != 2:
        return None, []
    return found.tolist(), np.asarray(classes).tolist()


if __name__ == "__main__":
    main()
