"""The Python environment that steps run in: recorded with every run, and part of cache keys."""

import platform
import re
import sys
from dataclasses import dataclass
from functools import cache
from importlib import metadata

from mainspring.blobs.port import BlobStore
from mainspring.kernel.codec import canonical, decode
from mainspring.kernel.digests import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What is installed: the Python version and every distribution, by its normalised name."""

    python: str
    implementation: str
    platform: str
    distributions: dict[str, str]


@cache
def current_environment() -> Environment:
    """The environment of this process."""
    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(_normalised(name), distribution.version)
    return Environment(
        python=platform.python_version(),
        implementation=platform.python_implementation(),
        platform=f"{sys.platform}-{platform.machine()}",
        distributions=dict(sorted(found.items())),
    )


def store_environment(blobs: BlobStore) -> Digest:
    """Keep a description of this process's environment; gives the blob's digest."""
    return blobs.put_bytes(canonical(current_environment()))


def read_environment(blobs: BlobStore, digest: Digest) -> Environment:
    """A description that was kept."""
    return decode(blobs.read(digest), Environment, what="environment")


@cache
def distributions_behind(module: str) -> frozenset[str]:
    """The distributions that an importable top-level module comes from, with all that they require.

    Empty for a module that no distribution claims.
    """
    reached: set[str] = set()
    waiting = [_normalised(name) for name in _owners().get(module, ())]
    while waiting:
        name = waiting.pop()
        if name not in reached and name in current_environment().distributions:
            reached.add(name)
            waiting += _requirements(name)
    return frozenset(reached)


@cache
def _owners() -> dict[str, list[str]]:
    return dict(metadata.packages_distributions())


def _requirements(name: str) -> list[str]:
    names = []
    for line in metadata.requires(name) or ():
        requirement, _, marker = line.partition(";")
        # Whether an extra was asked for isn't recorded; what it would bring is reached when it is imported.
        if "extra" in marker:
            continue
        if match := re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", requirement):
            names.append(_normalised(match.group()))
    return names


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
