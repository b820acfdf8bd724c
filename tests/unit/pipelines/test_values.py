"""Keeping results, models and evaluations by content."""

import threading
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import LinearRegression, LogisticRegression

import mainspring as ms
from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.trees import read_manifest
from mainspring.domain.evaluation import Reference
from mainspring.domain.pipeline import StoredValue, ValueKind
from mainspring.kernel.codec import decode as decode_json
from mainspring.kernel.errors import Invalid
from mainspring.pipelines import values

RANDOM = np.random.default_rng(7)
INPUTS = pl.DataFrame(
    {"hour": np.arange(400) % 24, "temperature": RANDOM.normal(15, 5, 400)},
)
RIDES = INPUTS.with_columns(count=pl.col("hour") * 10 + pl.col("temperature"))


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


def kept(value: Any, blobs: LocalBlobs, tmp_path: Path) -> StoredValue:
    return values.encode(value, blobs, scratch=tmp_path, project=None, what="the result")


def a_model() -> ms.Model:
    estimator = HistGradientBoostingRegressor(max_iter=20).fit(INPUTS, RIDES["count"].to_numpy())
    return ms.Model(estimator, inputs=INPUTS)


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, ValueKind.JSON),
        ({"b": [1, 2.5, "x", True, None], "a": float("inf")}, ValueKind.JSON),
        (10**40, ValueKind.JSON),
        ((1, 2), ValueKind.PICKLE),
        ({1: 2}, ValueKind.PICKLE),
        ("\ud800", ValueKind.PICKLE),
        (date(2026, 1, 1), ValueKind.PICKLE),
        ([np.float64(1.0)], ValueKind.PICKLE),
    ],
)
def test_values_come_back_as_they_were(
    value: Any, kind: ValueKind, blobs: LocalBlobs, tmp_path: Path
) -> None:
    stored = kept(value, blobs, tmp_path)

    back = values.decode(stored, None, blobs, scratch=tmp_path)

    assert stored.kind is kind
    assert back == value
    assert type(back) is type(value)


def test_a_table_comes_back_whole(blobs: LocalBlobs, tmp_path: Path) -> None:
    stored = kept(RIDES, blobs, tmp_path)

    assert stored.kind is ValueKind.TABLE
    assert stored.summary == "400 rows, 3 columns"
    assert values.decode(stored, None, blobs, scratch=tmp_path).equals(RIDES)
    assert kept(RIDES.clone(), blobs, tmp_path).digest == stored.digest


def test_a_table_comes_as_the_kind_that_is_asked_for(blobs: LocalBlobs, tmp_path: Path) -> None:
    stored = kept(RIDES.lazy(), blobs, tmp_path)

    as_pandas = values.decode(stored, pd.DataFrame, blobs, scratch=tmp_path)
    as_query = values.decode(stored, pl.LazyFrame, blobs, scratch=tmp_path)

    assert as_pandas["hour"].tolist() == RIDES["hour"].to_list()
    assert as_query.collect().equals(RIDES)


def test_a_pandas_table_is_kept_as_a_table(blobs: LocalBlobs, tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, float("nan")]})

    back = values.decode(kept(frame, blobs, tmp_path), None, blobs, scratch=tmp_path)

    assert back.to_dict(as_series=False) == {"a": [1, 2], "b": ["x", None], "c": [0.5, None]}


def test_an_array_comes_back_whole(blobs: LocalBlobs, tmp_path: Path) -> None:
    array = RANDOM.normal(size=(3, 4))

    stored = kept(array, blobs, tmp_path)

    assert stored.kind is ValueKind.ARRAY
    np.testing.assert_array_equal(values.decode(stored, None, blobs, scratch=tmp_path), array)


def test_what_can_not_be_kept_is_named(blobs: LocalBlobs, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match=r"the result is a _thread.lock, which can't be kept"):
        kept(threading.Lock(), blobs, tmp_path)


def test_a_model_comes_back_with_its_reference(blobs: LocalBlobs, tmp_path: Path) -> None:
    model = a_model()
    stored = kept(model, blobs, tmp_path)

    back = values.decode(stored, ms.Model, blobs, scratch=tmp_path)

    assert stored.kind is ValueKind.MODEL
    assert stored.summary == "HistGradientBoostingRegressor, 2 inputs"
    assert "MLmodel" in {entry.path for entry in read_manifest(blobs, stored.digest).entries}
    np.testing.assert_array_equal(back.predict(RIDES), model.predict(RIDES))
    assert back.reference == model.reference
    assert back.signature == model.signature
    assert kept(back, blobs, tmp_path) == stored


def test_a_model_trained_on_pandas_or_arrays_is_given_the_same(
    blobs: LocalBlobs, tmp_path: Path
) -> None:
    target = RIDES["count"].to_numpy()
    frame = pd.DataFrame({"hour": INPUTS["hour"].to_numpy(), "temperature": 1.0})
    for inputs in (frame, INPUTS.to_numpy()):
        model = ms.Model(LinearRegression().fit(inputs, target), inputs=inputs)

        back = values.decode(kept(model, blobs, tmp_path), ms.Model, blobs, scratch=tmp_path)

        table = (
            INPUTS
            if back.container == "pandas"
            else INPUTS.rename({"hour": "x0", "temperature": "x1"})
        )
        np.testing.assert_allclose(back.predict(table), model.predict(table))


