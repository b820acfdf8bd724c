"""The world outside: people ask about every hour, the truth comes a day later, data is delivered every month."""

import http.client
import json
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import polars as pl

LABEL_DELAY = timedelta(days=1)

_CONNECTIONS = 8
_TICK_SECONDS = 0.02
_PATIENCE_SECONDS = 60.0
_LATE_PACE = 1 / 6
_LAST_PACE = 2.0


class Pace(float, Enum):
    """How fast time runs, as a share of the speed asked for.

    A year passes in a minute here; at that pace a training of seconds would last for months, and the world
    would be another when its model comes. A rollout needs traffic, so time runs on during one.
    """

    QUIET = 1.0
    ROLLOUT = 0.13
    TRAINING = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one hour."""

    ride_id: int
    event_at: datetime
    prediction: str
    value: float
    version: str
    arm: str
    seconds: float
    answered_at: datetime


class Town:
    """Replays hours as HTTP requests from a thread of its own until they are over or `stop` is called.

    A `patient` town asks again when it is told to wait; for any other that is a failure. `pace` slows time,
    never below `least_pace`; beyond the share `keep_back` of the year it slows down until `let_go`.
    """

    def __init__(
        self,
        rides: "pl.DataFrame",
        *,
        serving_url: str,
        service: str,
        hours_per_second: float,
        deliver: Callable[[datetime], None],
        patient: bool = False,
    ) -> None:
        self._hours = [_hour(row) for row in rides.iter_rows(named=True)]
        self._url = urlsplit(serving_url)
        self._service = service
        self._speed = hours_per_second
        self._deliver = deliver
        self._patient = patient
        self._pool = ThreadPoolExecutor(_CONNECTIONS, thread_name_prefix="asking")
        self._post_office = ThreadPoolExecutor(1, thread_name_prefix="delivering")
        self._deliveries: list[Future[None]] = []
        self._local = threading.local()
        self._open: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._live, name="town", daemon=True)
        self._pending: deque[Future[None]] = deque()
        self._labels_from = 0
        self.pace = Pace.QUIET
        self.keep_back = 1.0
        self.least_pace = 0.0
        self._is_let_go = False
        self.sent = 0
        self.answers: list[Answer] = []
        self.failures: list[str] = []
        self.repeats = 0
        self.labels_sent = 0
        self.error: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()
        self._pool.shutdown()
        self._post_office.shutdown(cancel_futures=True)
        for connection in self._open:
            connection.close()

    def let_go(self) -> None:
        """Let time run to the end of the year, whatever else is going on."""
        self._is_let_go = True

    @property
    def is_over(self) -> bool:
        return not self._thread.is_alive()

    @property
    def hour_count(self) -> int:
        return len(self._hours)

    @property
    def now(self) -> datetime:
        """The hour that it is in the town."""
        place = min(self.sent, len(self._hours) - 1)
        return self._hours[place].at

    def _live(self) -> None:
        try:
            self._replay()
        except BaseException as error:
            # Raised where the story waits for the town; a thread of its own has nobody to tell.
            self.error = error

    def _replay(self) -> None:
        due, last = 0.0, time.monotonic()
        next_delivery = _after(self._hours[0].at)
        while self.sent < len(self._hours) and not self._stop.is_set():
            self._stop.wait(_TICK_SECONDS)
            now = time.monotonic()
            due = min(due + (now - last) * self._pace(), self.sent + self._speed * 0.2)
            last = now
            while self.sent < min(int(due), len(self._hours)):
                hour = self._hours[self.sent]
                if hour.at >= next_delivery:
                    self._deliveries.append(self._post_office.submit(self._deliver, next_delivery))
                    next_delivery = _after(next_delivery)
                self._pending.append(self._pool.submit(self._ask, hour))
                self.sent += 1
                self._throttle()
                if hour.at.hour == 0:
                    self._send_labels(hour.at - LABEL_DELAY)
        self._settle()
        self._send_labels(self._hours[self.sent - 1].at + timedelta(hours=1))
        for delivery in self._deliveries:
            delivery.result()

    def _pace(self) -> float:
        """Hours per second right now."""
        if self._is_let_go:
            return self._speed * _LAST_PACE
        if self.sent >= self.keep_back * len(self._hours):
            # Not stopped: a rollout needs traffic, and what is still to be told needs hours.
            return min(self._speed * _LATE_PACE, (len(self._hours) - self.sent) / 30)
        return self._speed * max(self.pace.value, self.least_pace)

    def _throttle(self) -> None:
        """Never run ahead of the answers by more than a few requests for every connection."""
        while len(self._pending) > 4 * _CONNECTIONS:
            self._pending.popleft().result()

    def _settle(self) -> None:
        while self._pending:
            self._pending.popleft().result()

    def _send_labels(self, before: datetime) -> None:
        batch = []
        while self._labels_from < self.sent and self._hours[self._labels_from].at < before:
            hour = self._hours[self._labels_from]
            batch.append({"key": str(hour.ride_id), "value": hour.count})
            self._labels_from += 1
        if batch:
            self._pool.submit(self._post, f"/v2/models/{self._service}/labels", json.dumps(batch))
            self.labels_sent += len(batch)

    def _ask(self, hour: "_Hour") -> None:
        began = time.monotonic()
        status, body = self._post(f"/services/{self._service}/invocations", hour.body)
        seconds = time.monotonic() - began
        if status != 200:
            with self._lock:
                self.failures.append(f"hour {hour.at:%Y-%m-%d %H:00}: {status} {body[:200]!r}")
            return
        reply = json.loads(body)
        parameters = reply["parameters"]
        answer = Answer(
            ride_id=hour.ride_id,
            event_at=hour.at,
            prediction=parameters["prediction_id"][0],
            value=float(reply["predictions"][0]),
            version=parameters["model_version"],
            arm=parameters["arm"],
            seconds=seconds,
            answered_at=datetime.now(UTC),
        )
        with self._lock:
            self.answers.append(answer)

    def _post(self, path: str, body: str) -> tuple[int, bytes]:
        """Send until something answers: a process that restarts is waited for, as any good client would."""
        began = time.monotonic()
        while True:
            status, answer = self._post_once(path, body)
            away = status == 0 or (self._patient and status in (429, 503, 504))
            late = time.monotonic() - began > _PATIENCE_SECONDS or self._stop.is_set()
            if not away or late:
                return status, answer
            with self._lock:
                self.repeats += 1
            time.sleep(0.05)

    def _post_once(self, path: str, body: str) -> tuple[int, bytes]:
        """One request; status 0 says that no answer came."""
        connection = self._connection()
        try:
            connection.request("POST", path, body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            # Closed, it connects anew with its next request.
            connection.close()
            return 0, repr(error).encode()

    def _connection(self) -> http.client.HTTPConnection:
        connection: http.client.HTTPConnection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = http.client.HTTPConnection(
                self._url.hostname or "", self._url.port, timeout=30
            )
            self._local.connection = connection
            self._open.append(connection)
        return connection


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hour:
    ride_id: int
    at: datetime
    count: int
    body: str


def _hour(row: dict[str, Any]) -> _Hour:
    at: datetime = row["time"].replace(tzinfo=UTC)
    asked = {
        "hour": at.hour,
        "weekday": at.isoweekday(),
        "workingday": row["workingday"],
        "weather": row["weather"],
        "temperature": row["temperature"],
        "humidity": row["humidity"],
        "windspeed": row["windspeed"],
    }
    body = {
        "dataframe_records": [asked],
        "params": {"key": str(row["ride_id"]), "event_time": at.isoformat()},
    }
    return _Hour(ride_id=row["ride_id"], at=at, count=row["count"], body=json.dumps(body))


def _after(moment: datetime) -> datetime:
    """The next day of delivery: the first of every month."""
    return (moment.replace(day=1, hour=0) + timedelta(days=32)).replace(day=1)
