"""Copying a file into the store: its digest, and proof that nothing wrote to it meanwhile."""

import errno
import hashlib
import os
import secrets
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from mainspring.kernel.digests import Digest
from mainspring.kernel.errors import Conflict, Corrupt, Invalid

PART = ".mainspring-part"
"""The end of the name of what is not written whole yet; such files and folders are never stored."""
_BLOCK_BYTES = 8 << 20
_STEP_BYTES = 1 << 20
T = TypeVar("T")
_NOT_HERE = (errno.EXDEV, errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP, errno.EPERM)


@dataclass(frozen=True, slots=True)
class Stamp:
    """What the file system says of a file that changes whenever its content does."""

    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    @classmethod
    def of(cls, status: os.stat_result) -> "Stamp":
        return cls(status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)


def size_of(path: Path | str) -> int:
    """A file's size; raises `Conflict` if it is gone."""
    try:
        return os.lstat(path).st_size
    except (FileNotFoundError, NotADirectoryError) as error:
        raise changed(path) from error


def read_whole(path: Path | str) -> tuple[bytes, Stamp]:
    """A small file's bytes; raises `Conflict` if it changes while it is read."""
    handle = _open(path)
    try:
        before = Stamp.of(os.fstat(handle))
        data = os.read(handle, before.size_bytes + 1)
        while len(data) < before.size_bytes and (more := os.read(handle, before.size_bytes)):
            data += more
        if Stamp.of(os.fstat(handle)) != before or len(data) != before.size_bytes:
            raise changed(path)
    finally:
        os.close(handle)
    return data, before


def copy_whole(path: Path | str, target: int) -> tuple[Digest, Stamp]:
    """Copy a file to an open one, by reference where the file system can, and digest what arrived.

    Raises `Conflict` if it changes meanwhile.
    """
    source = _open(path)
    try:
        before = Stamp.of(os.fstat(source))
        digest = copy_digested(source, target, before.size_bytes)
        if Stamp.of(os.fstat(source)) != before:
            raise changed(path)
    finally:
        os.close(source)
    return digest, before


def copy_digested(source: int, target: int, size_bytes: int) -> Digest:
    """Copy that many bytes between open files; digests what was copied while the next block is."""
    if size_bytes <= _STEP_BYTES:
        data = os.pread(source, size_bytes, 0)
        os.pwrite(target, data, 0)
        return Digest("sha256:" + hashlib.sha256(data).hexdigest())
    state = hashlib.sha256()
    pending: Future[None] | None = None
    by_kernel = True
    done = 0
    with ThreadPoolExecutor(1) as pool:
        while done < size_bytes:
            length = min(_BLOCK_BYTES, size_bytes - done)
            if by_kernel:
                try:
                    count = os.copy_file_range(source, target, length, done, done)
                except OSError as error:
                    if error.errno not in _NOT_HERE:
                        raise
                    by_kernel = False
                    continue
            else:
                count = os.pwrite(target, os.pread(source, length, done), done)
            if count == 0:
                break  # cut short meanwhile: whoever asked compares stamps
            if pending is not None:
                pending.result()
            pending = pool.submit(_digest_range, state, target, done, count)
            done += count
        if pending is not None:
            pending.result()
    return Digest("sha256:" + state.hexdigest())


def _digest_range(state: "hashlib._Hash", handle: int, start: int, length: int) -> None:
    for at in range(start, start + length, _STEP_BYTES):
        state.update(os.pread(handle, min(_STEP_BYTES, start + length - at), at))


@contextmanager
def new_target(path: str, *, replace: bool) -> Iterator[int]:
    """A file to write to, opened for reading too; if anything is raised, nothing of it stays.

    With `replace`, what is there is replaced in one go at the end; without, it is in the way: `Conflict`.
    """
    # Not made of the file's name, of which two may begin alike, and which may be as long as names can be.
    written = f"{path.rpartition('/')[0]}/.{secrets.token_hex(8)}{PART}" if replace else path
    try:
        handle = os.open(written, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    except FileExistsError as error:
        raise Conflict(
            f"{path} is there already",
            code="target_occupied",
            hint="Two names of the version may be one to this file system; check out elsewhere.",
        ) from error
    try:
        try:
            yield handle
        finally:
            os.close(handle)
        if replace:
            os.replace(written, path)
    except BaseException:
        with suppress(FileNotFoundError):
            Path(written).unlink()
        raise


def results(pool: ThreadPoolExecutor, futures: Sequence[Future[T]]) -> list[T]:
    """What all of them give; once one fails, or somebody interrupts, those that wait are not begun."""
    try:
        return [future.result() for future in futures]
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise


def damaged(path: str, digest: Digest) -> Corrupt:
    """What is raised when the stored bytes of a file are not those that were stored."""
    return Corrupt(
        f"the stored bytes of {path} are damaged ({digest})",
        hint="`mainspring fsck` lists all that is damaged.",
    )


def changed(path: Path | str) -> Conflict:
    """What is raised when a file is written to while it is read."""
    return Conflict(
        f"{path} changed while it was read",
        code="file_changed",
        hint="Add it again once nothing writes to it.",
    )


def _open(path: Path | str) -> int:
    # Never through a link that was put there since the folder was looked at, and never waiting for a pipe.
    try:
        return os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except PermissionError as error:
        raise Invalid(f"{path} can't be read: permission denied", code="unreadable") from error
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
            raise changed(path) from error
        raise
