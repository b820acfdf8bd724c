"""The times that a dataset declares, for those who read it as of a moment."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from mainspring.domain.times import Times
from mainspring.quality.requests import GetSchema
from mainspring.quality.schema_file import parse_schema


def times_of(call: Callable[..., Any], dataset: str, *, at: datetime | None = None) -> Times | None:
    """What the schema in force says of a dataset's times, now or at a moment. `Any`: each request has its answer."""
    stored = call(GetSchema(dataset=dataset, at=at))
    return parse_schema(stored.toml).times if stored else None


def declared_times(
    call: Callable[..., Any], datasets: Mapping[str, str], *, at: datetime | None = None
) -> dict[str, Times]:
    """The times of those datasets that declare any, by what they are called here. `Any`: as for `times_of`."""
    found = {name: times_of(call, dataset, at=at) for name, dataset in datasets.items()}
    return {name: times for name, times in found.items() if times is not None}
