"""How many bikes will be taken in an hour, from what is known before it begins."""

from datetime import timedelta

import polars as pl
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OrdinalEncoder

import mainspring as ms

WEATHER = ["clear", "mist", "rain", "storm"]
INPUTS = ["hour", "weekday", "workingday", "weather", "temperature", "humidity", "windspeed"]
TARGET = "count"


@ms.step
def features(rides: pl.DataFrame) -> pl.DataFrame:
    """Keep what is known beforehand: `casual` and `registered` add up to the answer and must go."""
    with_calendar = rides.sort("time").with_columns(
        hour=pl.col("time").dt.hour().cast(pl.Int64),
        weekday=pl.col("time").dt.weekday().cast(pl.Int64),
    )
    return with_calendar.select("time", *INPUTS, TARGET)


@ms.step
def split(table: pl.DataFrame, holdout_days: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Hold out the latest days: a model is asked about hours that come after those it learned from."""
    cut = table["time"].max() - timedelta(days=holdout_days)
    return table.filter(pl.col("time") <= cut), table.filter(pl.col("time") > cut)


@ms.step
def train(table: pl.DataFrame, half_life_days: int) -> ms.Model:
    """Fit boosted trees in which an hour counts half as much for every half-life that it is old."""
    age_days = (table["time"].max() - table["time"]).dt.total_seconds() / 86400
    encode_weather = OrdinalEncoder(
        categories=[WEATHER], handle_unknown="use_encoded_value", unknown_value=-1
    )
    estimator = make_pipeline(
        make_column_transformer((encode_weather, ["weather"]), remainder="passthrough"),
        HistGradientBoostingRegressor(loss="poisson", max_iter=200, random_state=0),
    )
    estimator.fit(
        table.select(INPUTS),
        table[TARGET].to_numpy(),
        histgradientboostingregressor__sample_weight=0.5 ** (age_days / half_life_days).to_numpy(),
    )
    return ms.Model(estimator, inputs=table.select(INPUTS))


@ms.step
def evaluate(model: ms.Model, holdout: pl.DataFrame) -> ms.Metrics:
    """Measure the model on the hours that it has not seen."""
    return ms.evaluate(model, holdout.select(*INPUTS, TARGET), target=TARGET)


@ms.pipeline
def demand(rides: ms.Dataset, holdout_days: int = 14, half_life_days: int = 30) -> ms.Metrics:
    """Features, a split by time, training, evaluation."""
    table, holdout = split(features(rides), holdout_days)
    return evaluate(train(table, half_life_days), holdout)
