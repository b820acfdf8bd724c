"""Bringing an MLflow's files here, or reading them there to compare."""

from mainspring.domain.run import Artifact
from mainspring.kernel.digests import Digest
from mainspring.takeover.home import Home
from mainspring.takeover.mlflow.source import SourceFile


def stored(home: Home, file: SourceFile) -> Artifact:
    """Read a file over there and store its bytes here."""
    with file.open() as stream:
        digest = home.blobs.put(stream)
    return Artifact(path=file.path, digest=digest, size_bytes=home.blobs.size_bytes(digest))


def digest_over_there(file: SourceFile) -> Digest:
    """Read a file over there for its digest alone."""
    from mainspring.kernel.digests import digest_stream

    with file.open() as stream:
        return digest_stream(stream)
