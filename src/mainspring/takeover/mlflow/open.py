"""From what the user calls their MLflow to something that can be read."""

from pathlib import Path
from urllib.parse import urlsplit

from mainspring.kernel.errors import Invalid, NotFound
from mainspring.takeover.mlflow.source import Source


def open_source(
    uri: str,
    artifact_root: Path | None = None,
    *,
    username: str = "",
    password: str = "",
    token: str = "",
) -> Source:
    """Open a server (`http://...`), a database (`sqlite:///mlflow.db`, `postgresql://...`) or a folder (`mlruns`).

    Raises `Invalid` for anything else, `NotFound` for a path that isn't there.
    """
    scheme = urlsplit(uri).scheme
    if scheme in ("http", "https"):
        from mainspring.takeover.mlflow.server import ServerSource

        return ServerSource(uri, username=username, password=password, token=token)
    if "://" in uri and scheme != "file":
        from mainspring.takeover.mlflow.database import DatabaseSource

        if scheme == "sqlite":
            _require(Path(uri.partition(":///")[2]))
        return DatabaseSource(uri, artifact_root)
    folder = Path(uri.removeprefix("file://"))
    _require(folder)
    if folder.is_file():
        raise Invalid(
            f"{folder} is a file", hint=f"A database is named sqlite:///{folder}.", code="bad_url"
        )
    from mainspring.takeover.mlflow.file_store import FileStoreSource

    return FileStoreSource(folder, artifact_root)


def _require(path: Path) -> None:
    if not path.exists():
        raise NotFound(f"there is no {path}", hint="Name what MLflow's --backend-store-uri names.")
