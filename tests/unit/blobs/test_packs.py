"""Small files in packs, large files in pieces: kept once, read as they were, swept when nothing needs them."""

import os
import random
import subprocess
import threading
from math import inf
from pathlib import Path

import pytest

from mainspring.blobs.index import Piece, encode_index
from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.packs import PackWriter
from mainspring.blobs.repair import drop_damaged_pieces, replace
from mainspring.blobs.sweep import Sweep
from mainspring.blobs.trees import lay_out, put_folder, put_manifest
from mainspring.domain.dataset import Manifest
from mainspring.kernel.digests import Digest, digest_bytes
from mainspring.kernel.errors import Conflict, Corrupt, NotFound, Unavailable

MEGABYTE = 1 << 20


@pytest.fixture
def blobs(tmp_path: Path) -> LocalBlobs:
    return LocalBlobs(tmp_path / "blobs")


@pytest.fixture
def many(tmp_path: Path) -> Path:
    """A folder of two hundred small files, some alike, one empty."""
    folder = tmp_path / "many"
    for number in range(200):
        path = folder / f"{number % 7}" / f"{number:03d}.bin"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes([number // 2]) * number)
    return folder


def large(seed: int, megabytes: int = 10) -> bytes:
    return random.Random(seed).randbytes(megabytes * MEGABYTE)


def stored_bytes(blobs: LocalBlobs) -> int:
    return sum(path.stat().st_size for path in blobs.root.rglob("*") if path.is_file())


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def digests_of(manifest: Manifest) -> set[Digest]:
    return {entry.digest for entry in manifest.entries}


def test_many_small_files_are_one_pack_and_come_back_as_they_were(
    blobs: LocalBlobs, many: Path, tmp_path: Path
) -> None:
    manifest = put_folder(blobs, many)

    lay_out(blobs, manifest, tmp_path / "back")

    assert contents(tmp_path / "back") == contents(many)
    assert [path.suffix for path in (blobs.root / "packs").iterdir()] == [".pack"]
    assert list(blobs.whole_files()) == []
    for entry in manifest.entries:
        data = (many / entry.path).read_bytes()
        assert blobs.read(entry.digest) == data
        assert blobs.size_bytes(entry.digest) == len(data) == entry.size_bytes
        assert blobs.path_of(entry.digest).read_bytes() == data
        blobs.verify(entry.digest)


def test_the_same_files_again_are_not_stored_again(blobs: LocalBlobs, many: Path) -> None:
    first = put_folder(blobs, many)
    size = stored_bytes(blobs)

    assert put_folder(blobs, many) == first
    assert stored_bytes(blobs) == size


def test_another_process_sees_a_pack_at_once(blobs: LocalBlobs, many: Path, tmp_path: Path) -> None:
    other = LocalBlobs(tmp_path / "blobs")
    for number in range(3):
        (many / "new.bin").write_bytes(b"new" * number)
        for entry in put_folder(blobs, many).entries:
            assert other.exists(entry.digest)


def test_bytes_inserted_in_a_large_file_cost_a_few_pieces(
    blobs: LocalBlobs, tmp_path: Path
) -> None:
    data = large(1)
    path = tmp_path / "large.bin"
    path.write_bytes(data)
    before = blobs.put_file(path)
    size = stored_bytes(blobs)
    path.write_bytes(data[: 5 * MEGABYTE] + b"inserted" + data[5 * MEGABYTE :])

    ((after, _),) = blobs.put_files([path], [before])

    assert stored_bytes(blobs) - size < MEGABYTE
    assert blobs.read(before) == data
    assert blobs.read(after) == path.read_bytes()
    assert blobs.size_bytes(after) == path.stat().st_size
    with blobs.open(after) as stream:
        stream.seek(5 * MEGABYTE - 3)
        assert stream.read(14) == path.read_bytes()[5 * MEGABYTE - 3 : 5 * MEGABYTE + 11]
        stream.seek(-4, os.SEEK_END)
        assert stream.read() == data[-4:]


def test_a_version_of_a_version_of_a_large_file_shares_with_both(
    blobs: LocalBlobs, tmp_path: Path
) -> None:
    path = tmp_path / "large.bin"
    data = large(2)
    near, sizes = None, []
    for number in range(4):
        data = data[: number * MEGABYTE] + b"more" + data[number * MEGABYTE :]
        path.write_bytes(data)
        ((near, _),) = blobs.put_files([path], [near])
        sizes.append(stored_bytes(blobs))
        assert blobs.read(near) == data

    assert sizes[-1] - sizes[0] < 3 * MEGABYTE


def test_a_large_file_that_shares_nothing_is_kept_whole(blobs: LocalBlobs, tmp_path: Path) -> None:
    path = tmp_path / "large.bin"
    path.write_bytes(large(3))
    before = blobs.put_file(path)
    path.write_bytes(large(4))

    ((after, _),) = blobs.put_files([path], [before])

    assert {each.name for each in blobs.whole_files()} == {before[7:], after[7:]}


def test_a_file_with_holes_comes_back_bit_for_bit(blobs: LocalBlobs, tmp_path: Path) -> None:
    path = tmp_path / "holes.bin"
    with path.open("wb") as file:
        file.truncate(20 * MEGABYTE)
        file.seek(7 * MEGABYTE)
        file.write(b"island")

    assert blobs.read(blobs.put_file(path)) == path.read_bytes()


def test_a_flipped_bit_in_a_pack_is_noticed_and_named(
    blobs: LocalBlobs, many: Path, tmp_path: Path
) -> None:
    manifest = put_folder(blobs, many)
    entry = manifest.entries[50]
    place = blobs.containers.find(bytes.fromhex(entry.digest[7:]))
    assert place is not None
    flip(place[0].path, place[1].offset)

    with pytest.raises(Corrupt):
        blobs.read(entry.digest)
    with pytest.raises(Corrupt):
        blobs.verify(entry.digest)
    with pytest.raises(Corrupt, match="stored bytes of"):
        lay_out(blobs, manifest, tmp_path / "back")


def test_a_damaged_index_is_made_again_from_the_pack(blobs: LocalBlobs, many: Path) -> None:
    manifest = put_folder(blobs, many)
    (pack,) = (blobs.root / "packs").iterdir()
    flip(pack, pack.stat().st_size - 100)
    again = LocalBlobs(blobs.root)

    for entry in manifest.entries:
        assert again.read(entry.digest) == (many / entry.path).read_bytes()
    assert [container.is_rescued for container in again.containers] == [True]


@pytest.mark.parametrize("part", ["piece", "list"])
def test_a_flipped_bit_in_a_recipe_or_its_pieces_is_noticed(
    blobs: LocalBlobs, tmp_path: Path, part: str
) -> None:
    path = tmp_path / "large.bin"
    data = large(5)
    path.write_bytes(data)
    before = blobs.put_file(path)
    path.write_bytes(b"more" + data)
    ((after, _),) = blobs.put_files([path], [before])
    if part == "list":
        flip(blobs.recipe_path(after), 40)
    else:
        flip(blobs.path_of(before), 5 * MEGABYTE)

    with pytest.raises(Corrupt):
        blobs.read(after)
    with pytest.raises(Corrupt):
        blobs.path_of(after)


def test_repaired_bytes_take_the_place_of_damaged_ones(
    blobs: LocalBlobs, many: Path, tmp_path: Path
) -> None:
    manifest = put_folder(blobs, many)
    entry = manifest.entries[150]
    place = blobs.containers.find(bytes.fromhex(entry.digest[7:]))
    assert place is not None
    flip(place[0].path, place[1].offset)

    replace(blobs, entry.digest, many / entry.path)

    blobs.verify(entry.digest)
    lay_out(blobs, manifest, tmp_path / "back")
    assert contents(tmp_path / "back") == contents(many)
    Sweep(blobs, digests_of(manifest), before=inf).run(delete=True)
    blobs.verify(entry.digest)
    assert drop_damaged_pieces(blobs) == 1
    assert drop_damaged_pieces(blobs) == 0
    for each in manifest.entries:
        blobs.verify(each.digest)


def test_a_sweep_takes_what_nothing_needs_and_no_more(
    blobs: LocalBlobs, many: Path, tmp_path: Path
) -> None:
    whole = put_folder(blobs, many)
    for path in sorted(many.rglob("*.bin"))[:150]:
        path.unlink()
    rest = put_folder(blobs, many)
    path = tmp_path / "large.bin"
    data = large(6)
    path.write_bytes(data)
    before = blobs.put_file(path)
    path.write_bytes(data[:MEGABYTE] + b"more" + data[MEGABYTE:])
    ((after, _),) = blobs.put_files([path], [before])
    needed = digests_of(rest) | {after}

    counted = Sweep(blobs, needed, before=inf).run(delete=False)
    assert Sweep(blobs, needed, before=0).run(delete=True).blob_count == 0
    swept = Sweep(blobs, needed, before=inf).run(delete=True)

    assert swept == counted
    assert swept.blob_count > 70
    assert blobs.read(after) == path.read_bytes()
    for entry in rest.entries:
        assert blobs.read(entry.digest) == (many / entry.path).read_bytes()
    for digest in digests_of(whole) - needed:
        with pytest.raises(NotFound):
            blobs.read(digest)
    assert Sweep(blobs, needed, before=inf).run(delete=True).blob_count == 0
    Sweep(blobs, set(), before=inf).run(delete=True)
    assert list(blobs.digests()) == []
    assert not blobs.exists(before)


def test_a_file_made_for_readers_of_paths_is_swept_and_its_bytes_are_not(
    blobs: LocalBlobs, many: Path
) -> None:
    manifest = put_folder(blobs, many)
    path = blobs.path_of(manifest.entries[-1].digest)

    Sweep(blobs, digests_of(manifest), before=inf).run(delete=True)

    assert not path.exists()
    assert blobs.read(manifest.entries[-1].digest)


def test_what_is_wanted_again_is_spared_by_a_sweep(blobs: LocalBlobs, many: Path) -> None:
    manifest = put_folder(blobs, many)
    for path in blobs.root.rglob("*.pack"):
        os.utime(path, (0, 0))

    put_folder(blobs, many)

    assert Sweep(blobs, set(), before=1000).run(delete=True).blob_count == 0
    assert all(blobs.exists(entry.digest) for entry in manifest.entries)


def test_adding_and_sweeping_at_once_loses_nothing(blobs: LocalBlobs, tmp_path: Path) -> None:
    """Writers name what they stored at once; the sweep knows only what was named when it began."""
    failures: list[BaseException] = []
    named: set[Digest] = set()

    def add(writer: int) -> None:
        try:
            for round_ in range(6):
                folder = tmp_path / f"{writer}-{round_}"
                folder.mkdir()
                for number in range(80):
                    (folder / f"{number}").write_bytes(b"%d" % (number % (20 + round_) + writer))
                manifest = put_folder(blobs, folder)
                put_manifest(blobs, manifest)
                named.update(digests_of(manifest))
        except BaseException as error:
            failures.append(error)

    writers = [threading.Thread(target=add, args=(number,)) for number in range(3)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        Sweep(blobs, set(named), before=0).run(delete=True)
    for writer in writers:
        writer.join()

    assert failures == []
    for digest in named:
        blobs.verify(digest)


def test_a_file_that_changes_while_it_is_read_is_a_conflict(
    blobs: LocalBlobs, many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = os.read

    def reading(handle: int, count: int) -> bytes:
        data = read(handle, count)
        (many / "0" / "007.bin").write_bytes(b"changed")
        return data

    monkeypatch.setattr(os, "read", reading)
    with pytest.raises(Conflict, match="changed while it was read"):
        put_folder(blobs, many)
    assert list((blobs.root / "packs").iterdir()) == []
    assert list(blobs.leftovers()) == []


def test_the_same_pieces_make_the_same_pack(tmp_path: Path) -> None:
    names = set()
    for order in ((b"one", b"two"), (b"two", b"one")):
        pack = PackWriter(tmp_path, tmp_path)
        for data in order:
            pack.add(bytes.fromhex(digest_bytes(data)[7:]), data)
        path = pack.finish()
        assert path is not None
        names.add(path.stat().st_size)
    assert len(names) == 1
    assert encode_index([]) != encode_index([Piece(b"0" * 32, 0, 1)])


def flip(path: Path, offset: int) -> None:
    """Flip one bit."""
    path.chmod(0o644)
    with path.open("r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk takes root")
@pytest.mark.parametrize("size", [20_000, 9 * MEGABYTE])
def test_a_disk_that_fills_up_while_a_folder_is_added_is_said(tmp_path: Path, size: int) -> None:
    small, folder = tmp_path / "small", tmp_path / "data"
    small.mkdir()
    folder.mkdir()
    for number in range(100 if size < MEGABYTE else 1):
        (folder / f"{number}").write_bytes(random.Random(number).randbytes(size))
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", small], check=True)
    try:
        blobs = LocalBlobs(small / "blobs")
        kept = blobs.put_bytes(b"kept")

        with pytest.raises(Unavailable, match="is full"):
            put_folder(blobs, folder)

        assert list(blobs.digests()) == [kept]
        assert list(blobs.leftovers()) == []
        assert blobs.put_bytes(b"fits again")
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_damaged_index_is_written_anew(blobs: LocalBlobs, many: Path) -> None:
    manifest = put_folder(blobs, many)
    (pack,) = (blobs.root / "packs").iterdir()
    flip(pack, pack.stat().st_size - 100)

    assert drop_damaged_pieces(LocalBlobs(blobs.root)) == 0

    again = LocalBlobs(blobs.root)
    assert [container.is_rescued for container in again.containers] == [False]
    for entry in manifest.entries:
        again.verify(entry.digest)


def test_repaired_bytes_that_were_made_of_pieces_need_those_no_more(
    blobs: LocalBlobs, tmp_path: Path
) -> None:
    path = tmp_path / "large.bin"
    data = large(7)
    path.write_bytes(data)
    before = blobs.put_file(path)
    path.write_bytes(b"more" + data)
    ((after, _),) = blobs.put_files([path], [before])
    (pack,) = (blobs.root / "packs").iterdir()
    flip(pack, 60)
    with pytest.raises(Corrupt):
        blobs.verify(after)

    replace(blobs, after, path)

    blobs.verify(after)
    assert drop_damaged_pieces(blobs) == 1
    blobs.verify(after)
    assert {blobs.size_bytes(digest) for digest in blobs.digests()} == {
        len(data),
        len(data) + 4,
    }


def test_a_damaged_list_of_pieces_is_made_again_from_the_file(tmp_path: Path) -> None:
    blobs = LocalBlobs(tmp_path / "blobs")
    first = bytes(range(256)) * 1000 + random.Random(1).randbytes(9 << 20)
    path = tmp_path / "large"
    path.write_bytes(first)
    near = blobs.put_file(path)
    path.write_bytes(first[: 5 << 20] + b"inserted" + first[5 << 20 :])
    ((digest, _),) = blobs.put_files([path], [near])
    (index,) = (tmp_path / "blobs/cuts").iterdir()
    index.chmod(0o644)
    index.write_bytes(index.read_bytes()[1:])

    LocalBlobs(tmp_path / "blobs").verify(digest)
