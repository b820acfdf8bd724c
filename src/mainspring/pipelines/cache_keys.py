"""What a step's result is found again by."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from mainspring.domain.pipeline import Node, PipelineRun, StoredValue
from mainspring.domain.times import Times
from mainspring.kernel.codec import canonical, digest_of
from mainspring.kernel.digests import Digest
from mainspring.pipelines.fingerprint import Fingerprint, Fingerprinter
from mainspring.pipelines.plan import picked
from mainspring.pipelines.task import Argument, Kept, Plain
from mainspring.pipelines.values import FORMAT_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheKey:
    """A key and the parts that it was made of, by which two runs can be compared."""

    digest: Digest
    components: dict[str, str]


class Keys:
    """Makes the keys of one run's steps, from the code of a project folder and the data it is bound to."""

    def __init__(
        self,
        run: PipelineRun,
        fingerprinter: Fingerprinter,
        manifests: Mapping[str, Digest],
        times: Mapping[str, Times],
    ) -> None:
        self._run = run
        self._fingerprinter = fingerprinter
        self._manifests = manifests
        self._times = times

    def of(
        self,
        node: Node,
        done: Mapping[str, tuple[StoredValue, ...]],
        items: Mapping[str, Argument],
    ) -> tuple[CacheKey | None, str | None]:
        """The key of a step whose upstream is `done`, or None and why it has none.

        `items` are what mapped parameters are for this item of a mapped step. Raises `Invalid` for a declared
        file that is not there.
        """
        if not node.cache:
            return None, "not cached: the step asks for it"
        fingerprint = self._fingerprinter.fingerprint(node.step)
        if fingerprint.opaque:
            return None, f"not cached: {fingerprint.opaque}"
        key = cache_key(
            node,
            self._run,
            fingerprint,
            done=done,
            manifests=self._manifests,
            times=self._times,
            items=items,
            declared=self._fingerprinter.declared(node, os.environ),
        )
        return key, None


def cache_key(
    node: Node,
    run: PipelineRun,
    fingerprint: Fingerprint,
    *,
    done: Mapping[str, tuple[StoredValue, ...]],
    manifests: Mapping[str, Digest],
    times: Mapping[str, Times],
    items: Mapping[str, Argument],
    declared: Mapping[str, str],
) -> CacheKey:
    """The key of one step of a run: its code, what that reaches, and its inputs by content.

    `items` are what mapped parameters are for this item of a mapped step, `declared` what the step says that
    it depends on besides. Retries, timeouts and the names of
    runs and pipelines have no part in the key.
    """
    parts = fingerprint.parts | dict(declared)
    parts["format"] = FORMAT_VERSION
    parts["python"] = f"{sys.implementation.name}-{sys.version_info.major}.{sys.version_info.minor}"
    parts["outputs"] = str(node.output_count)
    for name, output in node.node_outputs.items():
        parts[f"input:{name}"] = picked(done, output.node, output.index).digest
    for name, outputs in node.node_lists.items():
        values = [picked(done, output.node, output.index).digest for output in outputs]
        parts[f"input:{name}"] = " ".join(values)
    for name, dataset in node.datasets.items():
        parts[f"input:{name}"] = manifests[dataset.parameter]
        if told := times.get(dataset.parameter):
            # What a step reads as of a moment depends on them.
            parts[f"times:{name}"] = canonical(told).decode()
    for name, parameter in node.parameters.items():
        parts[f"value:{name}"] = canonical(run.params[parameter.parameter]).decode()
    for name, constant in node.constants.items():
        parts[f"value:{name}"] = canonical(constant.value).decode()
    for name, item in items.items():
        parts.pop(f"value:{name}", None)
        if isinstance(item, Kept):
            parts[f"input:{name}"] = item.value.digest
        elif isinstance(item, Plain):
            parts.pop(f"input:{name}", None)
            parts[f"value:{name}"] = canonical(item.value).decode()
    return CacheKey(digest=digest_of([node.step, parts]), components=parts)
