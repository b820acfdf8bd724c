"""Versions on a remote: pushing ours, pulling others'.

A version is told by a small object under `versions/`, named by its content and written last. Everything that it names
is there before it, so a version that can be seen can be pulled; versions of two people stand side by side.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from mainspring.blobs.exchange import Exchange, Moved
from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.object_store import Objects
from mainspring.blobs.trees import check_paths, read_manifest
from mainspring.datasets.requests import (
    AddDatasetVersion,
    ListDatasets,
    ListDatasetVersions,
    ListRemotes,
)
from mainspring.domain.dataset import Column, DatasetVersion, DatasetVersionState, Remote
from mainspring.kernel.codec import canonical, decode, digest_of
from mainspring.kernel.digests import Digest, hex_part, parse_digest
from mainspring.kernel.errors import Conflict, Corrupt, Invalid, NotFound

Call = Callable[[Any], Any]
"""`App.call`; `Any`, since its answer's type comes from the request's."""
_ALL_VERSIONS = 10_000
_TOO_MANY = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteVersion:
    """A version as a remote tells of it. `number` is that of the store that pushed it; others give it their own."""

    dataset: str
    number: int
    manifest: Digest
    file_count: int
    size_bytes: int
    row_count: int | None
    columns: tuple[Column, ...] | None
    profile: Digest | None
    note: str
    created_at: datetime
    created_by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchanged:
    """What a push or pull did; `numbers` are the versions' in this store, by dataset."""

    remote: str
    numbers: dict[str, tuple[int, ...]]
    object_count: int
    size_bytes: int


class RemoteVersions:
    """The versions on one remote, as one store sees them."""

    def __init__(self, call: Call, blobs: LocalBlobs, remote: Remote, cache: Path) -> None:
        """`cache` keeps what of remotes never changes; it may be deleted."""
        self._call = call
        self._blobs = blobs
        self._remote = remote
        self._objects = Objects(remote.url, endpoint=remote.endpoint)
        self.bytes = Exchange(blobs, self._objects, cache / hex_part(digest_of(remote.url))[:16])

    def push(self, versions: list[DatasetVersion]) -> Exchanged:
        """Send versions, oldest first; raises `Conflict` for one that was refused or removed."""
        numbers: dict[str, tuple[int, ...]] = {}
        total = Moved()
        known = {name.rpartition("/")[2] for name in self._objects.names("versions/")}
        for version in sorted(versions, key=lambda each: (each.dataset, each.number)):
            if version.state is not DatasetVersionState.ACCEPTED:
                raise Conflict(
                    f"{version.dataset} version {version.number} is {version.state}",
                    code="not_accepted",
                    hint="Only accepted versions are pushed.",
                )
            told = _told(version)
            if _name(told) in known:
                continue
            moved = self.bytes.send(self._needed(version.manifest, version.profile))
            self._objects.put(f"versions/{version.dataset}/{_name(told)}", canonical(told))
            total.object_count += moved.object_count + 1
            total.size_bytes += moved.size_bytes
            numbers[version.dataset] = (*numbers.get(version.dataset, ()), version.number)
        return self._exchanged(numbers, total)

    def pull(self, datasets: list[str]) -> Exchanged:
        """Fetch versions that are not here, oldest first; all datasets of the remote if none is named.

        Raises `NotFound` for a dataset that the remote does not have, or bytes that it should have, and `Corrupt` for
        what can't be as it says.
        """
        numbers: dict[str, tuple[int, ...]] = {}
        total = Moved()
        for told in self._there(datasets):
            if told.manifest in self._manifests(told.dataset):
                continue
            for digests in self._in_steps(told):
                moved = self.bytes.fetch(digests)
                if moved.missing:
                    raise NotFound(
                        f"{self._remote.url} tells of a version of {told.dataset} and lacks "
                        f"{len(moved.missing)} of its files, {moved.missing[0]} first",
                        code="remote_incomplete",
                        hint="Push it again from a store that has it.",
                    )
                total.object_count += moved.object_count
                total.size_bytes += moved.size_bytes
            version = self._call(_addition(told))
            numbers[told.dataset] = (*numbers.get(told.dataset, ()), version.number)
        return self._exchanged(numbers, total)

    def _there(self, datasets: list[str]) -> list[RemoteVersion]:
        found = []
        for dataset in datasets or [""]:
            names = list(self._objects.names(f"versions/{dataset}/" if dataset else "versions/"))
            if dataset and not names:
                raise NotFound(
                    f"{self._remote.url} has no dataset {dataset!r}",
                    hint="`mainspring data pull` without a name pulls all that is there.",
                )
            found += [self._read(name) for name in names if name.endswith(".json")]
        return sorted(found, key=lambda each: (each.created_at, each.number, each.manifest))

    def _read(self, name: str) -> RemoteVersion:
        """What an object tells; raises `Corrupt` for what no push wrote."""
        try:
            told = decode(self._objects.get(name), RemoteVersion, what="version")
            for digest in (told.manifest, *([told.profile] if told.profile else [])):
                parse_digest(digest)
        except Invalid as error:
            raise self._lie(name, error.message) from error
        if not name.startswith(f"versions/{told.dataset}/"):
            raise self._lie(name, f"it tells of {told.dataset!r}")
        if told.created_at.tzinfo is None:
            raise self._lie(name, "its time has no zone")
        counts = (told.file_count, told.size_bytes, told.row_count or 0)
        if not all(0 <= count < _TOO_MANY for count in counts):
            raise self._lie(name, "it has more than there can be, or less than nothing")
        if "\0" in told.note + told.created_by:
            raise self._lie(name, "its note is no text")
        return told

    def _lie(self, what: str, why: str) -> Corrupt:
        return Corrupt(
            f"{what} of {self._remote.url} can't be right: {why}",
            code="remote_damaged",
            hint="Delete it there, and push again from a store that has the version.",
        )

    def _manifests(self, dataset: str) -> set[Digest]:
        """Of the versions that are here, whatever became of them."""
        try:
            versions: tuple[DatasetVersion, ...] = self._call(
                ListDatasetVersions(dataset=dataset, limit=_ALL_VERSIONS)
            )
        except NotFound:
            return set()
        return {version.manifest for version in versions}

    def _in_steps(self, told: RemoteVersion) -> Iterator[list[Digest]]:
        """The manifest first, then what it names; raises `Corrupt` for one that is not as it was told."""
        profile = [told.profile] if told.profile else []
        yield [told.manifest, *profile]
        manifest = read_manifest(self._blobs, told.manifest)
        what = f"version {told.number} of {told.dataset}"
        if (told.file_count, told.size_bytes) != (len(manifest.entries), manifest.size_bytes):
            raise self._lie(what, "its files are not as many or not as large as it says")
        try:
            check_paths(manifest)
        except Invalid as error:
            raise self._lie(what, error.message) from error
        yield [entry.digest for entry in manifest.entries]

    def _needed(self, manifest: Digest, profile: Digest | None) -> list[Digest]:
        entries = [entry.digest for entry in read_manifest(self._blobs, manifest).entries]
        return [*entries, *([profile] if profile else []), manifest]

    def _exchanged(self, numbers: dict[str, tuple[int, ...]], moved: Moved) -> Exchanged:
        return Exchanged(
            remote=self._remote.name,
            numbers=numbers,
            object_count=moved.object_count,
            size_bytes=moved.size_bytes,
        )


