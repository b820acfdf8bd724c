"""Where a home's server is found: files below `<home>/run`, readable only by the home's owner.

`control.json` says where the running server listens; `local.json` keeps two secrets with which programs of
the home's own user get in when tokens are asked for: who can read the file could as well open the store.
"""

import os
import secrets
import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mainspring.domain.actor import Actor, ActorKind, Role
from mainspring.kernel.codec import decode, encode
from mainspring.kernel.errors import Invalid

STEPS = Actor(kind=ActorKind.SERVICE, name="steps", role=Role.AUTHOR)
"""Who the processes of steps act as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """A server of this home, as it wrote it down when it began to listen."""

    url: str
    pid: int
    started_at: datetime

    @property
    def is_alive(self) -> bool:
        """Whether its process is there; a server killed at once leaves its address behind."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return False
        except PermissionError:
            return True
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSecrets:
    """`user` lets in as the home's owner, `steps` as a program that trains."""

    user: str
    steps: str


def run_path(home: Path) -> Path:
    """The folder for what is true only while processes run."""
    return home / "run"


def read_address(home: Path) -> Address | None:
    """The running server of a home, or None."""
    try:
        address = decode((run_path(home) / "control.json").read_bytes(), Address, what="address")
    except (OSError, Invalid):
        return None
    return address if address.is_alive else None


def write_address(home: Path, address: Address) -> None:
    """Say where the server listens, once it does."""
    write_private(run_path(home) / "control.json", encode(address))


def remove_address(home: Path, pid: int) -> None:
    """Forget the address, unless another process has written its own meanwhile."""
    found = read_address(home)
    if found is None or found.pid == pid:
        (run_path(home) / "control.json").unlink(missing_ok=True)


def read_secrets(home: Path) -> LocalSecrets | None:
    """The home's own secrets, or None before its first server."""
    try:
        return decode((run_path(home) / "local.json").read_bytes(), LocalSecrets, what="secrets")
    except (OSError, Invalid):
        return None


def local_secrets(home: Path) -> LocalSecrets:
    """The home's own secrets, made the first time: they stay the same when a server starts again."""
    found = read_secrets(home)
    if found is None:
        found = LocalSecrets(user=_secret(), steps=_secret())
        write_private(run_path(home) / "local.json", encode(found))
    return found


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    # mkstemp makes it 0600 from the start.
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _secret() -> str:
    return "ms_local_" + secrets.token_urlsafe(32)
