"""Reading labels out of a dataset's version, in a process of its own.

Tables are read with Polars, which costs tens of megabytes once loaded; the process that follows the log
stays small by not loading it. Started as `python -m mainspring.monitoring.labels BLOBS MANIFEST KEY COLUMN`,
this module prints one JSON array `[key, value]` a line.
"""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mainspring.blobs.local import LocalBlobs
from mainspring.domain.service import LabelSource
from mainspring.kernel.codec import decode, encode_text
from mainspring.kernel.digests import Digest, parse_digest
from mainspring.kernel.errors import Invalid, MainspringError

LabelValue = float | str | bool


def labels_in(
    blobs_path: Path, manifest: Digest, source: LabelSource
) -> Iterator[tuple[str, LabelValue]]:
    """Keys and labels of a table's rows that have both; raises `Invalid` if it can't be read."""
    command = [sys.executable, "-m", __name__, str(blobs_path), manifest, source.key, source.column]
    with (
        # A pipe would hold the process up once it is full, since only its output is read meanwhile.
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                key, value = decode(line, tuple[str, LabelValue], what="label")
                yield key, value
            process.wait()
            said.seek(0)
            complaint = said.read().strip()
        except BaseException:
            # Also when whoever reads stops halfway: nobody will empty the pipe then.
            process.kill()
            raise
    if process.returncode != 0:
        raise Invalid(
            f"labels could not be read from dataset {source.dataset!r}: "
            f"{complaint.splitlines()[-1] if complaint else f'exit code {process.returncode}'}",
            code="labels_unreadable",
        )


def print_labels(blobs_path: Path, manifest: Digest, key: str, column: str) -> None:
    """Write the labels of a table to standard output."""
    import polars as pl

    from mainspring.datasets.tables import collected, scan

    frame = scan(LocalBlobs(blobs_path), manifest)
    kind = frame.collect_schema()[column]
    value = pl.col(column)
    if kind.is_decimal():
        value = value.cast(pl.Float64)
    elif not kind.is_numeric() and kind != pl.Boolean:
        value = value.cast(pl.String)
    rows = collected(frame.select(key=pl.col(key).cast(pl.String), value=value).drop_nulls())
    write = sys.stdout.write
    for pair in rows.iter_rows():
        # JSON has no NaN: such a label says nothing.
        if pair[1] == pair[1]:
            write(encode_text(pair) + "\n")


def _main() -> None:
    blobs_path, manifest, key, column = sys.argv[1:]
    try:
        print_labels(Path(blobs_path), parse_digest(manifest), key, column)
    except MainspringError as error:
        sys.stderr.write(f"{error.message}\n")
        sys.exit(1)


if __name__ == "__main__":
    _main()
