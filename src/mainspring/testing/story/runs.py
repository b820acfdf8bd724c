"""The runs of the story, reported as a worker reports them."""

import math

from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.pipeline import (
    DatasetArgument,
    Graph,
    LogLine,
    Node,
    NodeOutput,
    ParameterArgument,
    PipelineParameter,
    PipelineRun,
    PipelineRunState,
    StepState,
    StoredValue,
    ValueKind,
)
from mainspring.domain.run import Metric
from mainspring.pipelines.requests import (
    AppendLogs,
    FinishRun,
    FinishStep,
    ListPipelineRuns,
    ListSteps,
    RequestRun,
    RunLease,
    StartStep,
    TakeRun,
)
from mainspring.testing.story.data import Data
from mainspring.tracking.requests import (
    LogBatch,
)

_KEY_ERROR = "KeyError: 'season'\n  flow.py:21 in split\n    table = table.sort(table['season'])"
_OUT_OF_MEMORY = "the step's process was killed by SIGKILL; perhaps the machine ran out of memory"


class Runs(Data):
    """Runs that succeed, fail, take results from the cache, and one that still runs."""

    def _graph(self) -> Graph:
        def node(
            id_: str, *upstream: str, data: bool = False, parameter: str | None = None
        ) -> Node:
            return Node(
                id=id_,
                step=f"flow:{id_.split('_', maxsplit=1)[0]}",
                node_outputs={f"in{i}": NodeOutput(node=n) for i, n in enumerate(upstream)},
                datasets={"rides": DatasetArgument(parameter="rides")} if data else {},
                parameters={parameter: ParameterArgument(parameter=parameter)} if parameter else {},
                constants={},
                retries=1,
            )

        return Graph(
            pipeline="flow:demand",
            parameters=(
                PipelineParameter(name="rides", is_dataset=True),
                PipelineParameter(name="depth", is_dataset=False, has_default=True, default=6),
            ),
            nodes=(
                node("features", data=True),
                node("split", "features"),
                node("weights", data=True),
                node("train", "split", "weights", parameter="depth"),
                node("baseline", "split"),
                node("evaluate", "train", "split", "baseline"),
            ),
            outputs=(NodeOutput(node="evaluate"),),
        )

    def _request(self, rides: DatasetVersion, why: str) -> PipelineRun:
        return self.training.call(
            RequestRun(
                pipeline="flow:demand",
                graph=self._graph(),
                inputs={"rides": rides.id},
                project=self.project,
                environment=self.environment,
                params={"depth": 6},
                service="demand",
                why=why,
            )
        )

    def _take(self, run: PipelineRun) -> RunLease:
        self.wait(seconds=2)
        lease = self.worker.call(TakeRun(holder="worker-1", run=run.id))
        assert lease is not None
        return lease

    def _run(self, rides: DatasetVersion, *, why: str, cached: bool = False) -> PipelineRun:
        run = self._request(rides, why)
        lease = self._take(run)
        for node in ("features", "split", "weights", "train", "baseline", "evaluate"):
            if node == "train" and cached:
                self._step(lease, node, StepState.FAILED, error=_OUT_OF_MEMORY)
            taken = cached and node == "weights"
            self._step(lease, node, StepState.CACHED if taken else StepState.SUCCEEDED)
        self._training_curve(run)
        metrics = {"rmse": 41.7, "mae": 27.9, "r2": 0.91}
        return self.worker.call(
            FinishRun(lease=lease, state=PipelineRunState.SUCCEEDED, metrics=metrics)
        )

    def _step(self, lease: RunLease, node: str, state: StepState, error: str | None = None) -> None:
        if state is StepState.CACHED:
            self._cached(lease, node)
            return
        attempt = self.worker.call(StartStep(lease=lease, node=node))
        lines = [
            f"{node}: reading",
            f"{node}: {self.random.randint(800, 1400)} rows",
            f"{node}: done",
        ]
        for i, text in enumerate(lines):
            self.wait(seconds=self.random.uniform(0.2, 4 if node == "train" else 1))
            line = LogLine(
                node=node,
                attempt=attempt.attempt,
                seq=i,
                at=self.clock.now(),
                stream="err" if error and i == 2 else "out",
                text=error.splitlines()[0] if error and i == 2 else text,
            )
            self.worker.call(AppendLogs(run=lease.run, lines=(line,)))
        kind = ValueKind.MODEL if node == "train" else ValueKind.TABLE
        stored = StoredValue(
            kind=kind,
            digest=self.app.blobs.put_bytes(f"{lease.run}{node}".encode()),
            summary="1,400 × 6",
        )
        done = state is StepState.SUCCEEDED
        self.worker.call(
            FinishStep(
                lease=lease,
                node=node,
                attempt=attempt.attempt,
                state=state,
                outputs=(stored,) if done else (),
                error=error,
            )
        )

    def _cached(self, lease: RunLease, node: str) -> None:
        first = self.app.call(ListPipelineRuns(service="demand", limit=100))[-1]
        steps = self.app.call(ListSteps(run=first.id))
        outputs = next(step.outputs for step in steps if step.node == node)
        self.worker.call(
            FinishStep(
                lease=lease,
                node=node,
                attempt=1,
                state=StepState.CACHED,
                outputs=outputs,
                cached_from=first.id,
            )
        )

    def _failing_run(self, rides: DatasetVersion) -> PipelineRun:
        run = self._request(rides, "harmful drift is open and rides v2 is newer")
        lease = self._take(run)
        self._step(lease, "features", StepState.SUCCEEDED)
        self._step(lease, "split", StepState.FAILED, error=_KEY_ERROR)
        self._step(lease, "split", StepState.FAILED, error=_KEY_ERROR)
        return self.worker.call(
            FinishRun(lease=lease, state=PipelineRunState.FAILED, error=f"step split: {_KEY_ERROR}")
        )

    def _running(self, rides: DatasetVersion) -> None:
        lease = self._take(self._request(rides, "the declaration changed"))
        self._step(lease, "features", StepState.SUCCEEDED)
        self.worker.call(StartStep(lease=lease, node="split"))
        self.wait(seconds=4)

    def _training_curve(self, run: PipelineRun) -> None:
        points = tuple(
            Metric(
                key="loss",
                value=90 * math.exp(-i / 20) + 12 + self.random.random(),
                step=i,
                timestamp_ms=int(self.clock.now().timestamp() * 1000) + i * 50,
            )
            for i in range(120)
        )
        self.worker.call(LogBatch(run=run.id, metrics=points, params={"depth": "6"}))
