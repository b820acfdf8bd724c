"""A dataset version, as a step or a script reads it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from mainspring.blobs.port import BlobStore
from mainspring.blobs.trees import lay_out, read_manifest
from mainspring.datasets.references import ENDING
from mainspring.domain.dataset import ManifestEntry
from mainspring.domain.times import Times
from mainspring.kernel.digests import Digest
from mainspring.kernel.durations import parse_duration
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.instants import Instant, parse_instant

if TYPE_CHECKING:
    import polars as pl

    from mainspring.datasets.join_in_time import TimedJoin


class Dataset:
    """One version of a dataset. A step that asks for a `pl.DataFrame` is given `read()` instead.

    `times` are the columns that tell of time, as the dataset's schema declares them; `at` the moment as of which
    it is read, if there is one. `created_at` says when the version was added; steps are not told.
    """

    def __init__(
        self,
        *,
        name: str,
        number: int,
        manifest: Digest,
        blobs: BlobStore,
        times: Times | None = None,
        at: datetime | None = None,
        created_at: datetime | None = None,
    ) -> None:
        self.name = name
        self.number = number
        self.manifest = manifest
        self.times = times
        self.at = at
        self.created_at = created_at
        self._blobs = blobs

    def __repr__(self) -> str:
        moment = f" as of {self.at.isoformat()}" if self.at else ""
        return f"<dataset {self.name} version {self.number}{moment}>"

    def as_of(
        self,
        moment: Instant,
        *,
        event_time: str | None = None,
        label_at: str | None = None,
        labels: Sequence[str] = (),
    ) -> "Dataset":
        """The same version with what was known at a moment: rows that were so by then, labels that had come.

        The columns that tell are those of the dataset's schema, unless they are named here. A moment is a time with
        its zone, or text (UTC if it names no zone). Raises `Invalid` where no column tells of time.
        """
        if bool(label_at) != bool(labels):
            raise Invalid("label_at says when labels became known; give both or none")
        times = self.times
        if event_time or label_at:
            # What is not named here stays as it is declared: no label comes back by naming another column.
            declared = times or Times()
            times = replace(
                declared,
                event_time=event_time or declared.event_time,
                label_at=label_at or declared.label_at,
                labels=tuple(labels) or declared.labels,
            )
        if times is None:
            raise Invalid(
                f"{self.name!r} does not say which of its columns tell of time",
                code="no_times",
                hint='Add event_time = "..." to its schema and accept it; in Python, name it: as_of(..., event_time="...").',
            )
        return Dataset(
            name=self.name,
            number=self.number,
            manifest=self.manifest,
            blobs=self._blobs,
            times=times,
            at=parse_instant(moment),
            created_at=self.created_at,
        )

    def read(self) -> "pl.DataFrame":
        """The whole table in memory; raises `Invalid` if the files are no table."""
        from mainspring.datasets.tables import collected

        return collected(self.scan())

    def scan(self) -> "pl.LazyFrame":
        """The table as a query, of which only what is asked for is read."""
        from mainspring.datasets.in_time import as_of
        from mainspring.datasets.tables import scan

        table = scan(self._blobs, self.manifest)
        return table if self.at is None or self.times is None else as_of(table, self.times, self.at)

    def join_as_of(
        self,
        features: "Dataset",
        *,
        by: str | Sequence[str] | None = None,
        max_age: str | timedelta | None = None,
        tie_breaker: str | None = None,
        suffix: str = "_right",
    ) -> "pl.DataFrame":
        """Every row, in order, with the columns of the newest row of `features` that is not later than it.

        Both schemas say which column tells the time. `by` are columns whose values must be equal: the features' key
        without its time, unless it is given. Features older than `max_age` (such as "2h") are not taken. Of
        features of one key and time the one with the greatest `tie_breaker` counts, then the last. Labels that
        `features` declares are taken only where they were known by the row's time. As of a moment, both sides
        are read so. Raises `Invalid` for columns that are missing or don't fit.
        """
        from mainspring.datasets.join_in_time import join_in_time

        how = self._timed_join(
            features, by=by, max_age=max_age, tie_breaker=tie_breaker, suffix=suffix
        )
        return join_in_time(self.scan(), self._seen_with(features).scan(), how)

    def write_joined(
        self,
        features: "Dataset",
        target: Path | str,
        *,
        by: str | Sequence[str] | None = None,
        max_age: str | timedelta | None = None,
        tie_breaker: str | None = None,
        suffix: str = "_right",
    ) -> None:
        """Write what `join_as_of` gives as a Parquet file, however large it is."""
        from mainspring.datasets.join_in_time import write_joined

        how = self._timed_join(
            features, by=by, max_age=max_age, tie_breaker=tie_breaker, suffix=suffix
        )
        write_joined(self.scan(), self._seen_with(features).scan(), how, Path(target))

    def files(self, target: Path | str) -> Path:
        """Write the files below a folder, and give that folder back."""
        folder = Path(target)
        lay_out(self._blobs, read_manifest(self._blobs, self._all_of_it()), folder)
        return folder

    def entries(self) -> tuple[ManifestEntry, ...]:
        """Its files: path, digest and size of each."""
        return read_manifest(self._blobs, self._all_of_it()).entries

    def open(self, path: str) -> BinaryIO:
        """One of its files as a stream that can be sought in; raises `NotFound`."""
        entry = next((entry for entry in self.entries() if entry.path == path), None)
        if entry is None:
            raise NotFound(
                f"{self.name} version {self.number} has no file {path!r}", code="no_file"
            )
        return self._blobs.open(entry.digest)

    def paths(self) -> dict[str, Path]:
        """Where each of its files can be read on this machine, for libraries that read by path.

        The files are the store's own: read only, with names that say nothing, and there as long as the version
        is. Raises `Invalid` for versions on a server.
        """
        from mainspring.blobs.local import LocalBlobs

        if not isinstance(self._blobs, LocalBlobs):
            raise Invalid(
                "the files of a server are not on this machine",
                code="not_local",
                hint="`mainspring data checkout` fetches them; a mainspring:// address streams them.",
            )
        blobs = self._blobs
        if any(entry.path.endswith(ENDING) for entry in self.entries()):
            raise Invalid(
                f"{self.name} version {self.number} is a pinned reference: its files lie elsewhere",
                code="pinned_reference",
                hint="Read it as a table: read() or scan(), `mainspring data get`.",
            )
        return {entry.path: blobs.path_of(entry.digest).resolve() for entry in self.entries()}

    def _timed_join(
        self,
        features: "Dataset",
        *,
        by: str | Sequence[str] | None,
        max_age: str | timedelta | None,
        tie_breaker: str | None,
        suffix: str,
    ) -> "TimedJoin":
        """How `join_as_of` would join, told by both schemas; raises `Invalid` where they don't say."""
        from mainspring.datasets.join_in_time import TimedJoin

        times = [(each, each.times.event_time if each.times else None) for each in (self, features)]
        for each, event_time in times:
            if event_time is None:
                raise Invalid(
                    f"{each.name!r} does not say which of its columns tells when a row was so",
                    code="no_times",
                    hint='Add event_time = "..." to its schema and accept it.',
                )
        columns = (by,) if isinstance(by, str) else by
        if columns is None:
            declared = features.times.key if features.times else ()
            columns = tuple(name for name in declared if name != times[1][1])
        return TimedJoin(
            by=tuple(columns),
            left_time=str(times[0][1]),
            right_time=str(times[1][1]),
            max_age=parse_duration(max_age) if isinstance(max_age, str) else max_age,
            tie_breaker=tie_breaker,
            suffix=suffix,
            late_at=features.times.label_at if features.times else None,
            late=features.times.labels if features.times else (),
        )

    def _seen_with(self, features: "Dataset") -> "Dataset":
        """The features as of the moment that this is read as of, unless they have their own."""
        return features if self.at is None or features.at is not None else features.as_of(self.at)

    def _all_of_it(self) -> Digest:
        if self.at is not None:
            raise Invalid(
                "files hold what became known later, too",
                code="not_in_time",
                hint="Read it as a table, or take the dataset itself rather than as of a moment.",
            )
        return self.manifest
