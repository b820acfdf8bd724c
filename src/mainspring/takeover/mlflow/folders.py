"""Files that MLflow keeps in a folder of this machine."""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from mainspring.kernel.errors import Invalid
from mainspring.takeover.mlflow.source import SourceFile

_PROXIED = "mlflow-artifacts"


def files_at(location: str, artifact_root: Path | None) -> list[SourceFile]:
    """Every file below a location; none if nothing was ever written there.

    `artifact_root` is the folder that `mlflow server --artifacts-destination` names, for the locations that
    only the server can resolve. Raises `Invalid` (code `files_elsewhere`) for other machines' files.
    """
    root = folder_of(location, artifact_root)
    if not root.is_dir():
        return []
    return [
        SourceFile(
            path=path.relative_to(root).as_posix(),
            size_bytes=path.stat().st_size,
            open=lambda path=path: path.open("rb"),  # type: ignore[misc]  # bound to this turn
        )
        for path in sorted(_below(root))
    ]


def folder_of(location: str, artifact_root: Path | None) -> Path:
    """The folder that a location means.

    >>> folder_of("file:///data/ml%20runs/1", None).as_posix()
    '/data/ml runs/1'
    """
    parts = urlsplit(location)
    if parts.scheme == "file":
        return Path(unquote(parts.path))
    if parts.scheme == "" and location:
        return Path(location)
    if parts.scheme == _PROXIED and artifact_root is not None:
        inside = PurePosixPath(unquote(parts.path).lstrip("/"))
        if ".." in inside.parts:
            raise Invalid(f"{location[:200]!r} leaves the folder of files", code="bad_path")
        return artifact_root / inside
    hint = (
        "Give the folder that the server keeps them in with --artifact-root, or take over from the "
        "running server."
        if parts.scheme == _PROXIED
        else "Take over from the running MLflow server: it reads them for us."
    )
    raise Invalid(
        f"files at {parts.scheme}: locations can't be read from here",
        code="files_elsewhere",
        hint=hint,
    )


def _below(root: Path) -> Iterator[Path]:
    for folder, _folders, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            # A link may lead anywhere; MLflow itself writes none.
            if path.is_file() and not path.is_symlink():
                yield path
