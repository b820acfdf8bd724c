"""What of a machine there is for steps: cpus, memory, GPUs."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mainspring.domain.pipeline import Node
from mainspring.kernel.errors import Invalid

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]i?)?B?", re.IGNORECASE)
_STEPS = ("", "k", "m", "g", "t")
_DEVICE = re.compile(r"nvidia\d+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """How much there is; `gpus` are what `CUDA_VISIBLE_DEVICES` calls them."""

    cpus: int
    memory_bytes: int
    gpus: tuple[str, ...] = ()

    def check(self, node: Node) -> None:
        """Raise `Invalid` for a step that would wait for GPUs without end."""
        if node.gpus > len(self.gpus):
            raise Invalid(
                f"{node.id} asks for {node.gpus} GPU{'s' if node.gpus > 1 else ''}, "
                f"and there {'is' if len(self.gpus) == 1 else 'are'} {len(self.gpus)} on this machine",
                code="no_such_capacity",
                hint="Run it where there are enough; CUDA_VISIBLE_DEVICES says which a worker may give away.",
            )

    def free_gpus(self, given: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        """Those that are not `given` to a step."""
        taken = {device for devices in given.values() for device in devices}
        return tuple(device for device in self.gpus if device not in taken)


def of_this_machine(cpus: int | None = None) -> Capacity:
    """What this process may use, in its container too; `cpus` instead of those that there are."""
    return Capacity(
        cpus=cpus or len(os.sched_getaffinity(0)),
        memory_bytes=_memory(Path("/sys/fs/cgroup/memory.max")),
        gpus=_gpus(os.environ, Path("/dev")),
    )


def parse_size(text: str) -> int | None:
    """Bytes, as people write them; None for what is no size.

    >>> parse_size("2GiB"), parse_size("1.5 GB"), parse_size("many")
    (2147483648, 1500000000, None)
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        return None
    unit = (found[2] or "").lower()
    step = 1024 if "i" in unit else 1000
    size: int = round(float(found[1]) * step ** _STEPS.index(unit[:1]))
    return size


def _memory(limit: Path) -> int:
    there = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        text = limit.read_text().strip()
    except OSError:
        return there
    return min(there, int(text)) if text.isdecimal() else there


def _gpus(environment: Mapping[str, str], devices: Path) -> tuple[str, ...]:
    named = environment.get("CUDA_VISIBLE_DEVICES")
    if named is not None:
        return tuple(each.strip() for each in named.split(",") if each.strip())
    found = sorted(path.name for path in devices.glob("nvidia*") if _DEVICE.fullmatch(path.name))
    return tuple(str(number) for number in range(len(found)))
