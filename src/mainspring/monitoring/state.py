"""What a window knows: sums and counts that add up, whatever the order in which rows and labels come."""

from dataclasses import dataclass, field

import msgspec

from mainspring.domain.check import Scalar
from mainspring.domain.evaluation import FeatureReference, Reference
from mainspring.domain.model import ModelVersionId
from mainspring.domain.monitor import VersionPerformance
from mainspring.monitoring.bins import BinOf, bin_of, category_of

SHADOW = "shadow"


class VersionState(msgspec.Struct, kw_only=True):
    """The sums of one model version within one window. `row_count` leaves shadow answers out.

    `tells_classes` says that answers are right or wrong even where they are numbers.
    """

    row_count: int = 0
    shadow_count: int = 0
    failed_count: int = 0
    features: dict[str, list[int]] = msgspec.field(default_factory=dict)
    predictions: list[int] | None = None
    expected_error: float | None = None
    tells_classes: bool = False
    labelled_count: int = 0
    numeric_count: int = 0
    error_sum: float = 0.0
    abs_error_sum: float = 0.0
    squared_error_sum: float = 0.0
    wrong_count: int = 0

    def performance(self, version: ModelVersionId) -> VersionPerformance:
        """The sums as means; errors are None without labels."""
        n = self.labelled_count
        is_numeric = n > 0 and self.numeric_count == n and not self.tells_classes
        error = (self.abs_error_sum if is_numeric else self.wrong_count) / n if n else None
        squares = self.squared_error_sum if is_numeric else self.wrong_count
        return VersionPerformance(
            version=version,
            row_count=self.row_count + self.shadow_count,
            labelled_count=n,
            mae=self.abs_error_sum / n if is_numeric else None,
            rmse=(self.squared_error_sum / n) ** 0.5 if is_numeric else None,
            bias=self.error_sum / n if is_numeric else None,
            accuracy=1 - self.wrong_count / n if n and not is_numeric else None,
            failed_count=self.failed_count,
            expected_error=self.expected_error,
            error=error,
            standard_error=_standard_error(error, squares, n),
        )

    def add_label(self, output: float | str | bool, label: float | str | bool) -> None:
        """Count what turned out to be true for one answer."""
        self.labelled_count += 1
        self.wrong_count += category_of(output) != category_of(label)
        if _is_number(output) and _is_number(label):
            error = float(output) - float(label)
            self.numeric_count += 1
            self.error_sum += error
            self.abs_error_sum += abs(error)
            self.squared_error_sum += error * error


class WindowState(msgspec.Struct, kw_only=True):
    """The sums of every version that answered within one window."""

    versions: dict[ModelVersionId, VersionState] = msgspec.field(default_factory=dict)

    def version(self, version: ModelVersionId) -> VersionState:
        return self.versions.setdefault(version, VersionState())

    @property
    def main(self) -> ModelVersionId | None:
        """The version that answered most rows in the open; of equals, the newer."""
        answering = [(s.row_count, v) for v, s in self.versions.items() if s.row_count]
        return max(answering)[1] if answering else None

    @property
    def row_count(self) -> int:
        return sum(state.row_count for state in self.versions.values())

    @property
    def labelled_count(self) -> int:
        """Labelled answers of the main version: the rows that the window's error rests on."""
        return self.versions[self.main].labelled_count if self.main else 0


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(WindowState)


def encode_state(state: WindowState) -> bytes:
    """A state as bytes for the store."""
    return _encoder.encode(state)


def decode_state(data: bytes) -> WindowState:
    """A state from the store."""
    return _decoder.decode(data)


@dataclass(slots=True)
class Counter:
    """Counts answers of one version into the bins of its reference; without one, only how many."""

    reference: Reference | None
    _features: list[tuple[FeatureReference, BinOf]] = field(init=False)
    _prediction: BinOf | None = field(init=False)

    def __post_init__(self) -> None:
        reference = self.reference
        self._features = [(f, bin_of(f)) for f in reference.features] if reference else []
        self._prediction = (
            bin_of(reference.prediction) if reference and reference.prediction else None
        )

    def add(
        self,
        state: VersionState,
        inputs: dict[str, Scalar],
        output: float | str | bool | None,
        *,
        arm: str,
    ) -> None:
        """Count one answer, or one failure to answer, into a version's state."""
        if output is None:
            state.failed_count += 1
            return
        if arm == SHADOW:
            state.shadow_count += 1
        else:
            state.row_count += 1
        reference = self.reference
        if reference is None:
            return
        state.expected_error = expected_error(reference)
        state.tells_classes = reference.accuracy is not None
        for feature, place in self._features:
            counts = state.features.get(feature.name)
            if counts is None or len(counts) != feature.bin_count:
                counts = state.features[feature.name] = [0] * feature.bin_count
            counts[place(inputs.get(feature.name))] += 1
        if self._prediction and reference.prediction:
            if state.predictions is None:
                state.predictions = [0] * reference.prediction.bin_count
            state.predictions[self._prediction(output)] += 1


def expected_error(reference: Reference) -> float | None:
    """A reference's mean error on held-out rows: absolute for numbers, the share of wrong classes else."""
    if reference.mae is not None:
        return reference.mae
    return None if reference.accuracy is None else 1 - reference.accuracy


def _standard_error(mean: float | None, sum_of_squares: float, n: int) -> float | None:
    """Of a mean of n values with this sum of squares."""
    if mean is None or n < 2:
        return None
    return float((max(0.0, sum_of_squares / n - mean * mean) / (n - 1)) ** 0.5)


def _is_number(value: float | str | bool) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
