"""One loop: look, plan, act, and wait longer before trying again what failed."""

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mainspring.domain.service import Service
from mainspring.kernel.errors import Conflict, MainspringError, Unavailable
from mainspring.reconcile.actions import Action, ShowReadings, identity, reason_for

_FIRST_WAIT = timedelta(seconds=2)
_LAST_WAIT = timedelta(minutes=5)

log = logging.getLogger(__name__)

Plan = Callable[[Service, datetime], Iterable[Action]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Failure:
    """How often in a row an action failed, and when it may be tried again."""

    count: int
    retry_at: datetime


class Backoff:
    """Keeps an action that failed from being tried at every look."""

    def __init__(self) -> None:
        self._failures: dict[tuple[str, ...], _Failure] = {}

    def may_try(self, key: tuple[str, ...], now: datetime) -> bool:
        failure = self._failures.get(key)
        return failure is None or now >= failure.retry_at

    def failed(self, key: tuple[str, ...], now: datetime) -> timedelta:
        """Note a failure; gives back how long to wait."""
        count = self._failures[key].count + 1 if key in self._failures else 1
        wait = min(_FIRST_WAIT * (1 << min(count - 1, 20)), _LAST_WAIT)
        self._failures[key] = _Failure(count=count, retry_at=now + wait)
        return wait

    def succeeded(self, key: tuple[str, ...]) -> None:
        self._failures.pop(key, None)


class Loop:
    """Looks at every service in turn. One service's trouble never keeps the others waiting for good."""

    def __init__(self, name: str, plan: Plan, carry_out: Callable[[Action], None]) -> None:
        self.name = name
        self._plan = plan
        self._carry_out = carry_out
        self._backoff = Backoff()

    def tick(self, services: Iterable[Service], now: datetime) -> bool:
        """Look once and act; True if something was done, so that another look may be due at once."""
        acted = False
        for service in services:
            acted = self._tend(service, now) or acted
        return acted

    def _tend(self, service: Service, now: datetime) -> bool:
        key = ("look", service.spec.name)
        if not self._backoff.may_try(key, now):
            return False
        try:
            actions = list(self._plan(service, now))
        except Exception as error:
            self._failed(key, now, error)
            return False
        self._backoff.succeeded(key)
        acted = False
        for action in actions:
            acted = self._act(action, now) or acted
        return acted

    def _act(self, action: Action, now: datetime) -> bool:
        key = identity(action)
        if not self._backoff.may_try(key, now):
            return False
        try:
            self._carry_out(action)
        except Conflict as error:
            # The state moved on between the look and the act; the next look decides anew.
            log.info("%s: %s was overtaken: %s", self.name, " ".join(key), error.message)
            self._backoff.failed(key, now)
            return False
        except Exception as error:
            self._failed(key, now, error)
            return False
        self._backoff.succeeded(key)
        if isinstance(action, ShowReadings):
            return False
        log.info("%s: %s: %s", self.name, " ".join(key), reason_for(action))
        return True

    def _failed(self, key: tuple[str, ...], now: datetime, error: Exception) -> None:
        wait = self._backoff.failed(key, now).total_seconds()
        what = f"{self.name}: {' '.join(key)} failed, next try in {wait:.0f} s"
        if isinstance(error, Unavailable):
            log.warning("%s: %s", what, error.message)
        elif isinstance(error, MainspringError):
            log.error("%s: %s", what, error)
        else:
            log.exception("%s", what, exc_info=error)
