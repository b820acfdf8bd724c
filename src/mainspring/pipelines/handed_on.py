"""One step of a run that was handed on: another scheduler starts this process, and reads how it ended.

Cache, lineage, logs and secrets are as in a run that a worker carries out, because the same code carries the
step out; only who decides what is next is another.
"""

import os
import secrets
import socket
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from mainspring.blobs.port import BlobStore
from mainspring.config import Settings
from mainspring.domain.pipeline import (
    LogLine,
    Node,
    PipelineRun,
    PipelineRunState,
    StepAttempt,
    StepState,
    StoredValue,
)
from mainspring.domain.request import Call
from mainspring.kernel.errors import Conflict, Invalid, NotFound
from mainspring.pipelines.attempt import Outcome
from mainspring.pipelines.cache_keys import CacheKey
from mainspring.pipelines.patience import Patient
from mainspring.pipelines.plan import (
    Part,
    Progress,
    can_begin,
    has_ended,
    parts_of,
    progress_of,
    ready,
)
from mainspring.pipelines.requests import (
    GetPipelineRun,
    ListSteps,
    ReleaseRun,
    RunLease,
    TakeStep,
)
from mainspring.pipelines.settle import Settler
from mainspring.pipelines.values import items_of
from mainspring.pipelines.work import RunWork

W = TypeVar("W", bound=RunWork)

LEASE_SECONDS = 15.0
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """How a step of a run stands after a process was started for it.

    `is_final` says of one that failed that trying again is of no use: its retries are used up, or `retry_on`
    names other exceptions. The run has failed then.
    """

    run: str
    step: str
    state: StepState
    outputs: tuple[StoredValue, ...] = ()
    error: str | None = None
    is_final: bool = False
    why: str | None = None


