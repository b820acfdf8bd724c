"""What `.dvc` files, `dvc.yaml` and `dvc.lock` say, in our words. Pure."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any

from mainspring.kernel.errors import Invalid
from mainspring.takeover.dvc.templates import expanded, filled, joined, variables
from mainspring.takeover.dvc.texts import read_text

_MD5 = re.compile(r"([0-9a-f]{32})(\.dir)?\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Out:
    """Data that DVC keeps: a file, or a folder (its md5 is that of a list of files).

    `is_legacy` means that DVC 2 named it, whose md5 of a text takes CR LF for LF. `files` lists a folder's
    files where the repository itself does.
    """

    path: str
    md5: str
    is_folder: bool
    is_legacy: bool
    size_bytes: int | None = None
    files: tuple[tuple[str, str], ...] | None = None

    @property
    def key(self) -> str:
        """The name that DVC gives the bytes, which stays findable here."""
        return self.md5 + (".dir" if self.is_folder else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stage of a `dvc.yaml`, with all templates filled in; paths count from the repository's root.

    `params` lists keys of each file of parameters; an empty list stands for all of them.
    """

    name: str
    command: str
    folder: str
    deps: tuple[str, ...]
    outs: tuple[str, ...]
    metrics: tuple[str, ...]
    plots: tuple[str, ...]
    params: dict[str, tuple[str, ...]]
    description: str = ""
    always_changed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """All that a `dvc.yaml` declares; `left_out` says what of it has no counterpart."""

    stages: tuple[Stage, ...] = ()
    metrics: tuple[str, ...] = ()
    plots: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """What a metafile says of data: the outs by path, the parameters that made them, and what can't be kept."""

    outs: dict[str, Out] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    left_out: tuple[str, ...] = ()


def read_dvc_file(data: bytes, path: str) -> Locked:
    """What a `.dvc` file says; raises `Invalid` if it is none."""
    document = _table(read_text(data, f"{path}.yaml"), path)
    folder = joined(str(PurePosixPath(path).parent), document.get("wdir") or ".")
    found = list(_outs(document.get("outs"), folder, path))
    left_out = [each for each in found if isinstance(each, str)]
    if document.get("cmd"):
        left_out.append(f"{path}: the command that made it: {document['cmd']}")
    for dep in document.get("deps") or []:
        source = dep.get("repo", {}).get("url") if isinstance(dep.get("repo"), dict) else None
        left_out.append(f"{path}: that it was imported from {source or dep.get('path')}")
    outs = {each.path: each for each in found if isinstance(each, Out)}
    return Locked(outs=outs, left_out=tuple(left_out))


def read_lock(data: bytes, path: str, folders: dict[str, str]) -> Locked:
    """What a `dvc.lock` says; `folders` gives the folder in which a stage runs, where it isn't the file's own."""
    document = _table(read_text(data, f"{path}.yaml"), path)
    # DVC 1 had the stages at the top.
    stages = document.get("stages", {}) if "schema" in document else document
    here = str(PurePosixPath(path).parent)
    outs: dict[str, Out] = {}
    params: dict[str, Any] = {}
    left_out: list[str] = []
    for name, said in (stages or {}).items():
        stage = _table(said, f"{path}, stage {name}")
        folder = folders.get(name, here)
        for each in _outs(stage.get("outs"), folder, path):
            if isinstance(each, Out):
                outs[each.path] = each
            else:
                left_out.append(each)
        for file, values in (stage.get("params") or {}).items():
            where = joined(folder, file)
            for key, value in (values or {}).items():
                params[key if where == "params.yaml" else f"{where}:{key}"] = value
    return Locked(outs=outs, params=params, left_out=tuple(left_out))


