"""Where a DVC repository keeps its objects: its cache and its remotes, in the layouts of DVC 3 and 2."""

import configparser
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from mainspring.blobs.object_store import Objects
from mainspring.kernel.errors import Invalid, NotFound

_LOCAL = ("", "file")


class Place(Protocol):
    """Somewhere objects lie by their md5."""

    @property
    def name(self) -> str: ...
    def open(self, key: str) -> BinaryIO | None:
        """The bytes of an object, or None if they are not there."""

    def has(self, key: str) -> bool:
        """Whether an object is there, without reading it."""

    def find(self, key: str) -> Path | None:
        """The file with an object, if it may lie in one on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderPlace:
    """A cache, or a remote on this machine's disks."""

    name: str
    root: Path

    def open(self, key: str) -> BinaryIO | None:
        """The bytes of an object: DVC 3 has it below `files/md5`, DVC 2 at the top."""
        for part in layouts(key):
            try:
                return (self.root / part).open("rb")
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                raise Invalid(
                    f"{self.root / part} can't be read: {error.strerror}", code="unreadable_file"
                ) from error
        return None

    def has(self, key: str) -> bool:
        return self.find(key) is not None

    def find(self, key: str) -> Path | None:
        """Where an object may lie."""
        for part in layouts(key):
            if os.path.lexists(path := self.root / part):
                return path
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class S3Place:
    """A remote on S3 or what speaks like it."""

    name: str
    objects: Objects

    def open(self, key: str) -> BinaryIO | None:
        """The bytes of an object, fetched whole."""
        for part in layouts(key):
            try:
                return self.objects.open(part)
            except NotFound:
                continue
        return None

    def has(self, key: str) -> bool:
        return any(self.objects.exists(part) for part in layouts(key))

    def find(self, key: str) -> Path | None:
        """Nowhere on this machine."""
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """All places in the order in which they are asked, and what of the settings can't be used."""

    places: tuple[Place, ...]
    left_out: tuple[str, ...]


def layouts(key: str) -> tuple[str, str]:
    """The paths at which an object may lie.

    >>> layouts("5e6c4d982e5d82d5bf7a0c4699d46713.dir")[1]
    '5e/6c4d982e5d82d5bf7a0c4699d46713.dir'
    """
    part = f"{key[:2]}/{key[2:]}"
    return f"files/md5/{part}", part


def find_places(root: Path, *, local_only: bool = False) -> Places:
    """The cache and remotes that the settings of a repository name; with `local_only` those of this machine.

    Settings of the user and the machine are not read: what a repository needs stands in it. Raises
    `NotFound` for a folder that is no DVC repository.
    """
    folder = root / ".dvc"
    if not folder.is_dir():
        above = next((p for p in root.resolve().parents if (p / ".dvc").is_dir()), None)
        raise NotFound(
            f"{root} is no DVC repository: it has no folder .dvc",
            code="not_dvc",
            hint=f"Did you mean {above}?"
            if above
            else "Give the folder in which `dvc init` was run.",
        )
    settings = _settings(folder)
    cache = settings.get("cache", {}).get("dir")
    places: list[Place] = [
        FolderPlace(name="cache", root=_below(folder, cache) if cache else folder / "cache")
    ]
    left_out = []
    default = settings.get("core", {}).get("remote")
    remotes = sorted(_remotes(settings), key=lambda pair: pair[0] != default)
    for name, remote in remotes:
        found = _remote(folder, name, remote)
        if isinstance(found, str):
            left_out.append(found)
        elif local_only and isinstance(found, S3Place):
            left_out.append(f"the remote {name!r}, which was not asked (--local-only)")
        else:
            places.append(found)
    return Places(places=tuple(places), left_out=tuple(left_out))


def _settings(folder: Path) -> dict[str, dict[str, str]]:
    """The settings of the repository, with those that stay on this machine laid over them."""
    found: dict[str, dict[str, str]] = {}
    for name in ("config", "config.local"):
        parser = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            parser.read_string((folder / name).read_text())
        except FileNotFoundError:
            continue
        except (OSError, UnicodeDecodeError, configparser.Error) as error:
            reason = str(error).splitlines()[0]
            raise Invalid(f"{folder / name} can't be read: {reason}", code="bad_config") from error
        for section in parser.sections():
            # DVC writes `['remote "store"']`.
            found.setdefault(section.strip("'"), {}).update(parser[section])
    return found


def _remotes(settings: Mapping[str, dict[str, str]]) -> Iterator[tuple[str, dict[str, str]]]:
    for section, values in settings.items():
        kind, _, name = section.partition(" ")
        if kind == "remote" and "url" in values:
            yield name.strip('"'), values


def _remote(folder: Path, name: str, settings: Mapping[str, str]) -> Place | str:
    url = settings["url"]
    what = f"the remote {name!r} ({_without_login(url)})"
    if settings.get("version_aware", "").lower() == "true" or "worktree" in settings:
        return f"{what}: it keeps files by their names and the cloud's versions, not by md5"
    parts = urlsplit(url)
    if parts.scheme == "remote":
        return f"{what}: it stands on another remote"
    if parts.scheme == "s3" and parts.netloc and not parts.query:
        address = f"s3://{parts.netloc}{parts.path}"
        endpoint = settings.get("endpointurl", "")
        return S3Place(name=f"remote {name}", objects=Objects(address, endpoint=endpoint))
    if parts.scheme in _LOCAL:
        path = unquote(parts.path) if parts.scheme else url
        return FolderPlace(name=f"remote {name}", root=_below(folder, path))
    return (
        f"{what}: not read from here; `dvc fetch --all-commits` brings its objects into the cache"
    )


def _below(folder: Path, path: str) -> Path:
    """A path of the settings, which counts from their own folder."""
    return Path(os.path.normpath(folder / Path(path).expanduser()))


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
