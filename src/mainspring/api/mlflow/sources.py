"""From a source, as clients name it, to the manifest of its files and a registered version."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from mainspring.api.mlflow.artifacts import files_at
from mainspring.api.mlflow.locations import (
    SCHEME,
    Location,
    location_of_uri,
    model_root,
    run_root,
    version_root,
)
from mainspring.api.mlflow.wire import Params
from mainspring.app import App
from mainspring.blobs.trees import check_relative, put_manifest
from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.domain.model import ModelVersion
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.registry.requests import GetModelVersion, RegisterModelVersion
from mainspring.tracking.model_format import MLMODEL, describe_model
from mainspring.tracking.requests import GetLoggedModel, GetRun


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    location: Location
    run: str | None = None
    logged_model: str | None = None


def register(app: App, params: Params) -> ModelVersion:
    """Register the files at a source as the next version of a model."""
    text = params.text("source")
    source = _resolve(app, text)
    manifest = _manifest(app, source.location, text)
    mlmodel = next((e for e in manifest.entries if e.path == MLMODEL), None)
    if mlmodel is None:
        raise Invalid(
            f"there is no {MLMODEL} file at {text[:200]!r}",
            code="not_a_model",
            hint="Log the model with its flavor's log_model, and register that.",
        )
    described = describe_model(app.blobs.read(mlmodel.digest))
    run = params.optional_text("run_id") or source.run
    return app.call(
        RegisterModelVersion(
            model=params.text("name"),
            manifest=put_manifest(app.blobs, manifest),
            flavor=described.flavor,
            run=run,
            logged_model=params.optional_text("model_id") or source.logged_model,
            source=text,
            signature=described.signature,
            metrics=_metrics(app, run),
            description=params.optional_text("description"),
            tags=dict(params.pairs("tags")),
            anew=True,
        )
    )


def _resolve(app: App, source: str) -> _Source:
    """What a source names; nothing outside this server is ever followed."""
    if source.startswith(SCHEME):
        return _of_location(location_of_uri(source))
    if source.startswith("models:/"):
        return _of_model_uri(app, source.removeprefix("models:/"))
    if source.startswith("runs:/"):
        run_id, _, path = source.removeprefix("runs:/").partition("/")
        run = app.call(GetRun(run=run_id))
        if path:
            check_relative(path)
        return _Source(location=Location(root=run_root(run), path=path), run=run.id)
    raise Invalid(
        f"Invalid model version source: '{source[:200]}'.",
        code="bad_source",
        hint="A source is models:/..., runs:/... or the artifact_uri of a run or logged model.",
    )


def _of_location(location: Location) -> _Source:
    match location.root.split("/"):
        case [_, "models", model, _]:
            return _Source(location=location, logged_model=model)
        case ["versions", *_]:
            return _Source(location=location)
        case [_, run, _]:
            return _Source(location=location, run=run)
    raise Invalid(f"{location.root!r} is not a root of files", code="bad_source")


def _of_model_uri(app: App, rest: str) -> _Source:
    name, slash, number = rest.rpartition("/")
    if slash and number.isdecimal():
        version = app.call(GetModelVersion(model=name, number=int(number)))
    elif "@" in rest:
        name, _, alias = rest.rpartition("@")
        version = app.call(GetModelVersion(model=name, alias=alias))
    else:
        model = app.call(GetLoggedModel(model=rest))
        location = Location(root=model_root(model), path="")
        return _Source(
            location=location, run=_run_here(app, model.source_run), logged_model=model.id
        )
    location = Location(root=version_root(version), path="", version=version.id)
    return _Source(location=location, run=version.run, logged_model=version.logged_model)


def _run_here(app: App, run: str | None) -> str | None:
    """A run that a logged model remembers, if it is one of ours."""
    if run is None:
        return None
    try:
        return app.call(GetRun(run=run, parts=())).id
    except NotFound:
        return None


def _manifest(app: App, location: Location, source: str) -> Manifest:
    found = files_at(app, location)
    if not found:
        raise NotFound(f"there are no files at {source[:200]!r}", code="no_such_artifact")
    entries = []
    for artifact in found:
        if not app.blobs.exists(artifact.digest):
            raise NotFound(f"the bytes of {artifact.path!r} are missing", code="blob_missing")
        inside = PurePosixPath(artifact.path)
        path = str(inside.relative_to(location.path)) if location.path else artifact.path
        entries.append(
            ManifestEntry(path=path, digest=artifact.digest, size_bytes=artifact.size_bytes)
        )
    return Manifest(entries=tuple(sorted(entries, key=lambda entry: entry.path)))


def _metrics(app: App, run: str | None) -> dict[str, float]:
    """What the run measured, so that gates and people can see it beside the version."""
    if run is None:
        return {}
    return {metric.key: metric.value for metric in app.call(GetRun(run=run)).metrics}
