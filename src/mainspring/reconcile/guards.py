"""Live traffic of a rollout's step, read from the prediction log, and what its guards read in it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

from mainspring.config import Settings
from mainspring.domain.prediction import Label, Prediction
from mainspring.domain.rollout import GuardReading, Rollout, RolloutId
from mainspring.serving.guards import readings
from mainspring.serving.log import reader
from mainspring.serving.log.ids import time_of
from mainspring.serving.log.writer import MAX_SEGMENT_AGE

# More than this many answers of an arm tell a guard nothing new; the newest are kept.
_KEPT = 50_000
_SLACK = timedelta(minutes=2)


@dataclass(slots=True)
class _Step:
    """Records since a step of a rollout began, and how far each segment has been read."""

    rollout: RolloutId
    step_index: int
    since: datetime
    offsets: dict[str, int] = field(default_factory=dict)
    predictions: list[Prediction] = field(default_factory=list)
    labels: list[Label] = field(default_factory=list)


class Traffic:
    """Follows the traffic of rollouts, one step of one rollout per service at a time."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.predictions_path
        self._steps: dict[str, _Step] = {}

    def readings(self, rollout: Rollout) -> tuple[tuple[GuardReading, ...], int]:
        """What the guards read since the step began, and how many requests the candidate answered in it."""
        step = self._step(rollout)
        self._read_on(step, rollout)
        of_candidate = [p for p in step.predictions if p.version == rollout.candidate]
        of_champion = [p for p in step.predictions if p.version == rollout.champion]
        found = readings(
            rollout.guards,
            candidate=of_candidate,
            champion=of_champion,
            labels=step.labels,
        )
        return tuple(found), len(of_candidate)

    def forget(self, service: str) -> None:
        """No rollout of this service is under way any more."""
        self._steps.pop(service, None)

    def _step(self, rollout: Rollout) -> _Step:
        step = self._steps.get(rollout.service)
        if step is None or step.rollout != rollout.id:
            step = _Step(rollout.id, rollout.step_index, rollout.step_started_at)
            self._steps[rollout.service] = step
        elif step.step_index != rollout.step_index:
            step.step_index = rollout.step_index
            step.since = rollout.step_started_at
            step.predictions = [p for p in step.predictions if p.at >= step.since]
        return step

    def _read_on(self, step: _Step, rollout: Rollout) -> None:
        for path in self._segments(rollout.service, step.since):
            offset = step.offsets.get(path.name, 0)
            while True:
                records, after, _ = reader.read(path, offset)
                if after == offset:
                    break
                offset = after
                self._keep(step, rollout, records)
            step.offsets[path.name] = offset

    def _keep(self, step: _Step, rollout: Rollout, records: Sequence[Prediction | Label]) -> None:
        for record in records:
            if isinstance(record, Label):
                step.labels.append(record)
            elif record.at >= step.since and record.version in (
                rollout.candidate,
                rollout.champion,
            ):
                # Guards look at answers, not at inputs, which are most of a record.
                step.predictions.append(replace(record, inputs={}))
        del step.predictions[: -2 * _KEPT]
        del step.labels[: -2 * _KEPT]

    def _segments(self, service: str, since: datetime) -> Iterator[Path]:
        """Those that may hold records of that time or later."""
        for path in reader.segments(self._path, service):
            if time_of(f"prd_{path.stem}") + MAX_SEGMENT_AGE + _SLACK >= since:
                yield path
