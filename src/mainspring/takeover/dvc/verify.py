"""Comparing what was taken over with what DVC has: every version, file by file, byte by byte."""

from collections.abc import Iterator, Mapping
from functools import partial

from mainspring.blobs.trees import read_manifest
from mainspring.datasets.requests import GetDatasetVersion
from mainspring.domain.dataset import DatasetVersion
from mainspring.kernel.errors import Corrupt, Invalid, NotFound
from mainspring.takeover.dvc.history import Repository, State
from mainspring.takeover.dvc.names import named
from mainspring.takeover.dvc.objects import Objects
from mainspring.takeover.home import Home
from mainspring.takeover.requests import FindOrigins


def differences(
    repository: Repository, home: Home, *, names: Mapping[str, str], all_branches: bool = False
) -> Iterator[str]:
    """Whatever DVC has and is not the same here, in words; what DVC no longer has can't be compared."""
    states, _commits = repository.history(all_branches=all_branches)
    head = repository.outs_at(repository.git.head)
    called = named((state.out.path for state in states), head, names)
    objects = Objects(home=home, places=repository.places)
    seen: set[tuple[str, str]] = set()
    for state in states:
        tracked = partial(repository.tracked, state.commit.id)
        if any(objects.missing(state.out, tracked)):
            continue
        name = called[state.out.path]
        what = f"{state.out.path} at {state.commit.short}"
        version = _version_of(home, name, state.origin)
        if version is None:
            yield f"{what}: it is not here"
        elif (state.out.key, version.id) not in seen:
            seen.add((state.out.key, version.id))
            yield from _of_files(repository, objects, state, version, what)


def _version_of(home: Home, name: str, origin: str) -> DatasetVersion | None:
    found = home.call(FindOrigins(dataset=name, origin=origin))
    return home.call(GetDatasetVersion(dataset=name, number=found[0].number)) if found else None


def _of_files(
    repository: Repository, objects: Objects, state: State, version: DatasetVersion, what: str
) -> Iterator[str]:
    tracked = partial(repository.tracked, state.commit.id)
    blobs = objects.home.blobs
    try:
        here = {
            entry.path: entry.digest for entry in read_manifest(blobs, version.manifest).entries
        }
    except (Corrupt, NotFound) as error:
        yield f"{what}: the list of its files here: {error.message}"
        return
    there = dict(objects.files_of(state.out, tracked))
    for path in sorted(here.keys() ^ there.keys()):
        yield f"{what}: its file {path!r} is only {'here' if path in here else 'there'}"
    for path in sorted(here.keys() & there.keys()):
        try:
            if objects.digest_over_there(state.out, path, there[path], tracked) != here[path]:
                yield f"{what}: its file {path!r} has other bytes here"
            blobs.verify(here[path])
        except (Corrupt, NotFound, Invalid) as error:
            yield f"{what}: its file {path!r}: {error.message}"
