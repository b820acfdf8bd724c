"""Labels: what turned out to be true, sent when it is known."""

import math
import time

import msgspec

from mainspring.kernel.codec import decode
from mainspring.kernel.errors import Invalid
from mainspring.serving.log.frames import Labelled

MAX_LABELS = 100_000


class LabelIn(msgspec.Struct, forbid_unknown_fields=True):
    """One label: the true value, and the prediction's id or the caller's key for its row."""

    value: float | str | bool
    prediction_id: str | None = None
    key: str | int | None = None


def read_labels(body: bytes) -> Labelled:
    """Decode a JSON list of labels; raises `Invalid` naming the label that can't be right."""
    labels = decode(body, list[LabelIn], what="labels")
    if len(labels) > MAX_LABELS:
        raise Invalid(f"{len(labels)} labels came at once; at most {MAX_LABELS} may")
    for number, label in enumerate(labels):
        if (label.prediction_id is None) == (label.key is None):
            raise Invalid(f"label {number} needs either prediction_id or key", where=f"$[{number}]")
        if isinstance(label.value, float) and not math.isfinite(label.value):
            raise Invalid(f"label {number} is not a finite number", where=f"$[{number}].value")
    return Labelled(
        values=[label.value for label in labels],
        predictions=[label.prediction_id for label in labels],
        keys=[None if label.key is None else str(label.key) for label in labels],
        at=time.time_ns() // 1000,
    )
