"""Reports in groups: whatever waits when a transaction begins is committed in it together.

Beginning and committing cost more than a report does, and writers take turns anyway, so the more of them
there are at once the less each costs. Nobody waits for a group to fill: a report that comes alone goes alone.
"""

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

from mainspring.domain.actor import Actor
from mainspring.domain.request import Request
from mainspring.kernel.errors import Unavailable
from mainspring.operations.operation import Operation
from mainspring.store.tx import Store

MAX_WAITING = 256
"""Reports beyond this are turned away at once: their senders try again, and memory stays what it is."""
_MAX_GROUP = 64


@dataclass(slots=True, frozen=True)
class _Report:
    actor: Actor
    operation: Operation
    request: Request[Any]
    answer: Future[Any] = field(default_factory=Future)


class Reports:
    """Carries out reports in a thread of its own, which starts with the first of them."""

    def __init__(self, store: Store, max_waiting: int = MAX_WAITING) -> None:
        self._store = store
        self._max_waiting = max_waiting
        self._waiting: SimpleQueue[_Report | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._guard = Lock()
        self._is_closed = False

    def submit(self, actor: Actor, operation: Operation, request: Request[Any]) -> Future[Any]:
        """Queue a report; the answer is there once it is committed, or why it was not.

        Raises `Unavailable` (code `overloaded`) when too many wait already.
        """
        if self._waiting.qsize() >= self._max_waiting:
            raise Unavailable(
                f"{self._max_waiting} reports are waiting to be written already",
                code="overloaded",
                hint="Send it again in a second; nothing of it was written.",
            )
        report = _Report(actor, operation, request)
        with self._guard:
            if self._is_closed:
                raise Unavailable("the store is being closed", code="closing")
            if self._thread is None:
                self._thread = Thread(target=self._work, name="mainspring-reports", daemon=True)
                self._thread.start()
            self._waiting.put(report)
        return report.answer

    def close(self) -> None:
        """Write what waits, and end."""
        with self._guard:
            self._is_closed = True
            thread = self._thread
            self._waiting.put(None)
        if thread is not None:
            thread.join()

    def _work(self) -> None:
        while True:
            group, is_last = self._next_group()
            # Whoever has gone away meanwhile is not written for.
            group = [each for each in group if each.answer.set_running_or_notify_cancel()]
            if group:
                self._carry_out(group)
            if is_last:
                return

    def _next_group(self) -> tuple[list[_Report], bool]:
        group: list[_Report] = []
        found = self._waiting.get()
        while found is not None:
            group.append(found)
            if len(group) == _MAX_GROUP:
                return group, False
            try:
                found = self._waiting.get_nowait()
            except Empty:
                return group, False
        return group, True

    def _carry_out(self, group: Sequence[_Report]) -> None:
        try:
            results = self._together(group)
        except Unavailable as error:
            # Nothing of it was decided, and it would be no better one by one.
            _tell(group, error)
        except BaseException as error:
            if len(group) == 1:
                _tell(group, error)
                return
            # One of them is wrong. The others must not suffer for it.
            for each in group:
                self._carry_out([each])
        else:
            for each, result in zip(group, results, strict=True):
                each.answer.set_result(result)

    def _together(self, group: Sequence[_Report]) -> list[Any]:
        first = group[0]
        with self._store.write(
            first.actor, first.operation.name, durable=False, in_turn=False
        ) as tx:
            return [
                each.operation.use_case(
                    replace(tx, actor=each.actor, operation=each.operation.name), each.request
                )
                for each in group
            ]


def _tell(group: Sequence[_Report], error: BaseException) -> None:
    for each in group:
        each.answer.set_exception(error)
