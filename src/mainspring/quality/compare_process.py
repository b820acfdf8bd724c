"""Comparing two versions in a process of its own, for those that load no table library and can't wait for long.

`python -m mainspring.quality.compare_process` reads an `Order` on its input and writes a `TableDiff`, or what
was wrong, on its output.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import read_manifest
from mainspring.datasets.references import ENDING
from mainspring.domain.dataset import DatasetVersion
from mainspring.domain.table_diff import TableDiff
from mainspring.kernel.codec import decode, encode
from mainspring.kernel.errors import KINDS, Invalid, MainspringError, Unavailable

_NICENESS = 10


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be compared, and how; `schema` is the text of the one in force."""

    blobs: str
    before: DatasetVersion
    after: DatasetVersion
    schema: str | None
    key: tuple[str, ...] | None
    with_rows: bool
    examples: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison, or the error that there was."""

    found: TableDiff | None = None
    kind: str = ""
    message: str = ""
    code: str = ""
    hint: str | None = None


def compare_apart(order: Order, *, seconds: float) -> TableDiff | None:
    """The comparison, or None if it takes longer; raises what `compare_versions` does.

    The process works at low priority, and nothing of it is left when this returns.
    """
    with tempfile.TemporaryDirectory(prefix="mainspring-compare-") as folder:
        try:
            done = subprocess.run(
                [sys.executable, "-m", "mainspring.quality.compare_process"],
                input=encode(order),
                capture_output=True,
                timeout=seconds,
                check=False,
                # What it leaves there when it is stopped goes with the folder.
                env={**os.environ, "TMPDIR": folder},
            )
        except subprocess.TimeoutExpired:
            return None
    if done.returncode:
        raise Unavailable(
            "the process that compares versions broke down: "
            + (done.stderr.decode(errors="replace").strip().splitlines() or ["no word"])[-1][:300],
            code="compare_failed",
        )
    answer = decode(done.stdout, Answer, what="answer")
    if answer.found is None:
        kind = KINDS.get(answer.kind, MainspringError)
        raise kind(answer.message, code=answer.code, hint=answer.hint)
    return answer.found


def _refuse_references(blobs: BlobStore, order: Order) -> None:
    """A server opens no files and databases because somebody's data names them."""
    for version in (order.before, order.after):
        entries = read_manifest(blobs, version.manifest).entries
        if order.with_rows and any(entry.path.endswith(ENDING) for entry in entries):
            raise Invalid(
                f"version {version.number} is a pinned reference, whose rows are compared where it can be read",
                code="pinned_reference",
                hint=f"`mainspring data diff {version.dataset} {order.before.number} {order.after.number}`",
            )


def main() -> None:
    """Carry out the order on the input."""
    from mainspring.blobs.local import LocalBlobs
    from mainspring.quality.compare import compare_versions
    from mainspring.quality.schema_file import parse_schema

    os.nice(_NICENESS)
    order = decode(sys.stdin.buffer.read(), Order, what="order")
    blobs = LocalBlobs(Path(order.blobs))
    try:
        _refuse_references(blobs, order)
        found = compare_versions(
            blobs,
            order.before,
            order.after,
            schema=parse_schema(order.schema) if order.schema else None,
            key=order.key,
            with_rows=order.with_rows,
            examples=order.examples,
        )
        answer = Answer(found=found)
    except MainspringError as error:
        answer = Answer(kind=error.kind, message=error.message, code=error.code, hint=error.hint)
    sys.stdout.buffer.write(encode(answer))


if __name__ == "__main__":
    main()
