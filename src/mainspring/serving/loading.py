"""A model from the blobs, ready to answer: laid out, verified, loaded, tried on its own example.

Runs the model's code, so it is used only in processes of their own.
"""

import math
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mainspring.blobs.local import LocalBlobs
from mainspring.blobs.trees import lay_out, read_manifest
from mainspring.domain.data_type import DataType
from mainspring.kernel.digests import Digest, hex_part
from mainspring.kernel.errors import Invalid
from mainspring.tracking.model_format import load_model, read_example
from mainspring.tracking.trust import NO_TRUST, Trust

if TYPE_CHECKING:
    import polars as pl

Predict = Callable[["pl.DataFrame"], list[Any]]


@contextmanager
def loaded(
    blobs: LocalBlobs, manifest: Digest, work: Path, trust: Trust = NO_TRUST
) -> Iterator[Predict]:
    """A model's predict function; its files exist until the block ends.

    Raises `Corrupt` for bytes that are not those that were registered, `Invalid` if the model can't be
    loaded or fails on the example stored with it.
    """
    with laid_out(blobs, manifest, work) as folder:
        predict = _plain(load_model(folder, trust))
        _check_on_example(predict, folder)
        yield predict


@contextmanager
def laid_out(blobs: LocalBlobs, manifest: Digest, work: Path) -> Iterator[Path]:
    """A model's folder below `work`, every file verified, until the block ends."""
    work.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{hex_part(manifest)[:12]}-", dir=work))
    try:
        lay_out(blobs, read_manifest(blobs, manifest), folder, replace=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def frame_of(names: list[str], types: list[str], columns: list[list[Any]]) -> "pl.DataFrame":
    """Columns that came over the wire, as the model takes them."""
    import polars as pl

    kinds: dict[str, Any] = {
        DataType.FLOAT: pl.Float64,
        DataType.INTEGER: pl.Int64,
        DataType.BOOLEAN: pl.Boolean,
        DataType.STRING: pl.String,
        DataType.DATE: pl.Int32,
        DataType.DATETIME: pl.Int64,
    }
    series = []
    for name, type_, values in zip(names, types, columns, strict=True):
        one = pl.Series(name, values, dtype=kinds.get(type_), strict=False)
        if type_ == DataType.DATE:
            one = one.cast(pl.Date)
        elif type_ == DataType.DATETIME:
            one = one.cast(pl.Datetime("us"))
        series.append(one)
    return pl.DataFrame(series)


def _plain(predict: Callable[["pl.DataFrame"], Any]) -> Predict:
    def plain(frame: "pl.DataFrame") -> list[Any]:
        answers: list[Any] = predict(frame).tolist()
        return answers

    return plain


def _check_on_example(predict: Predict, folder: Path) -> None:
    example = read_example(folder)
    if example is None:
        return
    try:
        answers = predict(example)
    except Exception as error:
        raise Invalid(
            f"the model fails on its own example: {type(error).__name__}: {error}",
            code="example_failed",
            hint="Was it trained with other versions of its libraries? See its requirements.txt.",
        ) from error
    if (bad := first_bad(answers)) is not None:
        raise Invalid(
            f"the model answers {bad} for a row of its own example", code="example_failed"
        )


def first_bad(answers: list[Any]) -> object | None:
    """The first answer that is not a number, text or truth value; None if all are.

    >>> first_bad([1.0, "a", True]), first_bad([1.0, float("nan")])
    (None, nan)
    """
    for answer in answers:
        if isinstance(answer, list):
            bad = first_bad(answer)
            if bad is not None:
                return bad
        elif isinstance(answer, float):
            if not math.isfinite(answer):
                return answer
        elif not isinstance(answer, (str, int)):
            return f"a {type(answer).__name__}"
    return None
