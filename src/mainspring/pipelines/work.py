"""The work on one run under one lease."""

import os
import selectors
import threading
import time
from collections.abc import Callable
from typing import Any

from mainspring.blobs.port import BlobStore
from mainspring.config import Settings
from mainspring.datasets.requests import GetDatasetVersionById
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.pipeline import (
    CacheEntry,
    LogLine,
    PipelineRunState,
    StepAttempt,
    StepState,
    StoredValue,
    ValueKind,
    Wait,
)
from mainspring.domain.request import Call
from mainspring.kernel.errors import (
    Conflict,
    Corrupt,
    Invalid,
    MainspringError,
    NotFound,
    Unavailable,
)
from mainspring.pipelines.assignment import task_for, threads
from mainspring.pipelines.attempt import Attempt, Outcome
from mainspring.pipelines.cache_keys import CacheKey, Keys
from mainspring.pipelines.capacity import of_this_machine
from mainspring.pipelines.child import clean_environment
from mainspring.pipelines.fingerprint import Fingerprinter
from mainspring.pipelines.heart import Heart
from mainspring.pipelines.plan import (
    Part,
    can_begin,
    has_ended,
    next_instant,
    picked,
    progress_of,
    ready,
    sampled,
)
from mainspring.pipelines.requests import (
    AppendLogs,
    FindCached,
    FinishRun,
    FinishStep,
    GetPipelineRun,
    ListSteps,
    LookAtWait,
    ParkRun,
    ReleaseRun,
    RunLease,
    StartStep,
)
from mainspring.pipelines.settle import Settler
from mainspring.pipelines.snapshot import materialise
from mainspring.pipelines.values import put_json, read_evaluation
from mainspring.pipelines.zygote import Zygote
from mainspring.quality.times import declared_times
from mainspring.tracking.requests import GetRun

FLUSH_SECONDS = 0.3
LOOK_SECONDS = 2.0
"""How often it is looked whether what is waited for is there, while other steps are under way."""
# A step that is killed from outside again and again is the reason, most likely: it takes all memory.
MAX_INTERRUPTIONS = 20
_MAX_METRICS = 500
# What takes seconds to import and starts no threads, by what tells that it will be imported.
_AHEAD = {"distribution:scikit-learn": ("numpy", "sklearn", "skops.io", "cloudpickle", "yaml")}


