"""The story from its beginning to its end."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from mainspring.app import App, open_app
from mainspring.config import Settings
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.model import ModelVersion
from mainspring.domain.monitor import Incident
from mainspring.domain.pipeline import (
    PipelineRun,
)
from mainspring.domain.rollout import (
    Rollout,
)
from mainspring.kernel.clock import FakeClock
from mainspring.monitoring.requests import (
    CloseIncident,
)
from mainspring.testing.story.answers import an_answered_question
from mainspring.testing.story.beginning import ALICE
from mainspring.testing.story.others import Others


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """The installation, and ids of what is worth looking at."""

    app: App
    rides: DatasetVersion
    refused: DatasetVersion
    first: ModelVersion
    champion: ModelVersion
    rolled_back: ModelVersion
    run: PipelineRun
    failed_run: PipelineRun
    incident: Incident
    open_incident: Incident
    waiting: Rollout
    tracked_run: str
    trace: str
    prediction: str


def a_lived_in_app(home: Path, *, database: str = "", end: datetime | None = None) -> Story:
    """Live through the story so that it ends at `end` (by default an hour-aligned now)."""
    end = end or datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    clock = FakeClock(end - timedelta(days=3, hours=5))
    app = open_app(Settings(home=home, database=database), actor=ALICE, clock=clock)
    return _Teller(app, clock, end).tell()


class _Teller(Others):
    """Makes things happen, one after the other."""

    def tell(self) -> Story:
        app = self.app
        rides = self._rides(900, warmer=0.0, note="the first year")
        self._expect(rides)
        self._demand()
        self.wait(minutes=3)

        run = self._run(rides, why="demand has no model yet")
        first = self._version(run, rmse=48.2, rides=rides)
        self._judge(first, champion=None)
        self._roll_out(first, "it passed every gate and nothing answers yet")
        self._hours(40, first, drift=0.0)
        self._hours(14, first, drift=1.0)
        incident = self._incident("demand", first)

        newer = self._rides(1400, warmer=1.0, note="the second year so far")
        refused = self._in_fahrenheit()
        failed_run = self._failing_run(newer)
        run = self._run(newer, why="harmful drift is open and rides v2 is newer", cached=True)
        champion = self._version(run, rmse=41.7, rides=newer)
        self._judge(champion, champion=48.9)
        self._roll_out(champion, "it beats the champion on held-out rows, 95 % sure")
        self._hours(16, champion, drift=0.25)
        incident = self.monitoring.call(
            CloseIncident(
                incident=incident.id,
                resolution="demand v2 was promoted and the error is back below 25",
            )
        )
        rolled_back = self._rolled_back(newer)
        prediction = self._last_answers(champion)
        tracked = self._tuning()
        trace = an_answered_question(app, self.clock.now(), tracked)
        open_incident, waiting = self._fraud()
        self._churn()
        self._running(newer)
        self._refused_request()
        self._report(champion, waiting)
        return Story(
            app=app,
            rides=newer,
            refused=refused,
            first=first,
            champion=champion,
            rolled_back=rolled_back,
            run=run,
            failed_run=failed_run,
            incident=incident,
            open_incident=open_incident,
            waiting=waiting,
            tracked_run=tracked,
            trace=trace,
            prediction=prediction,
        )
