"""Keeping steps' results by content, and giving them back.

The kind of a value decides its form: tables are Parquet, models folders in MLflow's format, files manifests, metrics
and plain values JSON, arrays npy; lists of these are kept item by item; anything else is pickled. Only step processes call `decode`.
"""

import json
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.blobs.port import BlobStore
from mainspring.domain.evaluation import Evaluation
from mainspring.domain.pipeline import StoredValue, ValueKind
from mainspring.kernel.codec import canonical
from mainspring.kernel.codec import decode as decode_json
from mainspring.kernel.errors import Invalid
from mainspring.pipelines.files import Files
from mainspring.pipelines.models import Metrics, Model, from_pandas, put_table
from mainspring.pipelines.refs import item_annotation

if TYPE_CHECKING:
    import polars as pl

# Part of every cache key: results kept in another form are not found again.
FORMAT_VERSION = "1"
_SUMMARY_LENGTH = 80


def encode(
    value: Any, blobs: BlobStore, *, scratch: Path, project: Path | None, what: str
) -> StoredValue:
    """Keep a value; raises `Invalid` naming `what` it is and its type if it can't be kept."""
    if isinstance(value, Model):
        digest = value.store(blobs, scratch=scratch, project=project)
        return StoredValue(kind=ValueKind.MODEL, digest=digest, summary=value.summary)
    if isinstance(value, Metrics):
        kept = value.store(blobs, scratch=scratch, project=project)
        return _stored(ValueKind.METRICS, canonical(kept), value.summary, blobs)
    if isinstance(value, Files):
        return StoredValue(kind=ValueKind.FILES, digest=value.store(blobs), summary=value.summary)
    if (frame := _as_frame(value)) is not None:
        summary = f"{frame.height:,} rows, {frame.width} columns"
        return StoredValue(
            kind=ValueKind.TABLE, digest=put_table(blobs, frame, scratch), summary=summary
        )
    if _is_array(value):
        return _stored(ValueKind.ARRAY, _npy(value), f"{value.dtype}{list(value.shape)}", blobs)
    if is_exact_json(value):
        return put_json(value, blobs)
    if _is_list_of_kinds(value):
        items = [
            encode(item, blobs, scratch=scratch, project=project, what=f"{what}, item {number}")
            for number, item in enumerate(value)
        ]
        return listed(items, blobs)
    return _stored(ValueKind.PICKLE, _pickled(value, what), _short(_type_name(value)), blobs)