class RunWork:
    """Carries out what is left of a run, until it is over or no longer ours."""

    def __init__(
        self,
        *,
        call: Call,
        blobs: BlobStore,
        settings: Settings,
        lease: RunLease,
        lease_seconds: float,
        tracking: dict[str, str],
        cpus: int,
        stopping: threading.Event,
        watch: Callable[[StepAttempt | LogLine], None] | None,
    ) -> None:
        self._call = call
        self._blobs = blobs
        self._settings = settings
        self._lease = lease
        self._lease_seconds = lease_seconds
        self._tracking = tracking
        self._cpus = cpus
        self._capacity = of_this_machine(cpus)
        self._gpus: dict[str, tuple[str, ...]] = {}
        self._stopping = stopping
        self._watch = watch or (lambda _: None)
        self._heart = Heart(call, lease, lease_seconds)
        self._selector = selectors.DefaultSelector()
        self._zygote: Zygote | None = None
        self._attempts: dict[int, Attempt] = {}
        self._lines: list[LogLine] = []
        self._flushed = time.monotonic()
        self._failure: str | None = None
        self._known: dict[str, CacheEntry] = {}
        self._is_hurried = False
        self._waits: dict[str, float] = {}
        self._told: set[str] = set()

    def go(self) -> None:
        """Raises `Conflict` (`lease_lost`) when another worker has the run."""
        try:
            if self._prepare():
                self._carry_out()
        except KeyboardInterrupt:
            self._heart.stop()
            self._call(ReleaseRun(lease=self._lease))
            raise
        finally:
            self._heart.close()
            self._selector.close()

    def _carry_out(self) -> None:
        self._selector.register(self._heart, selectors.EVENT_READ, self._heart.seen)
        try:
            self._loop()
        except MainspringError as error:
            if isinstance(error, Unavailable | Conflict):
                raise
            # Left as it is, the run would be taken up again and again, and others never.
            self._stop_all(StepState.CANCELLED)
            self._finish(PipelineRunState.FAILED, error=str(error))
        finally:
            if self._zygote is not None:
                self._zygote.close()
            for attempt in self._attempts.values():
                attempt.ended(None)

    def _prepare(self) -> bool:
        """Read what is recorded, and lay the code out; False if the run can't work, which then has ended."""
        try:
            self._read()
        except Unavailable:
            raise
        except MainspringError as error:
            self._finish(PipelineRunState.FAILED, error=str(error))
            return False
        return True

    def _read(self) -> None:
        self._run = self._call(GetPipelineRun(run=self._lease.run))
        self._experiment = self._call(GetRun(run=self._run.id)).experiment
        attempts: tuple[StepAttempt, ...] = self._call(ListSteps(run=self._run.id))
        self._progress = progress_of(attempts)
        for name, failures in self._progress.failures.items():
            node = next(node for node in self._run.graph.nodes if node.has_part(name))
            if failures > node.retries and name not in self._progress.done:
                # The worker before us died between the last attempt and the end of the run.
                errors = [step.error for step in attempts if step.node == name and step.error]
                self._failure = errors[-1] if errors else f"{node.step} failed"
        self._settler = Settler(self._run, self._blobs)
        self._versions: dict[str, DatasetVersion] = {
            name: self._call(GetDatasetVersionById(id=id_))
            for name, id_ in self._run.inputs.items()
        }
        self._project = materialise(self._blobs, self._run.project, self._settings.work_path)
        self._fingerprinter = Fingerprinter(self._project)
        manifests = {name: version.manifest for name, version in self._versions.items()}
        # As they were declared when the run was asked for: taken up again, it reads the same.
        self._times = declared_times(
            self._call,
            {name: version.dataset for name, version in self._versions.items()},
            at=self._run.requested_at,
        )
        self._keys = Keys(self._run, self._fingerprinter, manifests, self._times)
        self._take_kept()

    def _take_kept(self) -> None:
        """Record the results that steps have from the run that this one goes on from."""
        left = [name for name in self._run.kept if name not in self._progress.done]
        if not left or self._run.parent is None:
            return
        attempts: tuple[StepAttempt, ...] = self._call(ListSteps(run=self._run.parent))
        outputs = {attempt.node: attempt.outputs for attempt in attempts if attempt.is_done}
        for name in left:
            self._end_whole(name, StepState.CACHED, outputs[name], cached_from=self._run.parent)

    def _end_whole(
        self,
        name: str,
        state: StepState,
        outputs: tuple[StoredValue, ...],
        *,
        key: CacheKey | None = None,
        cached_from: str | None = None,
        why: str | None = None,
    ) -> None:
        """Record what took no process: its result is known, put together, or will never be there."""
        step = self._call(
            FinishStep(
                lease=self._lease,
                node=name,
                attempt=self._progress.last.get(name, 0) + 1,
                state=state,
                outputs=outputs,
                cache_key=key.digest if key else None,
                cached_from=cached_from,
                warning=why,
            )
        )
        if state is StepState.SKIPPED:
            self._progress.skipped.add(name)
        else:
            self._progress.done[name] = outputs
        self._watch(step)

    def _loop(self) -> None:
        while True:
            if self._heart.lost:
                self._stop_all(StepState.INTERRUPTED)
                return
            if self._run.cancel_requested or self._heart.cancelled:
                self._stop_all(StepState.CANCELLED)
                self._finish(PipelineRunState.CANCELLED, error="cancelled on request")
                return
            if self._stopping.is_set():
                self._stop_all(StepState.INTERRUPTED)
                self._call(ReleaseRun(lease=self._lease))
                return
            if self._failure is not None:
                self._stop_all(StepState.CANCELLED)
                self._finish(PipelineRunState.FAILED, error=self._failure)
                return
            if not self._begin_ready():
                continue
            if self._has_only_to_wait() and self._call(ParkRun(lease=self._lease)):
                return
            if all(has_ended(node.id, self._progress) for node in self._run.graph.nodes):
                self._succeed()
                return
            self._wait()

    def _begin_ready(self) -> bool:
        """Begin what can begin; False if the run can't go on."""
        until = time.monotonic() + FLUSH_SECONDS
        self._is_hurried = False
        while True:
            self._settle()
            now = time.monotonic()
            if self._failure is not None:
                return False
            if self._look_at_waits(now):
                continue
            if now > until:
                # A long row of known results must not keep us from hearing that we should stop.
                self._is_hurried = True
                return True
            parts = self._ready(now)
            # A step that was found in the cache may free others at once.
            begun = [self._begin(part) for part in parts]
            if not any(begun):
                return True

    def _look_at_waits(self, now: float) -> bool:
        """Begin to wait, or end what waited, where all before it has ended; True if something ended."""
        ended = False
        for node in self._run.graph.nodes:
            if node.wait is None or not can_begin(node, self._progress):
                continue
            if now < self._waits.get(node.id, now):
                continue
            wait = self._call(LookAtWait(lease=self._lease, node=node.id))
            self._waits[node.id] = now + LOOK_SECONDS
            if wait.is_decided:
                self._end_wait(wait)
                ended = True
            elif wait.node not in self._told:
                self._told.add(wait.node)
                self._watch(self._waiting_attempt(node.id))
        return ended

    def _end_wait(self, wait: Wait) -> None:
        value = put_json(wait.approved, self._blobs)
        self._progress.done[wait.node] = (value,)
        attempt = self._waiting_attempt(wait.node)
        told = f"{wait.decided_by}: {wait.note}" if wait.note else str(wait.decided_by)
        self._watch(
            self._call(
                FinishStep(
                    lease=self._lease,
                    node=wait.node,
                    attempt=attempt.attempt,
                    state=StepState.SUCCEEDED,
                    outputs=(value,),
                    warning=f"{'yes' if wait.approved else 'no'}, by {told}",
                )
            )
        )

    def _waiting_attempt(self, node: str) -> StepAttempt:
        attempts: tuple[StepAttempt, ...] = self._call(ListSteps(run=self._run.id))
        return [each for each in attempts if each.node == node][-1]

    def _has_only_to_wait(self) -> bool:
        """Whether nothing is under way and nothing will be, before what is waited for is there."""
        now = time.monotonic()
        return (
            any(node in self._waits and node not in self._progress.done for node in self._waits)
            and not self._progress.active
            and not self._is_hurried
            and next_instant(self._progress, now) is None
            and not self._ready(now)
        )

    def _ready(self, now: float) -> list[Part]:
        there = self._capacity
        return ready(
            self._run.graph,
            self._progress,
            now=now,
            cpus=there.cpus,
            memory_bytes=there.memory_bytes,
            gpus=len(there.gpus),
        )

    def _settle(self) -> None:
        """End what takes no process."""
        try:
            while settled := self._settler.next(self._progress):
                self._end_whole(settled.node.id, settled.state, settled.outputs, why=settled.why)
        except (Invalid, NotFound, Corrupt) as error:
            self._failure = self._failure or str(error)

    def _begin(self, part: Part) -> bool:
        """Begin a step; True if others may begin now, as its result is known already or comes from elsewhere."""
        node = part.node
        items = {} if part.index is None else self._settler.items(node, part.index)
        try:
            key, warning = self._keys.of(node, self._progress.done, items)
        except Invalid as error:
            self._failure = self._failure or str(error)
            return False
        if key is not None and self._use_cached(part, key):
            return True
        try:
            self._capacity.check(node)
        except Invalid as error:
            self._failure = self._failure or str(error)
            return False
        started = self._start(part, key, warning)
        if started is None:
            return True
        self._progress.active[part.id] = node
        self._gpus[part.id] = self._capacity.free_gpus(self._gpus)[: node.gpus]
        self._progress.last[part.id] = started.attempt
        self._watch(started)
        task = task_for(
            part,
            started.attempt,
            items=items,
            run=self._run,
            done=self._progress.done,
            versions=self._versions,
            times=self._times,
            project=self._project,
            settings=self._settings,
            environment=self._environment(part),
        )
        try:
            attempt = Attempt(part, started.attempt, task, key, self._forks())
        except Unavailable as error:
            self._record(
                part, started.attempt, Outcome(state=StepState.INTERRUPTED, error=str(error)), None
            )
            self._progress.not_before[part.id] = time.monotonic() + 1
            return False
        self._attempts[attempt.pid] = attempt
        for stream in attempt.streams:
            self._selector.register(stream.fd, selectors.EVENT_READ, attempt)
        return False

    def _start(self, part: Part, key: CacheKey | None, warning: str | None) -> StepAttempt | None:
        """Record that it begins; None while another run computes the same, whose result it then takes, or as many
        steps as may are using what it uses."""
        try:
            return self._call(
                StartStep(
                    lease=self._lease,
                    node=part.id,
                    cache_key=key.digest if key else None,
                    warning=warning,
                )
            )
        except Conflict as error:
            if error.code not in ("step_under_way", "limit_reached"):
                raise
            self._progress.not_before[part.id] = time.monotonic() + FLUSH_SECONDS
            return None

    def _use_cached(self, part: Part, key: CacheKey) -> bool:
        entry = self._call(FindCached(key=key.digest))
        if entry is None:
            return False
        if sampled(self._run.id, part.id, self._run.verify_cache):
            self._known[part.id] = entry
            return False
        self._end_whole(part.id, StepState.CACHED, entry.outputs, key=key, cached_from=entry.run)
        return True

    def _environment(self, part: Part) -> dict[str, str]:
        tracking = self._tracking
        if tracking:
            ids = {"MLFLOW_RUN_ID": self._run.id, "MLFLOW_EXPERIMENT_ID": self._experiment}
            tracking = tracking | ids
        return (
            clean_environment(os.environ)
            | tracking
            | {"MAINSPRING_RUN": self._run.id}
            | threads(part.node)
            | ({"CUDA_VISIBLE_DEVICES": ",".join(self._gpus[part.id])} if part.node.gpus else {})
        )

    def _wait(self) -> None:
        happened = [key for key, _ in self._selector.select(self._patience())]
        # Output first: the end of a step closes what it is read from.
        for key in happened:
            if isinstance(key.data, Attempt) and not key.data.read(key.fd):
                self._selector.unregister(key.fd)
        for key in happened:
            if not isinstance(key.data, Attempt):
                key.data()
        now = time.monotonic()
        for attempt in self._attempts.values():
            attempt.watch(now)
        if now - self._flushed >= FLUSH_SECONDS:
            self._flush()

    def _patience(self) -> float:
        """How long to wait at most: steps are looked after, and `stop` is heard, several times a second."""
        if self._is_hurried:
            return 0.0
        now = time.monotonic()
        until = next_instant(self._progress, now)
        return FLUSH_SECONDS if until is None else min(FLUSH_SECONDS, until - now)

    def _forks(self) -> Zygote:
        """What steps are forked from, made for the first that isn't found in the cache."""
        if self._zygote is None:
            nodes = [node for node in self._run.graph.nodes if node.takes_process]
            reached = {
                part for n in nodes for part in self._fingerprinter.fingerprint(n.step).parts
            }
            ahead = {name for part, names in _AHEAD.items() if part in reached for name in names}
            self._zygote = Zygote(sorted(ahead))
            self._selector.register(self._zygote, selectors.EVENT_READ, self._on_exits)
        return self._zygote

    def _on_exits(self) -> None:
        exits = self._zygote.exits() if self._zygote else []
        if exits is None:
            self._drop_zygote()
            return
        for exit_ in exits:
            if (attempt := self._attempts.get(exit_.pid)) is not None:
                self._end(attempt, exit_.status)

    def _drop_zygote(self) -> None:
        """It was killed, and the steps with it; the next step gets another."""
        assert self._zygote is not None
        self._selector.unregister(self._zygote)
        self._zygote.close()
        self._zygote = None
        for attempt in list(self._attempts.values()):
            self._end(attempt, None)

    def _end(self, attempt: Attempt, status: int | None) -> None:
        for stream in attempt.streams:
            self._selector.unregister(stream.fd)
        outcome = attempt.ended(status)
        del self._attempts[attempt.pid]
        self._take_lines(attempt)
        self._flush()
        self._record(attempt.part, attempt.number, outcome, attempt.key)

    def _record(self, part: Part, number: int, outcome: Outcome, key: CacheKey | None) -> None:
        step = self._call(
            FinishStep(
                lease=self._lease,
                node=part.id,
                attempt=number,
                state=outcome.state,
                outputs=outcome.outputs,
                error=outcome.error,
                cache_components=key.components if key else None,
                warning=self._comparison(part, outcome),
            )
        )
        self._watch(step)
        progress = self._progress
        progress.active.pop(part.id, None)
        self._gpus.pop(part.id, None)
        if outcome.state is StepState.SUCCEEDED:
            progress.done[part.id] = outcome.outputs
        elif outcome.state is StepState.FAILED:
            failures = progress.failures[part.id] = progress.failures.get(part.id, 0) + 1
            progress.not_before[part.id] = time.monotonic() + part.node.delay_after(failures)
            if not part.node.may_retry(failures, outcome.kinds):
                self._failure = self._failure or outcome.error
        elif outcome.state is StepState.INTERRUPTED:
            count = progress.interruptions[part.id] = progress.interruptions.get(part.id, 0) + 1
            if count > MAX_INTERRUPTIONS:
                self._failure = f"{outcome.error}, {count} times"

    def _comparison(self, part: Part, outcome: Outcome) -> str | None:
        """How a result compares with the one in the cache, where it was run again to see."""
        entry = self._known.get(part.id)
        if entry is None or outcome.state is not StepState.SUCCEEDED:
            return None
        if [o.digest for o in outcome.outputs] == [o.digest for o in entry.outputs]:
            return f"run again to check: the same result as in {entry.run}"
        return (
            f"run again to check: another result than in {entry.run}. The step is not deterministic, or depends "
            "on what its key doesn't hold: seed it, or name its files= and env="
        )

    def _stop_all(self, state: StepState) -> None:
        """Stop what runs and wait for its end; the ends are recorded if the run is still ours."""
        for attempt in self._attempts.values():
            error = "the worker stopped" if state is StepState.INTERRUPTED else None
            attempt.stop(Outcome(state=state, error=error), time.monotonic())
        while self._attempts and not self._heart.lost:
            self._wait()

    def _take_lines(self, attempt: Attempt) -> None:
        for line in attempt.lines:
            self._watch(line)
        self._lines += attempt.lines
        attempt.lines.clear()

    def _flush(self) -> None:
        for attempt in self._attempts.values():
            self._take_lines(attempt)
        self._flushed = time.monotonic()
        if self._lines and not self._heart.lost:
            self._call(AppendLogs(run=self._run.id, lines=tuple(self._lines)))
            self._lines.clear()

    def _succeed(self) -> None:
        done = self._progress.done
        graph = self._run.graph
        outputs = tuple(
            picked(done, output.node, output.index)
            for output in graph.outputs
            if output.node in done
        )
        every = [value for node in graph.nodes for value in done.get(node.id, ())]
        self._finish(PipelineRunState.SUCCEEDED, outputs=outputs, metrics=self._metrics(every))

    def _metrics(self, values: list[StoredValue]) -> dict[str, float]:
        """The numbers of every METRICS value; of equal names the last step's."""
        found: dict[str, float] = {}
        for value in values:
            if value.kind is ValueKind.METRICS:
                found |= read_evaluation(self._blobs, value).values
        return dict(list(found.items())[:_MAX_METRICS])

    def _finish(self, state: PipelineRunState, **how: Any) -> None:
        # No renewal may come after the run has ended: it would find the lease gone.
        self._heart.stop()
        self._call(FinishRun(lease=self._lease, state=state, **how))
