"""Files of runs, logged models and versions: up, down, listed, deleted.

Bytes go to the blobs as they come, with flat memory and no copy in between; the row that names them is
written when they are all there. They are somebody else's bytes, so a browser never gets them as a page.
"""

from collections.abc import Iterable
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from mainspring.api.mlflow.errors import answer
from mainspring.api.mlflow.handle import Call, Endpoint, app_for
from mainspring.api.mlflow.locations import (
    Location,
    check_spelling,
    location_of,
    run_root,
    uri_of,
)
from mainspring.api.mlflow.runs import run_id_of
from mainspring.api.mlflow.wire import Json, Params
from mainspring.api.uploads import read_body
from mainspring.app import App
from mainspring.blobs.trees import check_relative, read_manifest
from mainspring.domain.actor import Permission
from mainspring.domain.run import Artifact
from mainspring.governance.rules import may
from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Denied, Invalid, MainspringError, NotFound
from mainspring.registry.requests import GetModelVersionById
from mainspring.traces.requests import GetTraces
from mainspring.tracking.requests import (
    DeleteArtifacts,
    GetArtifact,
    GetLoggedModel,
    GetRun,
    ListArtifacts,
    RecordArtifact,
)

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


def list_of_run(app: App, params: Params) -> Json:
    """Files and folders directly below a folder of a run."""
    folder = plain_path(params, default="")
    root = run_root(app.call(GetRun(run=run_id_of(params))))
    found = app.call(ListArtifacts(root=root, prefix=folder))
    return {"root_uri": uri_of(root), "files": files_json(found, folder, is_full_path=True)}


def plain_path(params: Params, name: str = "path", *, default: str | None = None) -> str:
    """The path below a root that a call names; raises `Invalid` in MLflow's words for one that leaves it."""
    path = params.text(name) if default is None else params.optional_text(name, default)
    if path:
        try:
            check_spelling(path.rstrip("/"))
        except Invalid as error:
            raise Invalid("Invalid path", code="bad_path") from error
    return path.rstrip("/")


def files_json(found: Iterable[Artifact], folder: str, *, is_full_path: bool) -> list[Json]:
    """What lies directly below a folder: its files, and its folders once each.

    A file's own path lists nothing, by which clients tell a file from a folder. Paths are relative to the
    folder, or with `is_full_path` to the root.
    """
    prefix = folder + "/" if folder else ""
    entries: dict[str, Json] = {}
    for artifact in found:
        if artifact.path == folder:
            continue
        name, slash, _ = artifact.path.removeprefix(prefix).partition("/")
        shown = prefix + name if is_full_path else name
        if slash:
            entries.setdefault(name, {"path": shown, "is_dir": True})
        else:
            entries[name] = {"path": shown, "is_dir": False, "file_size": artifact.size_bytes}
    return [entries[name] for name in sorted(entries)]


def files_at(app: App, location: Location) -> tuple[Artifact, ...]:
    """The file at a location, or every file below it."""
    if location.version is None:
        return app.call(ListArtifacts(root=location.root, prefix=location.path))
    version = app.call(GetModelVersionById(id=location.version))
    below = location.path + "/"
    return tuple(
        Artifact(path=entry.path, digest=entry.digest, size_bytes=entry.size_bytes)
        for entry in read_manifest(app.blobs, version.manifest).entries
        if not location.path or entry.path == location.path or entry.path.startswith(below)
    )


def file_at(app: App, location: Location) -> Artifact:
    """The file at a location; raises `NotFound`, also where its bytes are gone."""
    if location.version is None:
        found = app.call(GetArtifact(root=location.root, path=location.path))
    else:
        named = [each for each in files_at(app, location) if each.path == location.path]
        if not named:
            raise NotFound(f"No such artifact: '{location.path}'", code="no_such_artifact")
        found = named[0]
    if not app.blobs.exists(found.digest):
        raise NotFound(f"the bytes of '{found.path}' are missing", code="blob_missing")
    return found


def _upload(app: App) -> Endpoint:
    async def put(request: Request) -> Response:
        as_asker = app_for(app, request)
        location = await run_in_threadpool(writable, as_asker, request.path_params["path"])
        await read_body(request, lambda stream: store(as_asker, location, stream))
        return JSONResponse({})

    return answering(app, put)


