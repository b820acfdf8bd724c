"""Hourly rides in everyday units, from the published table.

The published table scales temperature, humidity and wind to 0..1 and numbers the kinds of weather; its
description gives the scales, which are undone here. The rows are all there, in the order of time.
"""

from pathlib import Path

import polars as pl

HOURS = Path(__file__).with_name("hour.parquet")

WEATHER = {1: "clear", 2: "mist", 3: "rain", 4: "storm"}


def rides() -> pl.DataFrame:
    """All 17,379 hours of 2011 and 2012."""
    date = pl.col("dteday").str.to_datetime("%Y-%m-%d", time_unit="us")
    return pl.read_parquet(HOURS).select(
        ride_id=pl.col("instant"),
        time=date + pl.duration(hours=pl.col("hr")),
        holiday=pl.col("holiday").cast(pl.Boolean),
        workingday=pl.col("workingday").cast(pl.Boolean),
        weather=pl.col("weathersit").replace_strict(WEATHER),
        temperature=(pl.col("temp") * 47 - 8).round(1),
        feels_like=(pl.col("atemp") * 66 - 16).round(1),
        humidity=(pl.col("hum") * 100).round(0),
        windspeed=(pl.col("windspeed") * 67).round(1),
        casual=pl.col("casual"),
        registered=pl.col("registered"),
        count=pl.col("cnt"),
    )


if __name__ == "__main__":
    everything = rides()
    for year in (2011, 2012):
        part = everything.filter(pl.col("time").dt.year() == year)
        part.write_parquet(f"rides-{year}.parquet")
        print(f"rides-{year}.parquet: {part.height:,} hours")