def test_a_model_needs_the_table_it_was_trained_on() -> None:
    with pytest.raises(Invalid, match="are a table, not a list"):
        ms.Model(LinearRegression(), inputs=[1, 2])


def test_a_table_without_the_models_inputs_is_refused() -> None:
    with pytest.raises(Invalid, match="lacks temperature"):
        a_model().predict(INPUTS.select("hour"))


def test_an_evaluation_keeps_what_gates_need(blobs: LocalBlobs, tmp_path: Path) -> None:
    metrics = ms.evaluate(a_model(), RIDES.tail(100), target="count")

    stored = kept(metrics, blobs, tmp_path)

    evaluation = values.read_evaluation(blobs, stored)
    assert set(evaluation.values) == {"mae", "rmse", "r2", "bias"}
    assert evaluation.target == "count"
    assert evaluation.table is not None
    assert evaluation.model is not None
    assert evaluation.reference is not None
    assert pl.read_parquet(blobs.path_of(evaluation.table)).equals(RIDES.tail(100))
    assert "MLmodel" in {entry.path for entry in read_manifest(blobs, evaluation.model).entries}
    reference = decode_json(blobs.read(evaluation.reference), Reference)
    assert reference.row_count == 400
    assert reference.prediction is not None
    assert reference.mae == pytest.approx(evaluation.values["mae"])
    for feature in reference.features:
        assert feature.abs_errors is not None
        assert sum(feature.abs_errors) == pytest.approx(100 * evaluation.values["mae"])
        assert feature.error_counts is not None
        assert sum(feature.error_counts) == 100
        assert sum(feature.counts) == 400


def test_regression_metrics_are_those_of_scikit_learn() -> None:
    from sklearn import metrics as reference

    model = a_model()
    truth, answers = RIDES["count"].to_numpy(), model.predict(RIDES)

    found = ms.evaluate(model, RIDES, target="count")

    assert found["mae"] == pytest.approx(reference.mean_absolute_error(truth, answers))
    assert found["rmse"] == pytest.approx(reference.root_mean_squared_error(truth, answers))
    assert found["r2"] == pytest.approx(reference.r2_score(truth, answers))
    assert found["bias"] == pytest.approx(float(np.mean(answers - truth)))


def test_two_classes_are_judged_with_probabilities() -> None:
    rides = INPUTS.with_columns(
        busy=pl.when(pl.col("temperature") > 15).then(pl.lit("yes")).otherwise(pl.lit("no"))
    )
    estimator = LogisticRegression().fit(INPUTS, rides["busy"].to_numpy())

    found = ms.evaluate(ms.Model(estimator, inputs=INPUTS), rides, target="busy")

    assert set(found.values) == {"accuracy", "f1", "log_loss", "roc_auc"}
    assert found["accuracy"] > 0.9
    assert found.reference is not None
    assert found.reference.accuracy == pytest.approx(found["accuracy"])


def test_a_class_that_the_model_never_saw_counts_as_wrong() -> None:
    rides = INPUTS.with_columns(kind=pl.col("hour") % 3)
    known = rides.filter(pl.col("kind") < 2)
    estimator = LogisticRegression().fit(known.select(INPUTS.columns), known["kind"].to_numpy())

    found = ms.evaluate(ms.Model(estimator, inputs=INPUTS), rides, target="kind")

    assert "log_loss" not in found.values
    assert found["accuracy"] < 0.7


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (RIDES.drop("count"), "no column 'count'"),
        (RIDES.head(0), "no rows"),
        (RIDES.with_columns(count=None), "400 of 400 rows have no 'count'"),
    ],
)
def test_an_evaluation_without_truth_is_refused(frame: pl.DataFrame, told: str) -> None:
    with pytest.raises(Invalid, match=told):
        ms.evaluate(a_model(), frame, target="count")


def test_metrics_are_numbers() -> None:
    assert ms.Metrics(a=np.float32(0.5), b=2).values == {"a": 0.5, "b": 2.0}
    with pytest.raises(Invalid, match="'c' is 'high'"):
        ms.Metrics(c="high")  # type: ignore[arg-type]


def test_metrics_made_by_hand_come_back(blobs: LocalBlobs, tmp_path: Path) -> None:
    stored = kept(ms.Metrics(score=0.5), blobs, tmp_path)

    assert values.decode(stored, None, blobs, scratch=tmp_path)["score"] == 0.5
    assert values.read_evaluation(blobs, stored).model is None


def test_columns_to_slice_by_are_kept_beside_what_the_model_takes() -> None:
    rides = RIDES.with_columns(shop=pl.lit("a"))

    found = ms.evaluate(a_model(), rides, target="count", keep=["shop"])

    plain = ms.evaluate(a_model(), RIDES, target="count")
    assert found.held_out is not None
    assert plain.held_out is not None
    assert found.held_out.columns == [*plain.held_out.columns, "shop"]
    assert found.values == plain.values


def test_a_column_to_keep_that_is_not_there_is_refused() -> None:
    with pytest.raises(Invalid, match="no column 'shop' to keep"):
        ms.evaluate(a_model(), RIDES, target="count", keep=["shop"])