class HandedOn:
    """A run whose steps are run one by one, by whichever process is told to.

    `call`, `blobs`, `settings`, `tracking`, `cpus` and `watch` are as for a worker; `stopping` set from a
    signal handler stops the step and leaves it for the next try.
    """

    def __init__(
        self,
        call: Call,
        blobs: BlobStore,
        settings: Settings,
        run: str,
        *,
        tracking: dict[str, str] | None = None,
        cpus: int | None = None,
        lease_seconds: float = LEASE_SECONDS,
        stopping: threading.Event | None = None,
        watch: Callable[[StepAttempt | LogLine], None] | None = None,
    ) -> None:
        self._call: Call = Patient(call, 2 * lease_seconds)
        self._blobs = blobs
        self._settings = settings
        self._run = run
        self._tracking = tracking or {}
        self._cpus = cpus or len(os.sched_getaffinity(0))
        self._lease_seconds = lease_seconds
        self._stopping = stopping or threading.Event()
        self._watch = watch

    def step(self, step: str, *, retry_here: bool = False) -> StepResult:
        """Run one step, or one item of a mapped one, if that is still to do; gives how it ended.

        Waits while another process has it. With `retry_here` it is tried again as the pipeline says; else once,
        and the scheduler tries again. Raises `Conflict` (`step_not_ready`) before what it waits for has ended.
        """
        while not self._stopping.is_set():
            if (known := self._known(step)) is not None:
                return known
            lease = self._call(self._request(step))
            if lease is not None:
                return self._carry_out(lease, retry_here)
            self._stopping.wait(_POLL_SECONDS)
        return StepResult(run=self._run, step=step, state=StepState.INTERRUPTED)

    def items(self, step: str) -> tuple[str, ...]:
        """What the items of a mapped step are called; none if it is skipped.

        Raises `Conflict` (`step_not_ready`) before what it waits for has ended.
        """
        run: PipelineRun = self._call(GetPipelineRun(run=self._run))
        node = _node(run, step)
        if not node.mapped:
            raise Invalid(
                f"{step} is no mapped step: it has no items",
                code="not_mapped",
                hint=f"`mainspring run step {run.id}/{step}` runs it.",
            )
        attempts: tuple[StepAttempt, ...] = self._call(ListSteps(run=run.id))
        progress = progress_of(attempts)
        settler = Settler(run, self._blobs)
        # In memory only: whoever runs the next step records it.
        while settled := settler.next(progress):
            if settled.state is StepState.SKIPPED:
                progress.skipped.add(settled.node.id)
            else:
                progress.done[settled.node.id] = settled.outputs
        if node.id in progress.skipped:
            return ()
        if node.id in progress.done and node.id not in progress.widths:
            items = items_of(progress.done[node.id][0], self._blobs)
            progress.widths[node.id] = len(items or ())
        if node.id not in progress.widths:
            raise _not_ready(node, progress)
        return tuple(node.item(index) for index in range(progress.widths[node.id]))

    def finish(self) -> PipelineRun:
        """End the run as succeeded; raises `Conflict` (`run_not_done`) while steps of it have not ended.

        A run that has succeeded already, by a worker too, is given as it is.
        """
        while True:
            run: PipelineRun = self._call(GetPipelineRun(run=self._run))
            if run.state is PipelineRunState.SUCCEEDED or self._stopping.is_set():
                return run
            # Any step's lease will do: whoever has one finds out whether all have ended.
            first = next(node for node in run.graph.nodes if node.choice is None)
            if (lease := self._call(self._request(first.id))) is not None:
                break
            self._stopping.wait(_POLL_SECONDS)
        try:
            self._work(lease, _FinishWork).go()
        finally:
            self._call(ReleaseRun(lease=lease))
        ended: PipelineRun = self._call(GetPipelineRun(run=self._run))
        return ended

    def _request(self, step: str) -> TakeStep:
        holder = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        return TakeStep(run=self._run, step=step, holder=holder, lease_seconds=self._lease_seconds)

    def _known(self, step: str) -> StepResult | None:
        """How it ended before: a scheduler may ask twice, and a worker may have been faster."""
        return _recorded(self._call(ListSteps(run=self._run)), self._run, step, self._blobs)

    def _carry_out(self, lease: RunLease, retry_here: bool) -> StepResult:
        work = self._work(lease, _StepWork)
        work.retry_here = retry_here
        try:
            work.go()
        finally:
            self._call(ReleaseRun(lease=lease))
        return work.result

    def _work(self, lease: RunLease, kind: type[W]) -> W:
        return kind(
            call=self._call,
            blobs=self._blobs,
            settings=self._settings,
            lease=lease,
            lease_seconds=self._lease_seconds,
            tracking=self._tracking,
            cpus=self._cpus,
            stopping=self._stopping,
            watch=self._watch,
        )


