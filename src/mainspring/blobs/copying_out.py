"""Writing stored bytes to files, every one verified."""

import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader, FileIO
from itertools import groupby
from pathlib import Path

from mainspring.blobs.folder import BlobFolder, write_all
from mainspring.blobs.index import Piece, named, raw
from mainspring.blobs.packs import Container
from mainspring.blobs.taking import copy_digested, damaged, new_target, results
from mainspring.kernel.digests import CHUNK_BYTES, Digest, parse_digest


def copy_out(
    folder: BlobFolder, files: Sequence[tuple[Digest, str]], target: Path, *, replace: bool = False
) -> None:
    """Write bytes to files below a folder, verified; the folders are there already.

    Small ones are read in the order in which they lie, large ones beside each other.
    """
    packed: list[tuple[Container, Piece, str]] = []
    rest: list[tuple[Digest, str]] = []
    places = folder.containers.find_many(raw(parse_digest(digest)) for digest, _ in files)
    for digest, path in files:
        place = places.get(raw(digest))
        if place is not None and place[0].is_pack:
            packed.append((*place, path))
        else:
            rest.append((digest, path))
    again = _copy_packed(folder, packed, target, replace=replace)
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        futures = [
            pool.submit(_copy_one, folder, digest, path, target, replace=replace)
            for digest, path in (*rest, *again)
        ]
        results(pool, futures)


def _copy_packed(
    folder: BlobFolder, packed: list[tuple[Container, Piece, str]], target: Path, *, replace: bool
) -> list[tuple[Digest, str]]:
    """Write pieces of packs to files; gives back those whose pack does not have them sound any more."""
    again: list[tuple[Digest, str]] = []
    packed.sort(key=lambda each: (each[0].path, each[1].offset))
    for path, group in groupby(packed, key=lambda each: each[0].path):
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            folder.containers.forget()  # a sweep packed it anew
            again += [(named(piece.digest), name) for _, piece, name in group]
            continue
        try:
            for _, piece, name in group:
                data = os.pread(source, piece.length, piece.offset)
                if hashlib.sha256(data).digest() != piece.digest:
                    again.append((named(piece.digest), name))
                    continue
                with new_target(f"{target}/{name}", replace=replace) as handle:
                    write_all(handle, data)
        finally:
            os.close(source)
    return again


def _copy_one(
    folder: BlobFolder, digest: Digest, path: str, target: Path, *, replace: bool
) -> None:
    with folder.open(digest) as source, new_target(f"{target}/{path}", replace=replace) as handle:
        if isinstance(source, BufferedReader) and isinstance(source.raw, FileIO):
            found = copy_digested(source.fileno(), handle, os.fstat(source.fileno()).st_size)
        else:
            state = hashlib.sha256()
            while chunk := source.read(CHUNK_BYTES):
                state.update(chunk)
                write_all(handle, chunk)
            found = Digest("sha256:" + state.hexdigest())
        if found != digest:
            raise damaged(path, digest)
