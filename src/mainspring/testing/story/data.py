"""The deliveries of the story."""

import math
from typing import TYPE_CHECKING

from mainspring.datasets.tables import scan
from mainspring.domain.dataset import DatasetVersion
from mainspring.quality.infer import infer_toml
from mainspring.quality.intake import add_data
from mainspring.quality.requests import AcceptSchema

if TYPE_CHECKING:
    import polars as pl

from mainspring.testing.story.beginning import Beginning


class Data(Beginning):
    """Hourly rides: temperatures, weather, counts."""

    def _frame(self, rows: int, warmer: float) -> "pl.DataFrame":
        import polars as pl

        records = [self._ride(i % 24, warmer) for i in range(rows)]
        return pl.DataFrame([{**ride, "count": self._count(ride)} for ride in records])

    def _ride(self, hour: int, warmer: float) -> dict[str, float | int | str | bool | None]:
        warm = 12 + 8 * math.sin((hour - 8) / 24 * 2 * math.pi) + self.random.gauss(0, 4) + warmer
        missing = self.random.random() < 0.01
        return {
            "temperature": round(warm, 1),
            "humidity": None if missing else round(self.random.uniform(30, 95), 0),
            "hour": hour,
            "weather": self.random.choices(["clear", "mist", "rain"], [0.6, 0.3, 0.1])[0],
            "working_day": self.random.random() < 0.7,
        }

    def _count(self, ride: dict[str, float | int | str | bool | None]) -> int:
        rush = 90 if ride["hour"] in (8, 17, 18) else 0
        base = 40 + 5 * float(ride["temperature"] or 0) + rush
        return max(0, round(base * (0.6 if ride["weather"] == "rain" else 1)))

    def _rides(self, rows: int, *, warmer: float, note: str) -> DatasetVersion:
        """The next delivery; judged by the schema if there is one."""
        self.wait(minutes=2)
        frame = self._frame(rows, warmer)
        return add_data(self.app.call, self.app.blobs, "rides", frame, note=note).version

    def _in_fahrenheit(self) -> DatasetVersion:
        import polars as pl

        self.wait(minutes=2)
        frame = self._frame(1400, 7.0).with_columns(
            temperature=pl.col("temperature") * 1.8 + 32,
            humidity=pl.when(pl.int_range(pl.len()) % 3 > 0).then(pl.col("humidity")),
        )
        return add_data(
            self.app.call, self.app.blobs, "rides", frame, note="a delivery in Fahrenheit"
        ).version

    def _expect(self, rides: DatasetVersion) -> None:
        """Put in force what the first delivery was like, a little wider."""
        table = scan(self.app.blobs, rides.manifest)
        toml = infer_toml("rides", table)
        self.app.call(AcceptSchema(dataset="rides", toml=toml))
