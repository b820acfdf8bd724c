"""Carrying over the registry: models, versions with their bytes, aliases."""

import math
from collections.abc import Sequence
from dataclasses import replace

from mainspring.blobs.trees import put_manifest
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.domain.model import PROMPT_TEXT_TAG, ModelVersion, RegisteredModel, is_prompt
from mainspring.domain.run import Artifact
from mainspring.kernel.errors import Conflict, Invalid, NotFound, Rejected
from mainspring.registry.requests import GetModel, GetModelVersion, SetAlias
from mainspring.takeover.home import Home
from mainspring.takeover.mlflow.home import stored
from mainspring.takeover.mlflow.report import Tally
from mainspring.takeover.mlflow.source import Source, SourceFile, SourceVersion
from mainspring.takeover.requests import TakeOverModel, TakeOverVersion
from mainspring.tracking.artifacts import root_of_model, root_of_run
from mainspring.tracking.model_format import MLMODEL, describe_model
from mainspring.tracking.requests import GetLoggedModel, GetRun, ListArtifacts

RESERVED = "champion"
CARRIED_AS = "mlflow-champion"
"""What the alias `champion` is carried over as: here only a rollout whose gates passed moves that one."""

PROMPT_FILE = "prompt.txt"


def take_registry(source: Source, home: Home, tally: Tally, *, writes: bool) -> None:
    """Carry over every registered model; what can't be is noted, and the others are carried over."""
    for model in source.models():
        try:
            is_new = writes and home.call(TakeOverModel(model=model)).is_new
        except (Invalid, Conflict) as error:
            tally.notes.append(f"model {model.name[:100]!r} is not carried over: {error}")
            continue
        tally.count("registered models", 1, int(is_new))
        for version in source.versions(model.name):
            _take_version(source, home, tally, version, writes=writes)
        _take_aliases(home, tally, model, writes=writes)


def _take_version(
    source: Source, home: Home, tally: Tally, given: SourceVersion, *, writes: bool
) -> None:
    version = given.version
    what = f"version {version.number} of {version.model}"
    tally.count("model versions")
    if not writes:
        return
    try:
        here = _here(home, version)
        if here is None:
            full = _with_bytes(source, home, given)
            tally.count("model versions", 0, int(home.call(TakeOverVersion(version=full)).is_new))
        elif (here.source, here.run) != (version.source, version.run):
            tally.notes.append(f"{what} is not carried over: that number is another's here")
    except (Invalid, NotFound, Conflict) as error:
        tally.notes.append(f"{what} is not carried over: {error}")


def _here(home: Home, version: ModelVersion) -> ModelVersion | None:
    try:
        return home.call(GetModelVersion(model=version.model, number=version.number))
    except NotFound:
        return None


def _with_bytes(source: Source, home: Home, given: SourceVersion) -> ModelVersion:
    version = given.version
    if is_prompt(version.tags):
        text = version.tags.get(PROMPT_TEXT_TAG, "").encode()
        digest = home.blobs.put_bytes(text)
        entries = [ManifestEntry(path=PROMPT_FILE, digest=digest, size_bytes=len(text))]
        manifest = put_manifest(home.blobs, Manifest(entries=tuple(entries)))
        return replace(version, manifest=manifest, flavor="prompt")
    files = source.version_files(given)
    if not files:
        raise NotFound(
            "there are no files where MLflow says that they are", code="no_such_artifact"
        )
    entries = [
        ManifestEntry(path=each.path, digest=each.digest, size_bytes=each.size_bytes)
        for each in _stored_once(home, version, files)
    ]
    manifest = put_manifest(home.blobs, Manifest(entries=tuple(sorted(entries, key=_path))))
    mlmodel = next((each for each in entries if each.path == MLMODEL), None)
    if mlmodel is None:
        # MLflow lets anything be registered; such a version is kept, and can't be served.
        return replace(version, manifest=manifest, flavor="unknown")
    described = describe_model(home.blobs.read(mlmodel.digest))
    return replace(
        version,
        manifest=manifest,
        flavor=described.flavor,
        signature=described.signature,
        metrics=_metrics(home, version),
    )


def _stored_once(home: Home, version: ModelVersion, files: Sequence[SourceFile]) -> list[Artifact]:
    """The files with their digests; those that the run or logged model carried over aren't read again."""
    known = {(each.path, each.size_bytes): each for each in _carried_over(home, version)}
    found = []
    for file in files:
        here = known.get((file.path, file.size_bytes))
        found.append(here if here is not None else stored(home, file))
    return found


def _carried_over(home: Home, version: ModelVersion) -> list[Artifact]:
    try:
        if version.logged_model is not None:
            model = home.call(GetLoggedModel(model=version.logged_model))
            root = root_of_model(model.experiment, model.id)
            found = home.call(ListArtifacts(root=root))
            return list(found)
        if version.run is None:
            return []
        run = home.call(GetRun(run=version.run))
    except NotFound:
        return []
    folder = version.source.partition(f"{run.id}/artifacts/")[2].strip("/")
    if not folder:
        return []
    listed = home.call(ListArtifacts(root=root_of_run(run.experiment, run.id), prefix=folder))
    return [replace(each, path=each.path.removeprefix(f"{folder}/")) for each in listed]


def _metrics(home: Home, version: ModelVersion) -> dict[str, float]:
    """What the run measured, which gates and people look at."""
    if version.run is None:
        return {}
    try:
        run = home.call(GetRun(run=version.run))
    except NotFound:
        return {}
    return {each.key: each.value for each in run.metrics if math.isfinite(each.value)}


def _take_aliases(home: Home, tally: Tally, model: RegisteredModel, *, writes: bool) -> None:
    here = home.call(GetModel(model=model.name)).aliases if writes else {}
    for name, number in sorted(model.aliases.items()):
        alias = name
        if name.lower() == RESERVED:
            alias = CARRIED_AS
            tally.notes.append(
                f"alias {name!r} of {model.name} is carried over as {alias!r}: here only a rollout "
                "whose gates passed moves a champion"
            )
        is_new = alias not in here
        tally.count("aliases", 1, int(is_new and writes))
        if not writes:
            continue
        if not is_new:
            if here[alias] != number:
                tally.notes.append(
                    f"alias {alias!r} of {model.name} points at version {here[alias]} here, at "
                    f"{number} over there, and stays"
                )
            continue
        try:
            home.call(SetAlias(model=model.name, alias=alias, number=number))
        except (Invalid, NotFound, Rejected) as error:
            tally.count("aliases", 0, -1)
            tally.notes.append(f"alias {name!r} of {model.name} is not carried over: {error}")


def _path(entry: ManifestEntry) -> str:
    return entry.path
