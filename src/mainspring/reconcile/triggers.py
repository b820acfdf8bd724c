"""The loop of triggers: looks, and asks for the runs that are due.

It decides nothing: looking and asking are operations that decide on what is so when they are carried out, so that
two loops at once, or one that is killed, lose nothing and do nothing twice.
"""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta

from mainspring.domain.request import Call
from mainspring.domain.service import Service
from mainspring.domain.trigger import CauseKind, Source, Trigger, TriggerStatus
from mainspring.kernel.errors import Conflict, MainspringError, NotFound
from mainspring.reconcile.loop import Backoff
from mainspring.reconcile.watching import Files, commit_of
from mainspring.triggers.requests import (
    CollectCauses,
    FireTrigger,
    HasWaitNews,
    ListTriggers,
    NoteTriggerError,
    NoticeWaits,
    ReportCommit,
    ReportFiles,
)

_FILES_EVERY = timedelta(seconds=2)
_COMMITS_EVERY = timedelta(seconds=30)
_AT_ONCE = 4

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Question:
    """A repository that is being asked, beside the loop: it may be far away."""

    previous: str | None
    answer: "Future[str]"


class Triggers:
    """Looks at what happened for every trigger, and asks for the runs that are due."""

    name = "triggers"

    def __init__(self, call: Call) -> None:
        self._call = call
        self._backoff = Backoff()
        self._files: dict[tuple[str, str], Files] = {}
        self._questions: dict[tuple[str, str], _Question] = {}
        self._looked_at: dict[tuple[str, str], datetime] = {}
        self._pool: ThreadPoolExecutor | None = None
        self._any = False

    @property
    def pause_seconds(self) -> float:
        return 1.0 if self._any else 5.0

    def look_again(self) -> None:
        """It always looks at everything."""

    def tick(self, services: Sequence[Service], now: datetime) -> bool:
        """Look once at every trigger; True if something was found or asked for."""
        try:
            found = self._call(ListTriggers())
        except MainspringError as error:
            log.warning("triggers: the store can't be read: %s", error.message)
            return False
        self._any = bool(found)
        acted = [self._try(("", "waits"), now, self._notice_waits)]
        acted += [self._tend(status, now) for status in found if not status.trigger.paused]
        return any(acted)

    def _tend(self, status: TriggerStatus, now: datetime) -> bool:
        trigger = status.trigger
        name = trigger.spec.name
        counted = [
            self._try((name, str(source)), now, self._watch, trigger, source, now)
            for source in trigger.spec.on
        ]
        if status.has_news:
            counted.append(self._try((name, "collect"), now, self._collect, name))
        fired = False
        if status.is_due or any(counted):
            fired = self._try((name, "fire"), now, self._fire, name)
        if trigger.error and self._is_well(trigger, now):
            self._try((name, "note"), now, self._note, name, None)
        return any(counted) or fired

    def _is_well(self, trigger: Trigger, now: datetime) -> bool:
        tried = ["collect", "fire", *map(str, trigger.spec.on)]
        return all(self._backoff.may_try((trigger.spec.name, each), now) for each in tried)

    def _try(
        self, key: tuple[str, str], now: datetime, what: Callable[..., bool | None], *given: object
    ) -> bool:
        """Do one thing; what fails is kept with its trigger, and not tried again for a while.

        None is no word yet: neither a failure nor the end of one.
        """
        if not self._backoff.may_try(key, now):
            return False
        try:
            done = what(*given)
        except Exception as error:
            self._failed(key, now, error)
            return False
        if done is not None:
            self._backoff.succeeded(key)
        return bool(done)

    def _failed(self, key: tuple[str, str], now: datetime, error: Exception) -> None:
        wait = self._backoff.failed(key, now).total_seconds()
        what = f"trigger {key[0]}, {key[1]}: {error}; next try in {wait:.0f} s"
        if isinstance(error, MainspringError):
            log.warning("%s", what)
        else:
            log.exception("%s", what, exc_info=error)
        if key[0] and key[1] != "note" and not _is_passing(error):
            self._try((key[0], "note"), now, self._note, key[0], str(error))

    def _notice_waits(self) -> bool:
        return self._call(HasWaitNews()) and self._call(NoticeWaits()) > 0

    def _note(self, name: str, error: str | None) -> bool:
        self._call(NoteTriggerError(name=name, error=error))
        return True

    def _collect(self, name: str) -> bool:
        return self._call(CollectCauses(name=name)) > 0

    def _fire(self, name: str) -> bool:
        run = self._call(FireTrigger(name=name))
        if run is not None:
            log.info("%s: asked for run %s", run.why, run.id)
        return run is not None

    def _watch(self, trigger: Trigger, source: Source, now: datetime) -> bool | None:
        key = (trigger.spec.name, str(source))
        if source.kind is CauseKind.FILE and self._is_time(key, now, _FILES_EVERY):
            return self._look_at_files(key, source)
        if source.kind is CauseKind.GIT:
            return self._look_at_branch(key, trigger, source, now)
        return None

    def _look_at_files(self, key: tuple[str, str], source: Source) -> bool:
        files = self._files.setdefault(key, Files(source.subject))
        found = files.look(time.time())
        count = self._call(ReportFiles(name=key[0], source=key[1], files=found)) if found else 0
        files.told(found)
        return count > 0

    def _look_at_branch(
        self, key: tuple[str, str], trigger: Trigger, source: Source, now: datetime
    ) -> bool | None:
        question = self._questions.get(key)
        if question is None:
            if self._is_time(key, now, _COMMITS_EVERY):
                self._pool = self._pool or ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="git")
                answer = self._pool.submit(commit_of, source.subject, source.detail)
                self._questions[key] = _Question(trigger.tips.get(key[1]), answer)
            return None
        if not question.answer.done():
            return None
        del self._questions[key]
        commit = question.answer.result()
        if commit == question.previous:
            return False
        return self._call(
            ReportCommit(name=key[0], source=key[1], commit=commit, previous=question.previous)
        )

    def _is_time(self, key: tuple[str, str], now: datetime, every: timedelta) -> bool:
        last = self._looked_at.get(key)
        # A clock that was put back must not make it wait until it is as late again.
        if last is not None and last <= now < last + every:
            return False
        self._looked_at[key] = now
        return True


def _is_passing(error: Exception) -> bool:
    """Whether nothing is wrong with the trigger: the state moved on, and the next look decides anew."""
    return isinstance(error, Conflict) or (
        isinstance(error, NotFound) and error.code == "no_such_trigger"
    )
