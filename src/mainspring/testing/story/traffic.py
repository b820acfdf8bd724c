"""The predictions of the story, and what monitoring makes of them."""

from datetime import UTC, datetime, timedelta

from mainspring.domain.model import ModelVersion
from mainspring.domain.monitor import Finding, FindingKind, Incident, IncidentKind
from mainspring.domain.prediction import Label, Prediction, PredictionId
from mainspring.monitoring.requests import (
    JudgeWindows,
    ListWindows,
    OpenIncident,
    RecordPredictions,
)
from mainspring.serving.log.frames import Answered, microseconds
from mainspring.testing.story.releases import Releases

HOUR = timedelta(hours=1)
_WINDOW_ROWS = 60


class Traffic(Releases):
    """Hours of answers and labels, with drift when the story wants it."""

    def _hours(self, count: int, version: ModelVersion, *, drift: float) -> None:
        start = self.clock.now().replace(minute=0, second=0, microsecond=0)
        for i in range(count):
            grown = drift if drift < 1 else min(1.0, 0.3 + i / 8)
            self._window(version, start + i * HOUR, grown)
            self.clock.advance(HOUR)
        self.monitoring.call(JudgeWindows(service="demand"))

    def _window(self, version: ModelVersion, start: datetime, drift: float) -> None:
        at = start + timedelta(minutes=5)
        predictions, labels = [], []
        good = version.number > 1
        for i in range(_WINDOW_ROWS):
            ride = self._ride(i % 24, 13.0 * drift)
            ride["humidity"] = None if self.random.random() < drift * 0.2 else ride["humidity"]
            guess = float(self._count(ride))
            key = f"{start:%m%d%H}-{i}"
            predictions.append(
                Prediction(
                    id=self._id(at),
                    service="demand",
                    version=version.id,
                    arm="champion",
                    key=key,
                    at=at,
                    event_at=at + timedelta(seconds=20 * i),
                    inputs=ride,
                    output=guess,
                    latency_ms=self.random.uniform(1, 4),
                    code=200,
                )
            )
            noise = self.random.gauss(0, 6 + 0.03 * guess)
            truth = guess + noise + (0 if good else drift * 0.35 * guess)
            if i % 8:
                labels.append(Label(service="demand", key=key, value=truth, at=at + HOUR))
        # What a page shows is what monitoring read; the segment's name only has to be its own.
        self.monitoring.call(
            RecordPredictions(
                service="demand",
                segment=f"{start:%Y%m%d%H}.seg",
                from_offset=0,
                to_offset=1000,
                predictions=tuple(predictions),
                labels=tuple(labels),
                references={version.id: self.references[version.id]},
            )
        )

    def _id(self, at: datetime) -> PredictionId:
        return self.ids.take(1, int(at.timestamp() * 1000))[0]

    def _incident(self, service: str, version: ModelVersion) -> Incident:
        windows = self.app.call(ListWindows(service=service, limit=4))
        findings = tuple(f for window in windows[:1] for f in window.findings) or (
            Finding(
                kind=FindingKind.FEATURE_DRIFT,
                feature="temperature",
                method="population stability index",
                score=0.71,
                threshold=0.2,
                effect=9.4,
                detail="a third of the rows lie above anything seen in training",
            ),
        )
        return self.monitoring.call(
            OpenIncident(
                service=service,
                kind=IncidentKind.HARMFUL_DRIFT,
                summary="temperature drifted in 3 of 3 windows; the error is estimated to grow by 61 %",
                version=version.id,
                findings=findings,
                windows=tuple(window.id for window in windows),
            )
        )

    def _last_answers(self, version: ModelVersion) -> str:
        """A segment of the real log, with an answer to trace."""
        # The log names its segments by the machine's clock, and looks for an id near its time.
        now = datetime.now(UTC)
        id_ = self._id(now)
        ride = self._ride(8, 2.0)
        answered = Answered(
            ids=[id_],
            version=version.id,
            arm="champion",
            keys=["ride-17"],
            at=microseconds(now),
            event_at=None,
            names=list(ride),
            columns=[[value] for value in ride.values()],
            outputs=[214.5],
            latency_ms=2.4,
            code=200,
            error=None,
        )
        self.log.append("demand", answered, 1)
        self.log.write(self.log.take())
        self.log.close()
        return id_
