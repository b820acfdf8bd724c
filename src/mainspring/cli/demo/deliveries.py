"""What the data team delivers: all rides so far, every month; once, a broken file."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from mainspring.quality.intake import IntakeResult, add_data

if TYPE_CHECKING:
    import polars as pl

    from mainspring.cli.demo.folder import DemoFolder
    from mainspring.sdk.client import Client

DATASET = "rides"


class DataTeam:
    """Writes files into the folder of deliveries and adds them as versions of the dataset."""

    def __init__(self, client: "Client", folder: "DemoFolder", rides: "pl.DataFrame") -> None:
        self._client = client
        self._folder = folder
        self._rides = rides

    def deliver(self, until: datetime) -> IntakeResult:
        """Deliver every hour before `until`."""
        import polars as pl

        naive = until.replace(tzinfo=None)
        path = self._write(
            f"rides-until-{naive:%Y-%m-%d}", self._rides.filter(pl.col("time") < naive)
        )
        return add_data(self._client.call, self._client.blobs, DATASET, path, note=path.name)

    def deliver_broken(self, until: datetime) -> IntakeResult:
        """Deliver a month whose thermometers turned American and whose hygrometers fail every third hour."""
        import polars as pl

        naive = until.replace(tzinfo=None)
        good = self._rides.filter(pl.col("time") < naive).tail(720)
        fahrenheit = [
            (pl.col(name) * 9 / 5 + 32).round(1).alias(name)
            for name in ("temperature", "feels_like")
        ]
        number = pl.int_range(pl.len())
        broken = good.with_columns(
            *fahrenheit,
            humidity=pl.when(number % 3 != 0).then("humidity"),
            weather=pl.when(number % 90 == 7).then(pl.lit("hail")).otherwise("weather"),
        )
        path = self._write(f"rides-broken-{naive:%Y-%m-%d}", broken)
        return add_data(self._client.call, self._client.blobs, DATASET, path, note=path.name)

    def _write(self, name: str, frame: "pl.DataFrame") -> Path:
        path = self._folder.deliveries / f"{name}.parquet"
        frame.write_parquet(path)
        return path
