"""What code and which Python environment a digest stands for."""

from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import read_manifest
from mainspring.domain.dataset import Manifest
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Corrupt, Invalid, NotFound
from mainspring.pipelines.environment import Environment, read_environment


def describe_code(blobs: BlobStore, project: Digest | None) -> Manifest | None:
    """The files of a code snapshot; None if they can't be told, which `mainspring fsck` explains."""
    if project is None:
        return None
    try:
        return read_manifest(blobs, project)
    except (NotFound, Corrupt, Invalid):
        return None


def describe_environment(blobs: BlobStore, environment: Digest | None) -> Environment | None:
    """The Python version and distributions; None if they can't be told."""
    if environment is None:
        return None
    try:
        return read_environment(blobs, environment)
    except (NotFound, Corrupt, Invalid):
        return None