def writable(app: App, path: str) -> Location:
    """The location of an upload; refused before a byte is read, or anybody could fill the disk."""
    location = location_of(path)
    if not may(app.actor, Permission.TRACK):
        raise Denied(f"{app.actor} ({app.actor.role.value}) may not store artifacts")
    if location.version is not None:
        raise Invalid(
            "the files of a registered version never change", hint="Register another version."
        )
    if not location.path:
        raise Invalid("an artifact needs a path below its root", code="bad_path")
    check_relative(location.path)
    match location.root.split("/"):
        case [experiment, "models", model, _]:
            known = app.call(GetLoggedModel(model=model)).experiment == experiment
        case [experiment, "traces", trace, _]:
            known = any(
                each.experiment == experiment for each in app.call(GetTraces(traces=(trace,)))
            )
        case [experiment, run, _]:
            known = app.call(GetRun(run=run)).experiment == experiment
        case _:
            known = False
    if not known:
        raise NotFound(
            f"there is no run, logged model or trace at {location.root!r}", code="bad_root"
        )
    return location


def store(app: App, location: Location, stream: BinaryIO) -> Digest:
    """Keep the bytes of a stream, and name them."""
    digest = app.blobs.put(stream)
    app.call(
        RecordArtifact(
            root=location.root,
            path=location.path,
            digest=digest,
            size_bytes=app.blobs.size_bytes(digest),
        )
    )
    return digest


def _download(app: App) -> Endpoint:
    async def get(request: Request) -> Response:
        as_asker = app_for(app, request)
        location = location_of(request.path_params["path"])
        return await sent(as_asker, location)

    return answering(app, get)


async def sent(app: App, location: Location) -> Response:
    """An answer with the file at a location."""
    artifact = await run_in_threadpool(checked_file, app, location)
    return await run_in_threadpool(bytes_of, app, artifact.digest, artifact.path.rpartition("/")[2])


def checked_file(app: App, location: Location) -> Artifact:
    """The file at a location, whose bytes were read through and are those that were stored."""
    artifact = file_at(app, location)
    # Before the first byte goes: once it has gone, a client can't be told any more that the rest is damaged.
    app.blobs.verify(artifact.digest)
    return artifact


def bytes_of(app: App, digest: Digest, name: str) -> Response:
    """An answer with stored bytes, whole or in the range that is asked for; raises `NotFound`."""
    if not app.blobs.exists(digest):
        raise NotFound(f"the bytes of {name!r} are missing", code="blob_missing")
    return FileResponse(
        app.blobs.path_of(digest),
        media_type="application/octet-stream",
        filename=name,
        headers={**_HEADERS, "ETag": f'"{digest}"'},
    )


def _list(app: App) -> Endpoint:
    async def list_(request: Request) -> Response:
        location = location_of(request.query_params.get("path", ""))
        found = await run_in_threadpool(files_at, app_for(app, request), location)
        return JSONResponse({"files": files_json(found, location.path, is_full_path=False)})

    return answering(app, list_)


def _delete(app: App) -> Endpoint:
    async def delete(request: Request) -> Response:
        location = location_of(request.path_params["path"])
        if location.version is not None:
            raise Invalid("the files of a registered version can't be deleted by themselves")
        asked = DeleteArtifacts(root=location.root, path=location.path)
        await run_in_threadpool(app_for(app, request).call, asked)
        return JSONResponse({})

    return answering(app, delete)


def answering(app: App, inner: Endpoint) -> Endpoint:
    """An endpoint whose errors are told in MLflow's words."""

    async def outer(request: Request) -> Response:
        try:
            return await inner(request)
        except MainspringError as error:
            return answer(error, app.settings.home)

    return outer


def file_routes(app: App, prefix: str) -> list[Route]:
    """The proxy's routes below `/api` or `/ajax-api`."""
    base = f"{prefix}/2.0/mlflow-artifacts/artifacts"
    return [
        Route(base, _list(app), methods=["GET"]),
        Route(base + "/{path:path}", _upload(app), methods=["PUT"]),
        Route(base + "/{path:path}", _download(app), methods=["GET"]),
        Route(base + "/{path:path}", _delete(app), methods=["DELETE"]),
    ]


CALLS = (Call(method="GET", path="/artifacts/list", handler=list_of_run),)
