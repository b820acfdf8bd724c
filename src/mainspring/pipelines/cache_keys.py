"""What a step's result is found again by."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass

from mainspring.domain.pipeline import Node, PipelineRun, StoredValue
from mainspring.kernel.codec import canonical, digest_of
from mainspring.kernel.digests import Digest
from mainspring.pipelines.fingerprint import Fingerprint
from mainspring.pipelines.plan import picked
from mainspring.pipelines.task import Argument, Kept, Plain
from mainspring.pipelines.values import FORMAT_VERSION


@dataclass(frozen=True, slots=True, kw_only=True)
class CacheKey:
    """A key and the parts that it was made of, by which two runs can be compared."""

    digest: Digest
    components: dict[str, str]


def cache_key(
    node: Node,
    run: PipelineRun,
    fingerprint: Fingerprint,
    *,
    done: Mapping[str, tuple[StoredValue, ...]],
    manifests: Mapping[str, Digest],
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
