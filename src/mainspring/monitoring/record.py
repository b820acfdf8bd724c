"""Adding predictions and labels to windows: each counts exactly once, in whatever order they come.

Windows, the predictions that wait for labels, the labels that wait for predictions and the position in the
log change in one transaction, so that a crash anywhere neither loses a record nor counts it twice.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from mainspring.domain.evaluation import Reference
from mainspring.domain.model import ModelVersionId
from mainspring.domain.prediction import Label, Prediction, PredictionId
from mainspring.domain.service import MonitorPolicy
from mainspring.kernel.errors import Conflict
from mainspring.monitoring import queries
from mainspring.monitoring.queries import OpenWindow, Seen
from mainspring.monitoring.requests import (
    ForgetPredictions,
    Recorded,
    RecordLabels,
    RecordPredictions,
)
from mainspring.monitoring.state import Counter
from mainspring.monitoring.summary import summarise
from mainspring.services.read import service_named
from mainspring.store.tx import Tx

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Event times are told by clients. One from the future would close every window before it, so beyond this
# much we believe our own clock instead.
_FUTURE = timedelta(days=1)


def record_predictions(tx: Tx, request: RecordPredictions) -> Recorded:
    """Add what one segment of the prediction log holds between two offsets."""
    policy = service_named(tx, request.service).spec.monitor
    queries.lock_service(tx, request.service)
    offset = queries.cursor(tx, request.service, request.segment)
    if offset != request.from_offset:
        raise Conflict(
            f"segment {request.segment} was read up to {offset} already, not {request.from_offset}",
            code="cursor_moved",
            hint="Another controller reads this log; go on from there.",
        )
    books = _Books(tx, request.service, policy, request.references)
    fresh = books.fresh(request.predictions)
    waiting = books.waiting_labels(fresh)
    books.count(fresh, waiting)
    joined, unmatched = books.join(request.labels)
    queries.add_pending_labels(tx, request.service, unmatched)
    books.close()
    queries.move_cursor(tx, request.service, request.segment, request.to_offset)
    return Recorded(
        prediction_count=len(fresh),
        duplicate_count=len(request.predictions) - len(fresh),
        joined_count=joined + books.joined_on_arrival,
        pending_count=len(unmatched),
    )


def record_labels(tx: Tx, request: RecordLabels) -> Recorded:
    """Join labels from a dataset; the same ones again change nothing."""
    policy = service_named(tx, request.service).spec.monitor
    queries.lock_service(tx, request.service)
    books = _Books(tx, request.service, policy, request.references)
    joined, _ = books.join(request.labels)
    books.close()
    if request.is_last:
        number = max(request.number, queries.label_number(tx, request.service, request.dataset))
        queries.move_label_cursor(tx, request.service, request.dataset, number)
    return Recorded(prediction_count=0, duplicate_count=0, joined_count=joined, pending_count=0)


def forget_predictions(tx: Tx, request: ForgetPredictions) -> int:
    """Drop what waits for labels that will hardly come."""
    queries.lock_service(tx, request.service)
    queries.forget_pending_labels_before(tx, request.service, request.before)
    return queries.forget_seen_before(tx, request.service, request.before)


def window_start(at: datetime, length: timedelta) -> datetime:
    """The start of the tumbling window that an instant falls into; windows are aligned to 1970.

    >>> window_start(datetime(2026, 1, 1, 5, 30, tzinfo=UTC), timedelta(hours=1)).hour
    5
    """
    return at - (at - _EPOCH) % length


class _Books:
    """The windows of one service that a transaction adds to."""

    def __init__(
        self,
        tx: Tx,
        service: str,
        policy: MonitorPolicy,
        references: Mapping[str, Reference],
    ) -> None:
        self._tx = tx
        self._service = service
        self._policy = policy
        self._length = timedelta(seconds=policy.window_seconds)
        self._references = {ModelVersionId(v): reference for v, reference in references.items()}
        self._counters: dict[ModelVersionId, Counter] = {}
        self._windows: dict[datetime, OpenWindow] = {}
        self.joined_on_arrival = 0

    def fresh(self, predictions: Sequence[Prediction]) -> list[Prediction]:
        """Those that were not recorded before, each once."""
        known = queries.known_ids(self._tx, self._service, [p.id for p in predictions])
        first: dict[PredictionId, Prediction] = {}
        for prediction in predictions:
            if prediction.id not in known:
                first.setdefault(prediction.id, prediction)
        return list(first.values())

    def waiting_labels(self, fresh: Sequence[Prediction]) -> list[Label]:
        if not fresh or not queries.has_pending_labels(self._tx, self._service):
            return []
        return queries.take_pending_labels(
            self._tx,
            self._service,
            ids={p.id for p in fresh},
            keys={p.key for p in fresh if p.key is not None},
        )

    def count(self, fresh: Sequence[Prediction], waiting: Sequence[Label]) -> None:
        """Add predictions to their windows, with the labels that waited for them."""
        by_id = {label.prediction: label for label in waiting if label.prediction}
        by_key = {label.key: label for label in waiting if not label.prediction and label.key}
        seen = []
        for prediction in fresh:
            event_at = self._event_at(prediction)
            state = self._window(event_at).state.version(prediction.version)
            self._counter(prediction.version).add(
                state, prediction.inputs, prediction.output, arm=prediction.arm
            )
            label = by_id.get(prediction.id) or by_key.get(prediction.key or "")
            if label and prediction.output is not None:
                state.add_label(prediction.output, label.value)
                self.joined_on_arrival += 1
            seen.append((prediction, event_at, label is not None))
        queries.add_seen(self._tx, self._service, seen)

    def join(self, labels: Iterable[Label]) -> tuple[int, list[Label]]:
        """Add labels to the windows of their predictions; those without any are given back."""
        by_id: dict[str, Label] = {}
        by_key: dict[str, Label] = {}
        for label in labels:
            if label.prediction:
                by_id.setdefault(label.prediction, label)
            elif label.key is not None:
                by_key.setdefault(label.key, label)
        found = [
            (seen, by_id[seen.prediction])
            for seen in queries.seen_by_ids(self._tx, self._service, by_id)
        ] + [
            (seen, by_key[seen.key])
            for seen in queries.seen_by_keys(self._tx, self._service, by_key)
            if seen.key is not None
        ]
        joined = self._add_labels(found)
        matched = {id(label) for _, label in found}
        everything = (*by_id.values(), *by_key.values())
        return joined, [label for label in everything if id(label) not in matched]

    def _add_labels(self, found: Sequence[tuple[Seen, Label]]) -> int:
        """A prediction takes the first label that comes and no other."""
        labelled: set[PredictionId] = set()
        for seen, label in found:
            if seen.is_labelled or seen.output is None or seen.prediction in labelled:
                continue
            labelled.add(seen.prediction)
            state = self._window(seen.event_at).state.version(seen.version)
            state.add_label(seen.output, label.value)
        queries.mark_labelled(self._tx, self._service, labelled)
        return len(labelled)

    def close(self) -> None:
        """Write every window that was added to."""
        for window in self._windows.values():
            summary = summarise(
                window.state, self._references, psi_threshold=self._policy.psi_threshold
            )
            queries.save_window(self._tx, self._service, window, summary)

    def _window(self, event_at: datetime) -> OpenWindow:
        start = window_start(event_at, self._length)
        window = self._windows.get(start)
        if window is None:
            window = queries.open_window(self._tx, self._service, start, start + self._length)
            self._windows[start] = window
        return window

    def _counter(self, version: ModelVersionId) -> Counter:
        counter = self._counters.get(version)
        if counter is None:
            counter = self._counters[version] = Counter(self._references.get(version))
        return counter

    def _event_at(self, prediction: Prediction) -> datetime:
        if prediction.event_at > self._tx.now + _FUTURE:
            return prediction.at
        return prediction.event_at
