"""A project's code as a manifest: what a run is reproduced from, and what its steps are run on.

Only code and its settings are kept (see `KEPT`), never data, environments or hidden files, so a snapshot is
small and can be taken at every run.
"""

import errno
import fnmatch
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import lay_out, put_files, put_manifest, read_manifest
from mainspring.domain.dataset import Manifest
from mainspring.kernel.digests import Digest, digest_stream, hex_part
from mainspring.kernel.errors import Invalid, NotFound, Unavailable

KEPT = frozenset(
    ".py .pyi .toml .yaml .yml .json .sql .cfg .ini .txt .jinja .j2".split()  # noqa: SIM905
)
IGNORE_FILE = ".mainspringignore"
MAX_FILE_BYTES = 1 << 20
EXPORT_MARK = b"written by `mainspring export "
_HEAD_BYTES = 1000
MAX_FILES = 2000
MAX_FOLDERS = 20_000
_SKIPPED = frozenset(
    {"__pycache__", "node_modules", "site-packages", "build", "dist", "mlruns", "mlartifacts"}
)


def take_snapshot(blobs: BlobStore, project: Path) -> Digest:
    """Keep a project folder's code; gives the digest of its manifest. The same code gives the same digest.

    A file of more than 1 MB is taken for data and left out, as is what `.mainspringignore` names (one
    pattern a line, `#` for comments), and what `mainspring export` wrote. Raises `Invalid` for a folder that
    can't be a project.
    """
    if not project.is_dir():
        raise NotFound(f"there is no folder {project}", hint="Give the folder with your pipelines.")
    paths = sorted(_code_files(project))
    if not any(path.endswith(".py") for path in paths):
        raise Invalid(
            f"there is no Python file in {project}",
            code="no_code",
            hint="Run this in the folder with your pipelines, or name it.",
        )
    return put_manifest(blobs, put_files(blobs, project, paths))


def materialise(blobs: BlobStore, manifest: Digest, work: Path) -> Path:
    """The folder with a snapshot's files, laid out once below `work` and checked each time."""
    content = read_manifest(blobs, manifest)
    target = work / "projects" / hex_part(manifest)
    if target.is_dir() and _is_intact(content, target):
        return target
    fresh = target.with_name(f".{target.name}-{uuid.uuid4().hex}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        lay_out(blobs, content, fresh)
        _put_in_place(fresh, target, content)
    except OSError as error:
        raise unwritable(error, work) from error
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(_aside(fresh), ignore_errors=True)
    return target


def unwritable(error: OSError, path: Path) -> Unavailable:
    """What to tell of a scratch folder that can't be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return Unavailable(
            f"the disk that holds {path} is full", code="disk_full", hint="Free some space on it."
        )
    return Unavailable(f"{path} can't be written: {error.strerror}", code="work_unwritable")


def _put_in_place(fresh: Path, target: Path, content: Manifest) -> None:
    try:
        fresh.rename(target)
    except OSError:
        if not _is_intact(content, target):
            # Somebody edited the files that were laid out; whoever runs on them keeps those it has open.
            target.rename(_aside(fresh))
            fresh.rename(target)


def _aside(fresh: Path) -> Path:
    return fresh.with_name(fresh.name + "-old")


def _is_intact(content: Manifest, folder: Path) -> bool:
    try:
        for entry in content.entries:
            with (folder / entry.path).open("rb") as stream:
                if digest_stream(stream) != entry.digest:
                    return False
    except OSError:
        return False
    return True


def _code_files(project: Path) -> Iterator[str]:
    patterns = _ignored_patterns(project)
    count = folders = 0
    for folder, subfolders, files in os.walk(project):
        folders += 1
        here = Path(folder)
        subfolders[:] = sorted(
            name for name in subfolders if _is_walked(here / name, project, patterns)
        )
        for name in sorted(files):
            path = here / name
            if not _is_kept(path, project, patterns):
                continue
            count += 1
            if count > MAX_FILES:
                raise _too_much(project, f"{MAX_FILES} files of code")
            yield path.relative_to(project).as_posix()
        if folders > MAX_FOLDERS:
            raise _too_much(project, f"{MAX_FOLDERS} folders")


def _is_walked(folder: Path, project: Path, patterns: list[str]) -> bool:
    name = folder.name
    return not (
        name.startswith(".")
        or name in _SKIPPED
        or name.endswith(".egg-info")
        # Virtual environments and Mainspring's own homes, however they are called.
        or (folder / "pyvenv.cfg").exists()
        or (folder / "store.sqlite3").exists()
        or _matches(folder, project, patterns)
    )


def _is_kept(path: Path, project: Path, patterns: list[str]) -> bool:
    if path.suffix not in KEPT or path.name.startswith("."):
        return False
    if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
        return False
    if path.is_symlink() and not path.resolve().is_relative_to(project.resolve()):
        return False
    return not _matches(path, project, patterns) and not _is_export(path)


def _is_export(path: Path) -> bool:
    """Whether `mainspring export` wrote it: it names the snapshot that it was made of, which can't hold it."""
    with path.open("rb") as stream:
        return EXPORT_MARK in stream.read(_HEAD_BYTES)


def _ignored_patterns(project: Path) -> list[str]:
    path = project / IGNORE_FILE
    if not path.is_file():
        return []
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return [line.strip("/") for line in lines if line]


def _matches(path: Path, project: Path, patterns: list[str]) -> bool:
    relative = path.relative_to(project).as_posix()
    return any(
        fnmatch.fnmatchcase(relative, pattern) or fnmatch.fnmatchcase(path.name, pattern)
        for pattern in patterns
    )


def _too_much(project: Path, limit: str) -> Invalid:
    return Invalid(
        f"{project} holds more than {limit}; is it a project's folder?",
        code="project_too_large",
        hint=f"Name a smaller folder, or list what is not code in {IGNORE_FILE}.",
    )
