"""Following what was logged: from segments and label datasets to windows, through operations.

Everything here may be killed at any point: the position in the log moves with the windows.
"""

import logging
from collections.abc import Iterable
from pathlib import Path

from mainspring.blobs.port import BlobStore
from mainspring.config import Settings
from mainspring.datasets.requests import ListDatasetVersions
from mainspring.domain.dataset import DatasetVersion, DatasetVersionState
from mainspring.domain.evaluation import Reference
from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import IncidentKind
from mainspring.domain.prediction import Label, Prediction
from mainspring.domain.request import Call
from mainspring.domain.service import LabelSource
from mainspring.kernel.codec import decode
from mainspring.kernel.errors import Corrupt, NotFound
from mainspring.monitoring.labels import labels_in
from mainspring.monitoring.requests import (
    GetProgress,
    OpenIncident,
    Progress,
    RecordLabels,
    RecordPredictions,
)
from mainspring.registry.requests import GetModelVersionById
from mainspring.serving.log import reader

_LABELS_AT_ONCE = 5000
# Bounds one transaction: a few thousand rows keep other writers waiting for some tens of milliseconds.
_LOG_BYTES_AT_ONCE = 1 << 20

log = logging.getLogger(__name__)


class References:
    """The references of model versions, read once each: a version never changes."""

    def __init__(self, call: Call, blobs: BlobStore) -> None:
        self._call = call
        self._blobs = blobs
        self._known: dict[ModelVersionId, Reference | None] = {}

    def of(self, versions: Iterable[ModelVersionId]) -> dict[str, Reference]:
        """Those that have one. A version registered from outside a pipeline has none."""
        found = {str(version): self._reference(version) for version in versions}
        return {version: reference for version, reference in found.items() if reference}

    def known(self) -> dict[str, Reference]:
        """All that were read so far."""
        return {str(version): r for version, r in self._known.items() if r is not None}

    def _reference(self, version: ModelVersionId) -> Reference | None:
        if version not in self._known:
            self._known[version] = self._read(version)
        return self._known[version]

    def _read(self, version: ModelVersionId) -> Reference | None:
        try:
            digest = self._call(GetModelVersionById(id=version)).reference
            return decode(self._blobs.read(digest), Reference) if digest else None
        except (NotFound, Corrupt) as error:
            # Its traffic is still counted and its labels joined; only drift can't be told.
            log.warning("no reference for %s: %s", version, error)
            return None


class Follower:
    """Reads what one service's serving processes and labellers left, and records it."""

    def __init__(self, call: Call, blobs: BlobStore, settings: Settings) -> None:
        self._call = call
        self._blobs_path = settings.blobs_path
        self._path = settings.predictions_path
        self._references = References(call, blobs)
        self._sizes: dict[str, dict[str, int]] = {}
        self._finished: dict[str, set[str]] = {}

    def has_news(self, service: str) -> bool:
        """Whether segments grew since they were last read; costs a look at the folder."""
        return self._sizes_of(service) != self._sizes.get(service, {})

    def read_log(self, service: str) -> int:
        """Record everything new in the service's log; gives back how many records there were.

        A file that is no segment is passed over: it must not keep the others from being read.
        """
        sizes = self._sizes_of(service)
        progress: Progress = self._call(GetProgress(service=service))
        count = 0
        for path in self._unfinished(service):
            size, offset = sizes.get(path.name, 0), progress.cursors.get(path.name, 0)
            try:
                if offset < size:
                    count += self._read_segment(service, path, offset)
                elif reader.is_sealed(path):
                    self._finished.setdefault(service, set()).add(path.name)
            except Corrupt as error:
                log.error("monitoring passes over a file: %s", error.message)
                self._finished.setdefault(service, set()).add(path.name)
        self._sizes[service] = sizes
        return count

    def read_labels(self, service: str, source: LabelSource) -> int:
        """Join the labels in versions of the label dataset that were not read yet, oldest first."""
        progress: Progress = self._call(GetProgress(service=service))
        count = 0
        for version in self._unread(source, progress.label_number):
            count += self._read_version(service, source, version)
        return count

    def _sizes_of(self, service: str) -> dict[str, int]:
        return {path.name: path.stat().st_size for path in self._unfinished(service)}

    def _unfinished(self, service: str) -> list[Path]:
        """Segments that may still hold something new; in time most are sealed and read to their end."""
        finished = self._finished.get(service, set())
        return [p for p in reader.segments(self._path, service) if p.name not in finished]

    def _read_segment(self, service: str, path: Path, offset: int) -> int:
        count = 0
        while True:
            records, after, damaged = reader.read(path, offset, limit_bytes=_LOG_BYTES_AT_ONCE)
            if after == offset:
                return count
            if damaged:
                # Before the position moves: after it nobody would come by here again.
                self._tell_damage(service, path, offset, damaged)
            predictions = tuple(r for r in records if isinstance(r, Prediction))
            # Labels may be about any version seen before, not only those in this batch.
            self._references.of({p.version for p in predictions})
            self._call(
                RecordPredictions(
                    service=service,
                    segment=path.name,
                    from_offset=offset,
                    to_offset=after,
                    predictions=predictions,
                    labels=tuple(r for r in records if isinstance(r, Label)),
                    references=self._references.known(),
                )
            )
            offset = after
            count += len(records)

    def _tell_damage(self, service: str, path: Path, offset: int, size_bytes: int) -> None:
        log.error("%s is damaged: %d bytes from %d on", path, size_bytes, offset)
        self._call(
            OpenIncident(
                service=service,
                kind=IncidentKind.DAMAGED_LOG,
                summary=f"{size_bytes} bytes of the prediction log can't be read: {path.name} from "
                f"{offset} on. The answers in them are in no window and can't be traced; those after "
                "them were read. `mainspring fsck` lists all that is damaged.",
            )
        )

    def _unread(self, source: LabelSource, number: int) -> list[DatasetVersion]:
        """Accepted versions with both columns; those of another shape hold no labels."""
        try:
            versions = self._call(ListDatasetVersions(dataset=source.dataset, limit=1000))
        except NotFound:
            return []
        unread = [
            version
            for version in versions
            if version.number > number
            and version.state is DatasetVersionState.ACCEPTED
            and {source.key, source.column} <= {c.name for c in version.columns or ()}
        ]
        return sorted(unread, key=lambda version: version.number)

    def _read_version(self, service: str, source: LabelSource, version: DatasetVersion) -> int:
        joined = 0
        batch: list[Label] = []
        for key, value in labels_in(self._blobs_path, version.manifest, source):
            batch.append(Label(service=service, value=value, key=key, at=version.created_at))
            if len(batch) == _LABELS_AT_ONCE:
                joined += self._record(service, source, version, batch, is_last=False)
                batch = []
        return joined + self._record(service, source, version, batch, is_last=True)

    def _record(
        self,
        service: str,
        source: LabelSource,
        version: DatasetVersion,
        labels: list[Label],
        *,
        is_last: bool,
    ) -> int:
        recorded = self._call(
            RecordLabels(
                service=service,
                dataset=source.dataset,
                number=version.number,
                labels=tuple(labels),
                references=self._references.known(),
                is_last=is_last,
            )
        )
        return int(recorded.joined_count)
