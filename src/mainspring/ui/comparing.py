"""Comparisons of versions for pages: made in a process of its own, one at a time, and kept."""

from collections import OrderedDict
from threading import Lock

import msgspec

from mainspring.app import App
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.table_diff import TableDiff
from mainspring.kernel.codec import encode
from mainspring.kernel.digests import Digest, digest_bytes
from mainspring.quality.compare_process import Order, compare_apart

SECONDS = 12.0
"""How long a page waits for the comparison of rows."""

_KEPT = 32
_EXAMPLES = 8

# Versions never change, so what was found of two stays true.
_found: OrderedDict[Digest, TableDiff] = OrderedDict()
_kept = Lock()
_working = Lock()


def compared(
    app: App,
    before: DatasetVersion,
    after: DatasetVersion,
    *,
    schema: str | None,
    key: tuple[str, ...] | None,
    seconds: float = SECONDS,
) -> TableDiff | None:
    """What changed, rows included if that is told in time, else without; None while another one is being made.

    Raises `Invalid` for a key that can't be one, `Corrupt` for damaged bytes.
    """
    order = Order(
        blobs=str(app.settings.blobs_path),
        before=before,
        after=after,
        schema=schema,
        key=key,
        with_rows=True,
        examples=_EXAMPLES,
    )
    name = digest_bytes(encode(order))
    with _kept:
        if name in _found:
            _found.move_to_end(name)
            return _found[name]
    if not _working.acquire(timeout=seconds):
        return None
    try:
        found = compare_apart(order, seconds=seconds)
        if found is None:
            # Not kept: the machine may have been busy.
            return compare_apart(_without_rows(order), seconds=seconds)
    finally:
        _working.release()
    with _kept:
        _found[name] = found
        while len(_found) > _KEPT:
            _found.popitem(last=False)
    return found


def _without_rows(order: Order) -> Order:
    return msgspec.structs.replace(order, with_rows=False)