class _StepWork(RunWork):
    """The work on one step, or one item of a mapped one, under the lease on it."""

    retry_here = False

    def _read(self) -> None:
        super()._read()
        # Whether to try again after a failure before us was the scheduler's to decide, and it did.
        self._failure = None
        self._failed: str | None = None
        self._name = str(self._lease.step)
        self._node = _node(self._run, self._name)
        self.result = self._result(StepState.INTERRUPTED)

    def _loop(self) -> None:
        self._settle()
        self._check_ready()
        while not self._is_over():
            if self._heart.lost:
                self._stop_all(StepState.INTERRUPTED)
                raise Conflict(
                    f"{self._name} went to another process, or the run {self._run.id} is over",
                    code="lease_lost",
                )
            if self._stopping.is_set():
                self._stop_all(StepState.INTERRUPTED)
                return
            error = self._failure or self._failed
            if error is not None:
                self._stop_all(StepState.CANCELLED)
                is_final = self._failure is not None
                self.result = self._result(StepState.FAILED, error=error, is_final=is_final)
                if is_final:
                    self._finish(PipelineRunState.FAILED, error=error)
                return
            if self._begin_ready() and not self._is_over():
                self._wait()
        self.result = self._ended()

    def _ready(self, now: float) -> list[Part]:
        # As if there were no other steps: they are other processes', on other machines perhaps.
        graph = replace(self._run.graph, nodes=(self._node,))
        if self._name != self._node.id:
            parts = ready(graph, self._progress, now=now, cpus=sys.maxsize)
            return [part for part in parts if part.id == self._name]
        there = self._capacity
        return ready(
            graph,
            self._progress,
            now=now,
            cpus=self._cpus,
            memory_bytes=there.memory_bytes,
            gpus=len(there.gpus),
        )

    def _record(self, part: Part, number: int, outcome: Outcome, key: CacheKey | None) -> None:
        super()._record(part, number, outcome, key)
        if outcome.state is StepState.FAILED and not self.retry_here:
            self._failed = self._failed or outcome.error

    def _is_over(self) -> bool:
        return self._name in self._progress.done or has_ended(self._node.id, self._progress)

    def _check_ready(self) -> None:
        if self._failure is None and not can_begin(self._node, self._progress):
            if not self._is_over():
                raise _not_ready(self._node, self._progress)
            return
        names = [part.id for part in parts_of(self._node, self._progress)]
        if self._failure is None and self._name not in [self._node.id, *names]:
            raise Conflict(
                f"{self._node.id} has {len(names)} items; there is no {self._name}",
                code="no_such_item",
                hint=f"`mainspring run items {self._run.id}/{self._node.id}` lists them.",
            )

    def _ended(self) -> StepResult:
        attempts = self._call(ListSteps(run=self._run.id))
        return _recorded(attempts, self._run.id, self._name, self._blobs) or self.result

    def _result(self, state: StepState, **more: Any) -> StepResult:
        return StepResult(run=self._run.id, step=self._name, state=state, **more)


class _FinishWork(RunWork):
    """Ends a run all of whose steps have ended."""

    def _loop(self) -> None:
        self._settle()
        left = [node.id for node in self._run.graph.nodes if not has_ended(node.id, self._progress)]
        if self._failure is None and left:
            raise Conflict(
                f"the run {self._run.id} can't be finished: {', '.join(left)} not ended",
                code="run_not_done",
                hint=f"`mainspring run step {self._run.id}/{left[0]}` runs one.",
            )
        if self._failure is not None:
            self._finish(PipelineRunState.FAILED, error=self._failure)
            return
        self._succeed()


def _recorded(
    attempts: tuple[StepAttempt, ...], run: str, step: str, blobs: BlobStore
) -> StepResult | None:
    """How a step has ended by what is recorded of a run; None if it has not."""
    whole = step.partition("[")[0]
    for attempt in attempts:
        if not (attempt.is_done or attempt.state is StepState.SKIPPED):
            continue
        if attempt.node == step:
            outputs = attempt.outputs
        elif attempt.node == whole:
            # Skipped, or kept from another run: its items have no attempts of their own.
            outputs = _item_of(attempt.outputs, step, blobs)
        else:
            continue
        state, why = attempt.state, attempt.warning
        return StepResult(run=run, step=step, state=state, outputs=outputs, why=why)
    return None


def _item_of(
    lists: tuple[StoredValue, ...], item: str, blobs: BlobStore
) -> tuple[StoredValue, ...]:
    index = int(item.rpartition("[")[2].rstrip("]"))
    found = [(items_of(each, blobs) or [])[index : index + 1] for each in lists]
    return tuple(value for items in found for value in items if isinstance(value, StoredValue))


def _node(run: PipelineRun, step: str) -> Node:
    for node in run.graph.nodes:
        if node.has_part(step) and node.choice is None:
            return node
    raise NotFound(
        f"the pipeline {run.pipeline} has no step {step!r}",
        code="no_such_step",
        hint=f"Its steps: {', '.join(n.id for n in run.graph.nodes if n.choice is None)}.",
    )


def _not_ready(node: Node, progress: Progress) -> Conflict:
    waits = sorted(other for other in node.upstream if not has_ended(other, progress))
    return Conflict(
        f"{node.id} can't begin before {', '.join(waits)}",
        code="step_not_ready",
        hint="Let the scheduler run what it depends on first.",
    )
