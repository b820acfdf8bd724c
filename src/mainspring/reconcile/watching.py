"""What only this machine can see for triggers: files that arrive, branches that come to another commit."""

import glob
import os
import re
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from mainspring.kernel.errors import Invalid, Unavailable
from mainspring.triggers.requests import MAX_FILES, FoundFile

# A file that changed within this may still be being written.
_SETTLED_SECONDS = 2.0
_ASKING_SECONDS = 20
_COMMIT = re.compile(r"[0-9a-f]{40,64}\Z")


@dataclass(frozen=True, slots=True)
class _Shape:
    size: int
    modified_ns: int


class Files:
    """Finds the files of one pattern, once nobody seems to write to them any more."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._told: dict[str, _Shape] = {}
        self._before: dict[str, _Shape] = {}

    def look(self, now: float) -> tuple[FoundFile, ...]:
        """Those that were not told of yet; `now` is the machine's own time, as files have it.

        A file has arrived when it is as it was a look before, or did not change for a while. Raises `Invalid` for
        more files than can be told apart in time.
        """
        seen: dict[str, _Shape] = {}
        found = []
        for path, status in self._regular():
            shape = seen[path] = _Shape(status.st_size, status.st_mtime_ns)
            is_settled = shape == self._before.get(path) or (
                max(status.st_mtime, status.st_ctime) <= now - _SETTLED_SECONDS
            )
            if is_settled and self._told.get(path) != shape:
                found.append(_found(path, status))
        self._before = seen
        return tuple(found)

    def told(self, files: tuple[FoundFile, ...]) -> None:
        """They are recorded, and need not be told of again."""
        for file in files:
            self._told[file.path] = _Shape(file.size_bytes, file.modified_ns)
        for gone in set(self._told) - set(self._before):
            del self._told[gone]

    def _regular(self) -> Iterator[tuple[str, os.stat_result]]:
        count = 0
        # pathlib's * also finds hidden files, which is what copies under way are called.
        for path in glob.iglob(self._pattern, recursive=True):  # noqa: PTH207
            try:
                status = Path(path).stat()
            except OSError:
                # Gone since it was listed, or a link to nowhere.
                continue
            if not stat.S_ISREG(status.st_mode):
                continue
            count += 1
            if count > MAX_FILES:
                raise Invalid(
                    f"more than {MAX_FILES} files match {self._pattern}",
                    code="too_many_files",
                    hint="Move away what was dealt with, or match fewer.",
                )
            yield path, status


def commit_of(repository: str, branch: str) -> str:
    """The commit that a branch of a repository is at; raises `Invalid` or `Unavailable`, saying what git said."""
    command = ["git", "ls-remote", "--", repository, f"refs/heads/{branch}"]
    environment = os.environ | {
        # Nobody is there to be asked, and an address must not name a program to run.
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "true",
        "GIT_SSH_COMMAND": "ssh -oBatchMode=yes -oConnectTimeout=10",
        "GIT_ALLOW_PROTOCOL": "file:git:http:https:ssh",
    }
    try:
        done = subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_ASKING_SECONDS,
            check=False,
        )
    except FileNotFoundError as error:
        raise Invalid("git is not installed on this machine", code="no_git") from error
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{repository} did not answer for {_ASKING_SECONDS} s") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise Unavailable(
            f"git can't look at {repository}: {said[-1] if said else 'no reason given'}"
        )
    commit = done.stdout.decode(errors="replace").partition("\t")[0]
    if not _COMMIT.match(commit):
        raise Invalid(f"{repository} has no branch {branch!r}", code="no_such_branch")
    return commit


def _found(path: str, status: os.stat_result) -> FoundFile:
    return FoundFile(
        path=path,
        size_bytes=status.st_size,
        modified_ns=status.st_mtime_ns,
        changed_at=datetime.fromtimestamp(max(status.st_mtime, status.st_ctime), UTC),
    )
