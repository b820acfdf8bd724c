"""The worker: takes runs under a lease and carries out their steps, each attempt in a process of its own.

All that must outlive it is recorded through operations, step by step. Killed at any point, it or another
worker takes the run up again and redoes nothing that was recorded.
"""

import logging
import os
import shutil
import threading
from collections.abc import Callable

from mainspring.blobs.port import BlobStore
from mainspring.config import Settings
from mainspring.domain.pipeline import LogLine, PipelineRun, StepAttempt
from mainspring.domain.request import Call
from mainspring.kernel.errors import Conflict
from mainspring.pipelines.assignment import checkpoints_of
from mainspring.pipelines.holder import HolderName
from mainspring.pipelines.patience import Patient
from mainspring.pipelines.requests import FindWork, GetPipelineRun, RunLease, TakeRun
from mainspring.pipelines.work import RunWork

log = logging.getLogger(__name__)

LEASE_SECONDS = 15.0
_POLL_SECONDS = 0.5

Watch = Callable[[StepAttempt | LogLine], None]
"""Is told of every step that begins or ends and of every line that is printed, while it happens."""


class Worker:
    """Carries out runs, one at a time; its parts side by side as far as `cpus` go.

    `tracking_uri` is where steps' own `mlflow` calls go, with `tracking_token` if that asks for one. Steps
    see the environment of this process without its `MAINSPRING_*` variables.
    """

    def __init__(
        self,
        call: Call,
        blobs: BlobStore,
        settings: Settings,
        tracking_uri: str | None = None,
        *,
        tracking_token: str | None = None,
        cpus: int | None = None,
        lease_seconds: float = LEASE_SECONDS,
        watch: Watch | None = None,
    ) -> None:
        self._call = call
        self._blobs = blobs
        self._settings = settings
        self._tracking = tracking_variables(tracking_uri, tracking_token)
        self._cpus = cpus or len(os.sched_getaffinity(0))
        self._lease_seconds = lease_seconds
        self._watch = watch
        self._stopping = threading.Event()
        self._holder = HolderName(settings.work_path / "workers")

    def run_next(self) -> PipelineRun | None:
        """Carry out the run that waits longest, and say how it is now; None if there is none to take.

        A run whose lease is lost midway is left to whoever has it. Raises `Unavailable` if the store can't
        be reached.
        """
        for id_ in self._call(FindWork(holder=self._holder.name)):
            if self._stopping.is_set():
                return None
            if (lease := self._take(id_)) is not None:
                return self._carry_out(lease)
        return None

    def run(self, id_: str) -> PipelineRun:
        """Carry out one run, waiting for it as long as another worker has it; gives it once it is over."""
        while True:
            run = self._call(GetPipelineRun(run=id_))
            if run.state.is_final or self._stopping.is_set():
                return run
            lease = self._take(id_)
            if lease is not None:
                self._carry_out(lease)
            else:
                self._stopping.wait(_POLL_SECONDS)

    def stop(self) -> None:
        """From another thread or a signal handler: stop the steps, give the run up for others, return soon."""
        self._stopping.set()

    def close(self) -> None:
        """Give the worker's name away; it can't work afterwards."""
        self._holder.release()

    def _take(self, id_: str) -> RunLease | None:
        if not self._call(FindWork(holder=self._holder.name, run=id_)):
            return None
        request = TakeRun(run=id_, holder=self._holder.name, lease_seconds=self._lease_seconds)
        return self._call(request)

    def _carry_out(self, lease: RunLease) -> PipelineRun:
        scratch = self._settings.work_path / "steps" / lease.run
        try:
            RunWork(
                # As long as the lease could last twice.
                call=Patient(self._call, 2 * self._lease_seconds),
                blobs=self._blobs,
                settings=self._settings,
                lease=lease,
                lease_seconds=self._lease_seconds,
                tracking=self._tracking,
                cpus=self._cpus,
                stopping=self._stopping,
                watch=self._watch,
            ).go()
        except Conflict as error:
            if error.code != "lease_lost":
                raise
            log.warning("run %s went to another worker or was ended: %s", lease.run, error.message)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        run = self._call(GetPipelineRun(run=lease.run))
        if run.state.is_final:
            shutil.rmtree(checkpoints_of(self._settings, run.id), ignore_errors=True)
        return run


def tracking_variables(uri: str | None, token: str | None = None) -> dict[str, str]:
    """The variables by which steps' own `mlflow` calls find where to go."""
    variables = {"MLFLOW_TRACKING_URI": uri, "MLFLOW_TRACKING_TOKEN": token}
    return {name: value for name, value in variables.items() if value}
