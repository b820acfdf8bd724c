from io import BytesIO
from pathlib import Path

import polars as pl
import pytest

from mainspring.blobs.local import LocalBlobs
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Invalid, Unavailable
from mainspring.serving.score import Scores, score
from mainspring.testing.models import a_stored_model, a_trick_model

INPUTS = pl.DataFrame({"x": [1.0, 2.0]})


def stored(blobs: LocalBlobs, frame: pl.DataFrame) -> Digest:
    buffer = BytesIO()
    frame.write_parquet(buffer)
    return blobs.put_bytes(buffer.getvalue())


def scored(tmp_path: Path, estimator: object, frame: pl.DataFrame, **options: float) -> Scores:
    blobs = LocalBlobs(tmp_path / "blobs")
    return score(
        blobs=tmp_path / "blobs",
        work=tmp_path / "work",
        manifest=a_stored_model(blobs, estimator, frame.select("x")),
        table=stored(blobs, frame),
        **options,
    )


def test_a_stored_table_is_scored_row_by_row(tmp_path: Path) -> None:
    found = scored(tmp_path, a_trick_model(), INPUTS.with_columns(target=pl.lit(0)))

    assert found == Scores(predictions=[2.0, 4.0])
    assert list((tmp_path / "work").iterdir()) == []


def test_a_classifiers_probabilities_come_along(tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression

    frame = pl.DataFrame({"x": [0.0, 1.0, 10.0, 11.0], "y": ["low", "low", "high", "high"]})
    model = LogisticRegression().fit(frame.select("x"), frame["y"])

    found = scored(tmp_path, model, frame)

    assert found.predictions == ["low", "low", "high", "high"]
    assert found.classes == ["high", "low"]
    assert found.probabilities is not None
    assert [len(row) for row in found.probabilities] == [2] * 4
    assert found.probabilities[0][1] > 0.5


@pytest.mark.parametrize(
    ("x", "error", "text"),
    [(-3.0, Invalid, "ValueError: told to fail"), (-2.0, Unavailable, "within 3 s")],
)
def test_a_model_that_misbehaves_is_a_clear_error(
    tmp_path: Path, x: float, error: type[Exception], text: str
) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    manifest = a_stored_model(blobs, a_trick_model(), INPUTS)
    table = stored(blobs, pl.DataFrame({"x": [x]}))

    with pytest.raises(error, match=text):
        score(
            blobs=tmp_path / "blobs",
            work=tmp_path / "work",
            manifest=manifest,
            table=table,
            timeout_seconds=3.0 if error is Unavailable else 60.0,
        )


def test_a_pickle_is_refused_where_models_are_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sklearn.linear_model import LinearRegression

    monkeypatch.setenv("MAINSPRING_MODEL_TRUST", "code")

    with pytest.raises(Invalid, match="a pickled model may run anything"):
        scored(tmp_path, a_trick_model(), INPUTS)
    of_skops = scored(tmp_path, LinearRegression().fit(INPUTS, [2.0, 4.0]), INPUTS)
    assert of_skops.predictions == pytest.approx([2.0, 4.0])
