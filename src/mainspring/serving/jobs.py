"""Requests on their way to a model, and the ways in which they can fail."""

import asyncio
from dataclasses import dataclass
from typing import Any

from mainspring.kernel.errors import Unavailable
from mainspring.serving import wire
from mainspring.serving.inputs import Rows


class Full(Unavailable):
    """As many requests wait as may."""


class TimedOut(Unavailable):
    """The model did not answer in time."""


class Failed(Unavailable):
    """The model raised an error, gave no usable answer, or took its worker with it."""


@dataclass(slots=True, eq=False)
class Job:
    """One request on its way through a pool."""

    rows: Rows
    answer: "asyncio.Future[list[Any]]"
    tries: int = 0


def batch_of(requests: list[Rows]) -> wire.Batch:
    """Requests with the same columns, laid end to end."""
    first = requests[0]
    columns = first.sent
    if len(requests) > 1:
        columns = [
            [value for rows in requests for value in rows.sent[index]]
            for index in range(len(first.names))
        ]
    return wire.Batch(
        names=first.names,
        types=first.types,
        columns=columns,
        sizes=[rows.count for rows in requests],
    )