def put_json(value: Any, blobs: BlobStore) -> StoredValue:
    """Keep what JSON holds exactly; NaN and infinities as Python writes them."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return _stored(ValueKind.JSON, text.encode(), _short(text), blobs)


def listed(items: Sequence[StoredValue], blobs: BlobStore) -> StoredValue:
    """A list of values that are kept already."""
    return _stored(ValueKind.LIST, canonical(tuple(items)), f"{len(items):,} items", blobs)


def items_of(stored: StoredValue, blobs: BlobStore) -> list[StoredValue | Any] | None:
    """The items of a list, those of a JSON list as plain values; None for what is no list. Safe in any process."""
    if stored.kind is ValueKind.LIST:
        return list(decode_json(blobs.read(stored.digest), tuple[StoredValue, ...], what="list"))
    if stored.kind is ValueKind.JSON:
        value = json.loads(blobs.read(stored.digest))
        return value if isinstance(value, list) else None
    return None


def decode(stored: StoredValue, annotation: Any, blobs: BlobStore, *, scratch: Path) -> Any:
    """Give a value back, as what `annotation` asks for where it can be had in several forms."""
    match stored.kind:
        case ValueKind.TABLE:
            return _table(stored, annotation, blobs)
        case ValueKind.MODEL:
            return Model.load(blobs, stored.digest, _fresh(scratch))
        case ValueKind.METRICS:
            return Metrics.of(decode_json(blobs.read(stored.digest), Evaluation, what="metrics"))
        case ValueKind.FILES:
            return Files.stored(blobs, stored.digest)
        case ValueKind.JSON:
            return json.loads(blobs.read(stored.digest))
        case ValueKind.ARRAY:
            import numpy as np

            return np.load(BytesIO(blobs.read(stored.digest)), allow_pickle=False)
        case ValueKind.LIST:
            asked = item_annotation(annotation)
            items = decode_json(blobs.read(stored.digest), tuple[StoredValue, ...], what="list")
            return [decode(item, asked, blobs, scratch=scratch) for item in items]
        case ValueKind.PICKLE:
            import cloudpickle

            return cloudpickle.loads(blobs.read(stored.digest))


def read_evaluation(blobs: BlobStore, stored: StoredValue) -> Evaluation:
    """What a METRICS value says; safe in any process."""
    return decode_json(blobs.read(stored.digest), Evaluation, what="metrics")


def as_asked(frame: "pl.DataFrame", annotation: Any) -> Any:
    """A table as the kind of table that a step's annotation asks for; Polars if it doesn't say."""
    root = getattr(annotation, "__module__", "").partition(".")[0]
    if root == "pandas":
        from mainspring.tracking.model_format import to_container

        return to_container(frame, "pandas")
    if getattr(annotation, "__name__", "") == "LazyFrame":
        return frame.lazy()
    return frame


def is_exact_json(value: Any) -> bool:
    """Whether JSON gives a value back with all its types: no tuples, no keys but text, no subclasses."""
    if type(value) is str:
        # A lone surrogate has no UTF-8.
        return value.isascii() or value.encode(errors="replace").decode() == value
    if value is None or type(value) in (bool, int, float):
        return True
    if type(value) is list:
        return all(is_exact_json(item) for item in value)
    if type(value) is dict:
        return all(
            type(key) is str and is_exact_json(key) and is_exact_json(item)
            for key, item in value.items()
        )
    return False


def _table(stored: StoredValue, annotation: Any, blobs: BlobStore) -> Any:
    import polars as pl

    return as_asked(pl.read_parquet(BytesIO(blobs.read(stored.digest))), annotation)


def _as_frame(value: Any) -> "pl.DataFrame | None":
    root = type(value).__module__.partition(".")[0]
    name = type(value).__name__
    if root == "polars" and name in ("DataFrame", "LazyFrame"):
        return value.collect() if name == "LazyFrame" else value  # type: ignore[no-any-return]  # as its name says
    if root == "pandas" and name == "DataFrame":
        return from_pandas(value)
    return None


def _is_list_of_kinds(value: Any) -> bool:
    """Whether a list holds nothing but what has a form of its own, so that its items can be used one by one."""
    return type(value) is list and all(
        isinstance(item, Model | Metrics | Files)
        or _as_frame(item) is not None
        or _is_array(item)
        or is_exact_json(item)
        for item in value
    )


def _is_array(value: Any) -> bool:
    kind = type(value)
    return (kind.__module__, kind.__name__) == ("numpy", "ndarray") and not value.dtype.hasobject


def _npy(value: Any) -> bytes:
    import numpy as np

    stream = BytesIO()
    np.save(stream, value, allow_pickle=False)
    return stream.getvalue()


def _pickled(value: Any, what: str) -> bytes:
    import pickle

    import cloudpickle

    try:
        return bytes(cloudpickle.dumps(value, protocol=pickle.DEFAULT_PROTOCOL))
    except Exception as error:
        raise Invalid(
            f"{what} is a {_type_name(value)}, which can't be kept: {error}",
            code="unserialisable",
            hint="Return tables, models, metrics, arrays or plain values; keep open files, locks, "
            "connections and generators inside the step.",
        ) from error


def _stored(kind: ValueKind, data: bytes, summary: str, blobs: BlobStore) -> StoredValue:
    return StoredValue(kind=kind, digest=blobs.put_bytes(data), summary=summary)


def _fresh(scratch: Path) -> Path:
    folder = scratch / "models" / str(sum(1 for _ in (scratch / "models").glob("*")))
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def _type_name(value: Any) -> str:
    kind = type(value)
    return (
        kind.__qualname__
        if kind.__module__ == "builtins"
        else f"{kind.__module__}.{kind.__qualname__}"
    )


def _short(text: str) -> str:
    return text if len(text) <= _SUMMARY_LENGTH else text[: _SUMMARY_LENGTH - 1] + "…"
