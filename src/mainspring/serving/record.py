"""Remembering what was answered: in the prediction log, and in the metrics."""

import time
from dataclasses import dataclass, field
from typing import Any, Protocol

from mainspring.domain.prediction import PredictionId
from mainspring.serving.inputs import Rows
from mainspring.serving.log.frames import Answered
from mainspring.serving.metrics import Metrics
from mainspring.serving.pool import Pool


@dataclass(slots=True)
class Part:
    """Rows of a request that go to one arm; `places` says where in the request they stand."""

    arm: str
    pool: Pool
    rows: Rows
    ids: list[PredictionId]
    places: list[int] | None = None


class RecordLog(Protocol):
    """Where answers are kept."""

    def append(self, service: str, content: Answered, record_count: int) -> None: ...

    async def kept(self) -> None:
        """Wait until what was appended survives the end of this process."""


@dataclass(slots=True)
class _Counters:
    """A version's metrics, looked up once: finding them costs more than counting."""

    succeeded: Any
    failed: Any
    seconds: Any
    rows: dict[str, Any] = field(default_factory=dict)


class Recorder:
    """Writes down every answer and every failure to answer."""

    def __init__(self, log: RecordLog, metrics: Metrics) -> None:
        self._log = log
        self._metrics = metrics
        self._counters: dict[tuple[str, int], _Counters] = {}

    def record(
        self,
        part: Part,
        outputs: list[Any] | None,
        seconds: float,
        *,
        code: int = 200,
        error: str | None = None,
    ) -> None:
        """Keep what a version answered, or (with `outputs` None) that it did not."""
        rows = part.rows
        self._log.append(
            part.pool.service,
            Answered(
                ids=part.ids,
                version=part.pool.version.id,
                arm=part.arm,
                keys=rows.keys,
                at=time.time_ns() // 1000,
                event_at=rows.event_at,
                names=rows.names,
                columns=rows.logged,
                outputs=_single(outputs),
                latency_ms=seconds * 1000,
                code=code,
                error=error,
            ),
            rows.count,
        )
        self._count(part, seconds, answered=outputs is not None)

    def _count(self, part: Part, seconds: float, *, answered: bool) -> None:
        counters = self._counters_of(part.pool)
        counters.seconds.observe(seconds)
        if not answered:
            counters.failed.inc()
            return
        counters.succeeded.inc()
        rows = counters.rows.get(part.arm)
        if rows is None:
            number = str(part.pool.version.number)
            rows = self._metrics.rows.labels(part.pool.service, number, part.arm)
            counters.rows[part.arm] = rows
        rows.inc(part.rows.count)

    def _counters_of(self, pool: Pool) -> _Counters:
        key = (pool.service, pool.version.number)
        found = self._counters.get(key)
        if found is None:
            labels = (pool.service, str(pool.version.number))
            found = self._counters[key] = _Counters(
                succeeded=self._metrics.succeeded.labels(*labels),
                failed=self._metrics.failed.labels(*labels),
                seconds=self._metrics.model_seconds.labels(*labels),
            )
        return found


def _single(outputs: list[Any] | None) -> list[Any] | None:
    """Answers as the log keeps them: one value per row. Of several values per row it keeps none."""
    if outputs and isinstance(outputs[0], list):
        return [None] * len(outputs)
    return outputs
