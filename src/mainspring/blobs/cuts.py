"""Large files and their later versions: noting where their pieces lie, and storing only pieces that are new."""

import os
from pathlib import Path

from mainspring.blobs.folder import BlobFolder, write_all
from mainspring.blobs.index import Piece, encode_index
from mainspring.blobs.recipes import Recipe, cut
from mainspring.kernel.digests import Digest, hex_part
from mainspring.kernel.errors import NotFound

# A version that shares less than this with what is there is kept whole: it reads faster so.
_WORTH_SHARING = 0.3


def cut_whole(folder: BlobFolder, digest: Digest) -> bool:
    """Note where the pieces of a large file lie that is kept whole; False if it is not."""
    if folder.cut_path(hex_part(digest)).exists():
        return True
    try:
        pieces = cut(folder.whole_path(hex_part(digest)))
    except FileNotFoundError:
        return False
    _note_cuts(folder, digest, pieces)
    return True


def cut_recipe(folder: BlobFolder, digest: Digest) -> Recipe:
    """The pieces of bytes, cut for it if they are kept whole; raises `NotFound`."""
    path = folder.whole_path(hex_part(digest))
    if path.exists():
        pieces = cut(path)
        _note_cuts(folder, digest, pieces)
        return tuple((piece.digest, piece.length) for piece in pieces)
    recipe = folder.recipe(digest)
    if recipe is None:
        raise NotFound(f"there are no bytes {digest}", code="blob_missing")
    return recipe


def keep_what_differs(folder: BlobFolder, temporary: Path, digest: Digest, near: Digest) -> bool:
    """Keep a file by the pieces it shares with others; False if it shares too little, or is there."""
    if folder.exists(digest):
        return False
    cut_whole(folder, near)
    pieces = cut(temporary)
    with folder.sharing():
        places = folder.containers.find_many(piece.digest for piece in pieces)
        new = {piece.digest: piece for piece in pieces if piece.digest not in places}
        total = sum(piece.length for piece in pieces)
        if sum(piece.length for piece in new.values()) > (1 - _WORTH_SHARING) * total:
            return False
        for path in {place[0].index_path for place in places.values()}:
            os.utime(path)
        pack = folder.new_pack()
        try:
            with temporary.open("rb") as file:
                for piece in new.values():
                    pack.add(piece.digest, os.pread(file.fileno(), piece.length, piece.offset))
            pack.finish()
        finally:
            pack.abandon()
        folder.add_recipe(digest, tuple((piece.digest, piece.length) for piece in pieces))
    return True


def _note_cuts(folder: BlobFolder, digest: Digest, pieces: list[Piece]) -> None:
    with folder.new_file() as (handle, temporary):
        write_all(handle, encode_index(list({each.digest: each for each in pieces}.values())))
        folder.put_in_place(handle, temporary, folder.cut_path(hex_part(digest)))
