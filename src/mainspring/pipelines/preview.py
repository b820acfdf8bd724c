"""What a run would do: which steps it would find in the cache, which it would run, and why."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from mainspring.blobs.port import BlobStore
from mainspring.config import Settings
from mainspring.datasets.requests import GetDatasetVersionById
from mainspring.domain.pipeline import CacheEntry, Node, PipelineRun, StepReason, StepState
from mainspring.domain.request import Call
from mainspring.pipelines.cache_keys import CacheKey, Keys
from mainspring.pipelines.fingerprint import Fingerprinter
from mainspring.pipelines.local import drafted_run
from mainspring.pipelines.plan import Part, Progress, can_begin, parts_of
from mainspring.pipelines.requests import FindCached, ListCached
from mainspring.pipelines.settle import Settler
from mainspring.pipelines.snapshot import materialise
from mainspring.pipelines.why import changes, nearest
from mainspring.quality.times import declared_times


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What would happen to each step, in the order of the graph.

    `state` of a reason is `cached`, `skipped` or `running` (it would be run). `unknown` names the steps whose
    fate depends on what others give.
    """

    pipeline: str
    reasons: tuple[StepReason, ...]
    unknown: tuple[str, ...]


def preview(
    call: Call,
    blobs: BlobStore,
    settings: Settings,
    pipeline: str,
    *,
    project: Path,
    data: Mapping[str, str] | None = None,
    params: Mapping[str, object] | None = None,
) -> Preview:
    """Look at a pipeline of a project folder without running it; arguments as for `run_pipeline`."""
    run = drafted_run(call, blobs, settings, pipeline, project=project, data=data, params=params)
    return _Preview(call, blobs, settings, run).look()


class _Preview:
    def __init__(self, call: Call, blobs: BlobStore, settings: Settings, run: PipelineRun) -> None:
        self._call = call
        self._run = run
        self._settler = Settler(run, blobs)
        self._progress = Progress()
        self._reasons: dict[str, StepReason] = {}
        versions = {name: call(GetDatasetVersionById(id=id_)) for name, id_ in run.inputs.items()}
        manifests = {name: version.manifest for name, version in versions.items()}
        datasets = {name: version.dataset for name, version in versions.items()}
        times = declared_times(call, datasets)
        project = materialise(blobs, run.project, settings.work_path)
        self._keys = Keys(run, Fingerprinter(project), manifests, times)

    def look(self) -> Preview:
        """Follow the run as far as known results lead."""
        before = -1
        while before < len(self._reasons):
            before = len(self._reasons)
            self._settle()
            for node in self._run.graph.nodes:
                if node.takes_process and can_begin(node, self._progress):
                    for part in parts_of(node, self._progress):
                        if part.id not in self._reasons:
                            self._reasons[part.id] = self._reason(part)
        graph = self._run.graph
        reasons = [r for n in graph.nodes for name, r in self._reasons.items() if n.has_part(name)]
        unknown = [n.id for n in graph.nodes if not any(n.has_part(name) for name in self._reasons)]
        return Preview(pipeline=graph.pipeline, reasons=tuple(reasons), unknown=tuple(unknown))

    def _settle(self) -> None:
        while settled := self._settler.next(self._progress):
            if settled.state is StepState.SKIPPED:
                self._progress.skipped.add(settled.node.id)
            else:
                self._progress.done[settled.node.id] = settled.outputs
            if settled.state is StepState.SKIPPED or not settled.node.mapped:
                self._reasons[settled.node.id] = StepReason(
                    node=settled.node.id, state=settled.state, detail=settled.why
                )

    def _reason(self, part: Part) -> StepReason:
        node = part.node
        would_run = StepReason(node=part.id, state=StepState.RUNNING)
        items = {} if part.index is None else self._settler.items(node, part.index)
        key, why = self._keys.of(node, self._progress.done, items)
        if key is None:
            return replace(would_run, detail=why)
        entry = self._call(FindCached(key=key.digest))
        if entry is None:
            return self._compared(node, key, would_run)
        self._progress.done[part.id] = entry.outputs
        return replace(would_run, state=StepState.CACHED, compared_with=entry.run)

    def _compared(self, node: Node, key: CacheKey, reason: StepReason) -> StepReason:
        kept: tuple[CacheEntry, ...] = self._call(ListCached(step=node.step))
        before = nearest(kept, key.components)
        if before is None:
            return replace(reason, is_first=True)
        found = changes(before.components, key.components)
        gone = "its result is in the store no more" if not found else None
        return replace(reason, changes=found, compared_with=before.run, detail=gone)