def read_declared(data: bytes, path: str, load: Callable[[str], Any]) -> Declared:
    """What a `dvc.yaml` declares; `load` reads a file of parameters, named from the repository's root.

    A stage whose templates can't be filled in is left out, and said.
    """
    document = _table(read_text(data, path), path)
    here = str(PurePosixPath(path).parent)
    beside = _Beside(here, load)
    known = variables(document, beside)
    stages, left_out = [], []
    for key in ("artifacts", "datasets"):
        if document.get(key):
            left_out.append(f"{path}: its `{key}`")
    for group, stage in (document.get("stages") or {}).items():
        try:
            for name, each in expanded({"stages": {group: stage}}, known, beside):
                stages.append(_stage(name, each, here))
                left_out += _unlike(path, name, each)
        except (Invalid, AttributeError, TypeError) as error:
            left_out.append(f"{path}: the stage {group!r}: {error}")
    return Declared(
        stages=tuple(stages),
        metrics=tuple(joined(here, p) for p in _paths(filled(document.get("metrics"), known))),
        plots=tuple(joined(here, p) for p in _paths(filled(document.get("plots"), known))),
        left_out=tuple(left_out),
    )


@dataclass(frozen=True, slots=True)
class _Beside:
    folder: str
    load: Callable[[str], Any]

    def __call__(self, path: str) -> Any:
        return self.load(joined(self.folder, path))


def _stage(name: str, stage: dict[str, Any], here: str) -> Stage:
    folder = joined(here, stage.get("wdir") or ".")
    command = stage["cmd"]
    params: dict[str, tuple[str, ...]] = {}
    for each in stage.get("params") or []:
        if isinstance(each, dict):
            for file, keys in each.items():
                where = joined(folder, file)
                params[where] = (*params.get(where, ()), *(keys or ()))
        else:
            where = joined(folder, "params.yaml")
            params[where] = (*params.get(where, ()), each)
    return Stage(
        name=name,
        command=" && ".join(command) if isinstance(command, list) else str(command).strip(),
        folder=folder,
        deps=tuple(joined(folder, p) for p in _paths(stage.get("deps"))),
        outs=tuple(joined(folder, p) for p in _paths(stage.get("outs"))),
        metrics=tuple(joined(folder, p) for p in _paths(stage.get("metrics"))),
        plots=tuple(joined(folder, p) for p in _paths(stage.get("plots"))),
        params=params,
        description=str(stage.get("desc") or ""),
        always_changed=bool(stage.get("always_changed")),
    )


def _unlike(where: str, name: str, stage: dict[str, Any]) -> Iterator[str]:
    """What a stage asks for that steps here don't know."""
    if stage.get("frozen"):
        yield f"{where}: that the stage {name!r} is frozen"
    for each in stage.get("outs") or []:
        for out, options in each.items() if isinstance(each, dict) else ():
            if isinstance(options, dict) and options.get("persist"):
                yield f"{where}: that {out} of stage {name!r} persists between runs"


def _paths(listed: Any) -> Iterator[str]:
    for each in listed or []:
        yield from each if isinstance(each, dict) else [str(each)]


def _outs(listed: Any, folder: str, where: str) -> Iterator[Out | str]:
    for said in listed or []:
        each = _table(said, where)
        path = joined(folder, str(each.get("path", "")))
        md5 = _MD5.match(str(each.get("md5", "")))
        files = each.get("files")
        if path in ("", "."):
            yield f"{where}: an out that names no path"
        elif "://" in str(each.get("path", "")) or path.startswith(("/", "..")):
            yield f"{where}: {each['path']} lies outside the repository"
        elif md5 is None and not files:
            yield f"{where}: {path} has no md5, so nothing says what its bytes are"
        else:
            yield Out(
                path=path,
                md5=md5[1] if md5 else "",
                is_folder=bool(files) or bool(md5 and md5[2]),
                is_legacy="hash" not in each,
                size_bytes=each.get("size"),
                files=_listed(files, where),
            )


def _listed(files: Any, where: str) -> tuple[tuple[str, str], ...] | None:
    if not files:
        return None
    pairs = [(str(each.get("relpath", "")), str(each.get("md5", ""))) for each in files]
    if not all(_MD5.match(md5) for _path, md5 in pairs):
        raise Invalid(f"{where} lists files without md5", code="bad_metafile")
    return tuple(pairs)


def _table(value: Any, where: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Invalid(f"{where} does not say what DVC writes there", code="bad_metafile")
    return value
