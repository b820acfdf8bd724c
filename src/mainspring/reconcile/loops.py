"""The loops of one installation, each as what it looks at, plans and does."""

import logging
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from mainspring.blobs.port import BlobStore
from mainspring.config import Settings
from mainspring.domain.monitor import Window
from mainspring.domain.request import Call
from mainspring.domain.service import MonitorPolicy, Service
from mainspring.kernel.errors import Conflict, Invalid
from mainspring.monitoring.follow import Follower
from mainspring.monitoring.requests import (
    ForgetPredictions,
    GetProgress,
    JudgeWindows,
    ListWindows,
)
from mainspring.reconcile.act import Hands
from mainspring.reconcile.actions import Action
from mainspring.reconcile.guards import Traffic
from mainspring.reconcile.loop import Loop
from mainspring.reconcile.monitoring import plan_monitoring
from mainspring.reconcile.observe import Evaluations, see_monitoring, see_rollout, see_training
from mainspring.reconcile.retention import expire_predictions
from mainspring.reconcile.rollout import plan_rollout
from mainspring.reconcile.training import plan_training

# A label that comes later than this after its prediction's window is not waited for.
_KEPT_WINDOWS = 1000
_LEAST_KEPT = timedelta(days=90)
_FORGETTING_EVERY = timedelta(hours=1)
_LABELS_EVERY = timedelta(minutes=1)
_LOOKING_EVERY = timedelta(seconds=5)

log = logging.getLogger(__name__)


class Duty(Protocol):
    """A loop as a controller drives it."""

    @property
    def name(self) -> str: ...

    def tick(self, services: Sequence[Service], now: datetime) -> bool:
        """Look and act once; True if something was done, so that the next look is due at once."""
        ...

    @property
    def pause_seconds(self) -> float:
        """How long to wait for news before looking anyway."""
        ...

    def look_again(self) -> None:
        """Something happened in the store."""
        ...


class Training:
    """Trains, registers, judges, and begins rollouts."""

    name = "training"
    pause_seconds = 5.0

    def __init__(self, call: Call, blobs: BlobStore, settings: Settings) -> None:
        self._call = call
        self._evaluations = Evaluations(blobs)
        hands = Hands(call, blobs, settings, self._evaluations)
        self._loop = Loop(self.name, self._plan, hands.carry_out)

    def tick(self, services: Sequence[Service], now: datetime) -> bool:
        return self._loop.tick(services, now)

    def look_again(self) -> None:
        """It always looks at everything."""

    def _plan(self, service: Service, now: datetime) -> Iterable[Action]:
        if service.paused:
            return []
        return plan_training(see_training(self._call, self._evaluations, service), now)


class Rollouts:
    """Brings rollouts to their end."""

    name = "rollout"

    def __init__(self, call: Call, blobs: BlobStore, settings: Settings) -> None:
        self._call = call
        self._traffic = Traffic(settings)
        hands = Hands(call, blobs, settings, Evaluations(blobs))
        self._loop = Loop(self.name, self._plan, hands.carry_out)
        self._under_way: set[str] = set()

    @property
    def pause_seconds(self) -> float:
        return 0.5 if self._under_way else 5.0

    def tick(self, services: Sequence[Service], now: datetime) -> bool:
        return self._loop.tick(services, now)

    def look_again(self) -> None:
        """It always looks at everything."""

    def _plan(self, service: Service, now: datetime) -> Iterable[Action]:
        name = service.spec.name
        seen = see_rollout(self._call, self._traffic, service)
        if seen is None:
            self._traffic.forget(name)
            self._under_way.discard(name)
            return []
        self._under_way.add(name)
        return plan_rollout(seen, now)


class Monitoring:
    """Follows the prediction log and labels of every service, judges windows, opens and closes incidents."""

    name = "monitoring"
    pause_seconds = 0.5

    def __init__(self, call: Call, blobs: BlobStore, settings: Settings) -> None:
        self._call = call
        self._settings = settings
        self._follower = Follower(call, blobs, settings)
        hands = Hands(call, blobs, settings, Evaluations(blobs))
        self._loop = Loop(self.name, self._plan, hands.carry_out)
        self._looked_at: dict[str, datetime] = {}
        self._labels_at: dict[str, datetime] = {}
        self._forgot_at: dict[str, datetime] = {}

    def tick(self, services: Sequence[Service], now: datetime) -> bool:
        return self._loop.tick(services, now)

    def look_again(self) -> None:
        self._looked_at.clear()
        self._labels_at.clear()

    def _plan(self, service: Service, now: datetime) -> Iterable[Action]:
        """Costs a look at the sizes of some files, unless there is news or it is time."""
        name = service.spec.name
        has_news = self._follower.has_news(name)
        if not has_news and not _is_time(self._looked_at, name, now, _LOOKING_EVERY):
            return []
        if has_news:
            self._read_log(name)
        self._looked_at[name] = now
        self._read_labels(service, now)
        if self._call(GetProgress(service=name)).due_count:
            self._call(JudgeWindows(service=name))
        self._forget(service, now)
        return plan_monitoring(see_monitoring(self._call, service))

    def _read_log(self, name: str) -> None:
        try:
            self._follower.read_log(name)
        except Conflict as error:
            # Another controller read on; the next look goes on from where it is.
            log.info("monitoring: %s", error.message)

    def _read_labels(self, service: Service, now: datetime) -> None:
        source, name = service.spec.monitor.labels, service.spec.name
        if source is None or not _is_time(self._labels_at, name, now, _LABELS_EVERY):
            return
        self._labels_at[name] = now
        try:
            self._follower.read_labels(name, source)
        except Invalid as error:
            # Labels that can't be read must not keep the rest from being watched.
            log.error("monitoring: %s", error)

    def _forget(self, service: Service, now: datetime) -> None:
        """Now and then, stop waiting for labels of what happened long ago in event time, and remove answers
        that the home keeps no longer."""
        name = service.spec.name
        if not _is_time(self._forgot_at, name, now, _FORGETTING_EVERY):
            return
        self._forgot_at[name] = now
        expire_predictions(self._call, self._settings, name, now)
        newest = self._call(ListWindows(service=name, limit=1))
        if newest:
            self._call(
                ForgetPredictions(
                    service=name, before=forgotten_before(newest[0], service.spec.monitor)
                )
            )


def forgotten_before(newest: Window, policy: MonitorPolicy) -> datetime:
    """The event time before which predictions no longer wait for labels."""
    length = timedelta(seconds=policy.window_seconds)
    return newest.end - max(_LEAST_KEPT, _KEPT_WINDOWS * length)


def _is_time(last: dict[str, datetime], name: str, now: datetime, every: timedelta) -> bool:
    return name not in last or now >= last[name] + every
