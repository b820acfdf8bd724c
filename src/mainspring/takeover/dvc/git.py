"""A git repository's history as DVC uses it, read by the `git` command; nothing in it is changed."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from mainspring.kernel.errors import Invalid, NotFound

_FIELDS = "%x01%H%x00%at%x00%an <%ae>%x00%s%x00"
_NOTHING = "0" * 40
_KEPT = 500
# Whatever people have set for themselves: no program of their own, and nothing but what is asked for.
_PLAINLY = (
    "--no-optional-locks",
    "--no-pager",
    *("-c", "core.fsmonitor=false"),
    *("-c", "log.showSignature=false"),
    *("-c", "color.ui=false"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """One commit: what people said of it."""

    id: str
    at: datetime
    author: str
    subject: str

    @property
    def short(self) -> str:
        return self.id[:10]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A file that a commit changed against all its parents: its blobs before, one a parent, and after.

    None stands for a file that isn't there.
    """

    path: str
    before: tuple[str | None, ...]
    after: str | None


class Git:
    """The history below one folder of a working tree."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._run("rev-parse", "--show-toplevel")
        self._blobs: dict[str, bytes] = {}

    @cached_property
    def head(self) -> str:
        """The commit that is checked out; raises `Invalid` before the first one."""
        done = self._try("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
        if done is None:
            raise Invalid(
                f"{self._folder} has no commit yet",
                code="no_commits",
                hint="Commit the .dvc files, then take it over.",
            )
        return done.decode().strip()

    @cached_property
    def prefix(self) -> str:
        """Where the folder is in its repository; empty at the top."""
        return self._run("rev-parse", "--show-prefix").decode(errors="replace").strip()

    def tags(self) -> dict[str, str]:
        """The commit behind each tag, by name."""
        text = self._run("for-each-ref", "refs/tags", "--format=%(refname:short)").decode()
        found = {}
        for name in text.splitlines():
            commit = self._try("rev-parse", "--verify", "--quiet", f"refs/tags/{name}^{{commit}}")
            if commit is not None:
                found[name] = commit.decode().strip()
        return found

    def experiments(self) -> int:
        """How many experiments DVC keeps beside the history."""
        return len(self._run("for-each-ref", "refs/exps", "--format=%(refname)").splitlines())

    def branches(self) -> dict[str, str]:
        """The newest commit of each local branch, by name."""
        text = self._run(
            "for-each-ref", "refs/heads", "--format=%(objectname) %(refname:short)"
        ).decode()
        pairs = (line.partition(" ") for line in text.splitlines())
        return {name: commit for commit, _, name in pairs}

    def count_beyond(self, tip: str, known: Sequence[str]) -> int:
        """How many commits of a tip are in the history of none of the others."""
        text = self._run(
            "rev-list",
            "--count",
            "--stdin",
            stdin="\n".join([tip, *(f"^{each}" for each in known)]),
        )
        return int(text)

    @property
    def is_shallow(self) -> bool:
        """Whether the clone has only the newest part of the history."""
        return self._run("rev-parse", "--is-shallow-repository").strip() == b"true"

    def uncommitted(self, patterns: Sequence[str]) -> list[str]:
        """Files of those patterns that are not as they were committed."""
        told = self._run("status", "--porcelain", "-z", "--no-renames", "--", *patterns)
        return [entry[3:].decode(errors="replace") for entry in told.split(b"\0") if entry]

    def history(
        self, tips: Sequence[str], patterns: Sequence[str]
    ) -> Iterator[tuple[Commit, list[Change]]]:
        """Commits that changed files of those patterns, parents first, with what they changed."""
        text = self._run(
            "log",
            "--stdin",
            "--full-history",
            "--date-order",
            "--reverse",
            "--diff-merges=combined",
            "--root",
            "--raw",
            "-z",
            "--no-abbrev",
            "--no-renames",
            "--relative",
            f"--format={_FIELDS}",
            "--",
            *patterns,
            stdin="".join(f"{tip}\n" for tip in tips),
        )
        for part in text.split(b"\x01")[1:]:
            yield _commit(part)

    def files(self, commit: str) -> dict[str, str]:
        """The blob of every file of a commit below the folder."""
        listed = self._run("ls-tree", "-r", "-z", commit)
        found = {}
        for entry in listed.split(b"\0"):
            head, _, path = entry.partition(b"\t")
            fields = head.split()
            if len(fields) == 3 and fields[1] == b"blob":
                found[path.decode(errors="replace")] = fields[2].decode()
        return found

    def commit(self, id_: str) -> Commit:
        """One commit."""
        text = self._run("log", "-1", f"--format={_FIELDS}", id_)
        return _commit(text.split(b"\x01")[1])[0]

    def read(self, blob: str) -> bytes:
        """The bytes of a small file, kept for the next time."""
        if blob not in self._blobs:
            while len(self._blobs) >= _KEPT:
                self._blobs.pop(next(iter(self._blobs)))
            self._blobs[blob] = self._run("cat-file", "blob", blob)
        return self._blobs[blob]

    def open(self, blob: str) -> BinaryIO:
        """The bytes of a file that git itself keeps."""
        return BytesIO(self._run("cat-file", "blob", blob))

    def _run(self, *arguments: str, stdin: str | None = None) -> bytes:
        done = self._called(arguments, stdin)
        if done.returncode:
            said = done.stderr.decode(errors="replace").strip().removeprefix("fatal: ")
            raise Invalid(
                f"git can't read {self._folder}: {said[:300]}",
                code="not_git",
                hint="Give the folder of a DVC repository that is kept in git.",
            )
        return done.stdout

    def _try(self, *arguments: str) -> bytes | None:
        done = self._called(arguments, None)
        return None if done.returncode else done.stdout

    def _called(
        self, arguments: Sequence[str], stdin: str | None
    ) -> "subprocess.CompletedProcess[bytes]":
        command = ["git", "-C", str(self._folder), *_PLAINLY, *arguments]
        try:
            return subprocess.run(
                command,
                input=None if stdin is None else stdin.encode(),
                stdin=subprocess.DEVNULL if stdin is None else None,
                env=_environment(),
                capture_output=True,
                check=False,
            )
        except FileNotFoundError as error:
            raise NotFound(
                "there is no `git` command here",
                code="no_git",
                hint="Install git: the versions of a DVC repository are in its history.",
            ) from error


def _environment() -> dict[str, str]:
    """Ours without what a git hook is told of another repository."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("GIT_") or name.startswith(("GIT_CONFIG", "GIT_CEILING"))
    } | {"LC_ALL": "C"}


def _commit(part: bytes) -> tuple[Commit, list[Change]]:
    id_, at, author, subject, rest = part.split(b"\0", 4)
    commit = Commit(
        id=id_.decode(),
        at=datetime.fromtimestamp(int(at), UTC),
        author=author.decode(errors="replace"),
        subject=subject.decode(errors="replace"),
    )
    fields = rest.lstrip(b"\0\n").split(b"\0")
    changes = []
    for head, path in zip(fields[::2], fields[1::2], strict=False):
        # `::100644 100644 100644 old old new MM` of a merge has one colon and one old blob a parent.
        parents = len(head) - len(head.lstrip(b":"))
        blobs = [blob.decode() for blob in head.split()[parents + 1 : 2 * parents + 2]]
        known = [None if blob == _NOTHING else blob for blob in blobs]
        changes.append(
            Change(
                path=path.decode(errors="replace"),
                before=tuple(known[:-1]),
                after=known[-1],
            )
        )
    return commit, changes