def remote_versions(call: Call, blobs: LocalBlobs, name: str | None, cache: Path) -> RemoteVersions:
    """The versions on the remote of that name; on the only one, or `origin`, if none is named.

    Raises `NotFound` if there is no such remote, `Invalid` if it isn't clear which is meant.
    """
    remotes: dict[str, Remote] = {each.name: each for each in call(ListRemotes())}
    if not remotes:
        raise NotFound(
            "there is no remote",
            code="no_remote",
            hint="`mainspring remote add origin s3://BUCKET/PREFIX` adds one.",
        )
    if name is None and len(remotes) > 1 and "origin" not in remotes:
        raise Invalid(f"which remote: {', '.join(remotes)}?", hint="Name one.")
    chosen = name or ("origin" if "origin" in remotes else next(iter(remotes)))
    if chosen not in remotes:
        raise NotFound(f"there is no remote {chosen!r}", hint=f"There are {', '.join(remotes)}.")
    return RemoteVersions(call, blobs, remotes[chosen], cache)


def accepted_versions(call: Call, datasets: Sequence[str]) -> list[DatasetVersion]:
    """The accepted versions of some datasets, or of all."""
    names = datasets or [dataset.name for dataset in call(ListDatasets())]
    return [
        version
        for name in names
        for version in call(ListDatasetVersions(dataset=name, limit=_ALL_VERSIONS))
        if version.state is DatasetVersionState.ACCEPTED
    ]


def _told(version: DatasetVersion) -> RemoteVersion:
    return RemoteVersion(
        dataset=version.dataset,
        number=version.number,
        manifest=version.manifest,
        file_count=version.file_count,
        size_bytes=version.size_bytes,
        row_count=version.row_count,
        columns=version.columns,
        profile=version.profile,
        note=version.note,
        created_at=version.created_at,
        created_by=version.created_by,
    )


def _name(told: RemoteVersion) -> str:
    """By what it holds, so that pushing a pulled version again is nothing new."""
    content = replace(told, number=0, created_at=datetime.min, created_by="", note="", profile=None)
    return f"{hex_part(digest_of(content))}.json"


def _addition(told: RemoteVersion) -> AddDatasetVersion:
    return AddDatasetVersion(
        dataset=told.dataset,
        manifest=told.manifest,
        file_count=told.file_count,
        size_bytes=told.size_bytes,
        row_count=told.row_count,
        columns=told.columns,
        profile=told.profile,
        note=told.note or f"by {told.created_by}",
    )
