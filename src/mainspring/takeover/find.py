"""Finding the versions that hold some bytes, by any name that these go by."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from mainspring.blobs.trees import read_manifest
from mainspring.datasets.requests import GetDatasetVersion, ListDatasets, ListDatasetVersions
from mainspring.domain.dataset import DatasetVersion
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import NotFound
from mainspring.takeover.home import Home
from mainspring.takeover.requests import FindAliases, FindOrigins

_MD5 = re.compile(r"(?:md5:)?([0-9a-f]{32}(?:\.dir)?)\Z")
_COMMIT = re.compile(r"[0-9a-f]{7,40}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundData:
    """A version that holds what was looked for; `path` is its file that does, or None for all of it."""

    dataset: str
    number: int
    path: str | None
    digest: Digest
    note: str


def find_data(home: Home, what: str) -> tuple[FoundData, ...]:
    """Versions by a digest of theirs or of a file in them, by a md5 or commit that was taken over, or by a tag.

    Raises `NotFound` if there are none. To look for a file's digest, the list of every version's files is read.
    """
    found = [*_by_digests(home, set(_digests(home, what))), *_by_origin(home, what)]
    if not found:
        raise NotFound(
            f"no version here holds {what[:100]!r}",
            code="nothing_found",
            hint="Give a digest, a md5 of DVC's, at least 7 digits of a commit that was taken over, or a git tag.",
        )
    return tuple(dict.fromkeys(found))


def _digests(home: Home, what: str) -> Iterator[Digest]:
    if what.startswith("sha256:"):
        yield Digest(what)
    elif md5 := _MD5.match(what):
        for alias in home.call(FindAliases(aliases=(f"md5:{md5[1]}",))):
            yield alias.digest


def _by_digests(home: Home, digests: set[Digest]) -> Iterator[FoundData]:
    if not digests:
        return
    seen: dict[Digest, list[tuple[str, Digest]]] = {}
    for dataset in home.call(ListDatasets()):
        for version in home.call(ListDatasetVersions(dataset=dataset.name, limit=10_000)):
            if version.manifest in digests:
                yield _found(version, None, version.manifest)
                continue
            if version.manifest not in seen:
                seen[version.manifest] = list(_files_with(home, version.manifest, digests))
            for path, digest in seen[version.manifest]:
                yield _found(version, path, digest)


def _files_with(home: Home, manifest: Digest, digests: set[Digest]) -> Iterator[tuple[str, Digest]]:
    try:
        entries = read_manifest(home.blobs, manifest).entries
    except NotFound:
        # A version that was removed holds nothing any more.
        return
    for entry in entries:
        if entry.digest in digests:
            yield entry.path, entry.digest


def _by_origin(home: Home, what: str) -> Iterator[FoundData]:
    asked = [f"tag:{what}"]
    if _COMMIT.match(what):
        asked += [f"git:{what}*", f"head:{what}*"]
    for origin in asked:
        for each in home.call(FindOrigins(origin=origin)):
            version = home.call(GetDatasetVersion(dataset=each.dataset, number=each.number))
            yield _found(version, None, version.manifest)


def _found(version: DatasetVersion, path: str | None, digest: Digest) -> FoundData:
    return FoundData(
        dataset=version.dataset, number=version.number, path=path, digest=digest, note=version.note
    )
