"""What the texts of a column look like: lengths, shapes, blanks and signs of damage."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from mainspring.quality.sketches import Counts, Frequent, Hashes, Value

if TYPE_CHECKING:
    import polars as pl

SHAPES = 60
_LOOKED_AT = 300
_LONGEST_SHAPE = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Texts:
    """Lengths in characters, and the commonest shapes.

    A shape has 9 for a digit, `a` and `A` for letters, and `+` after what repeats. Shapes are of at most
    300 different values a batch: `shaped_row_count` says of how many rows. `damaged_count` counts rows with
    the replacement character or with UTF-8 that was read as Latin-1.
    """

    shortest: int | None = None
    longest: int | None = None
    total_length: int = 0
    blank_count: int = 0
    damaged_count: int = 0
    shapes: Frequent = field(default_factory=Frequent.empty)
    shaped_row_count: int = 0

    @staticmethod
    def of(values: "pl.Series", counts: Counts, hashes: Hashes) -> "Texts":
        """Of different texts, how often each occurs, and their hashes."""
        if not len(values):
            return Texts()
        lengths = values.str.len_chars().to_numpy().astype("int64")
        blank = ~values.str.contains(r"\S").to_numpy()
        # Texts of ASCII alone can't show damage, and looking for it is slow.
        is_ascii = bool((values.str.len_bytes().to_numpy() == lengths).all())
        damaged = 0 if is_ascii else int(counts[values.str.contains(_DAMAGE).to_numpy()].sum())
        looked_at = _some(hashes)
        return Texts(
            shortest=int(lengths.min()),
            longest=int(lengths.max()),
            total_length=int((lengths * counts).sum()),
            blank_count=int(counts[blank].sum()),
            damaged_count=damaged,
            shapes=_shapes(values[looked_at], counts[looked_at]),
            shaped_row_count=int(counts[looked_at].sum()),
        )

    def merge(self, other: "Texts") -> "Texts":
        shortest = [t.shortest for t in (self, other) if t.shortest is not None]
        longest = [t.longest for t in (self, other) if t.longest is not None]
        return Texts(
            shortest=min(shortest, default=None),
            longest=max(longest, default=None),
            total_length=self.total_length + other.total_length,
            blank_count=self.blank_count + other.blank_count,
            damaged_count=self.damaged_count + other.damaged_count,
            shapes=self.shapes.merge(other.shapes, SHAPES),
            shaped_row_count=self.shaped_row_count + other.shaped_row_count,
        )


# What UTF-8 beyond ASCII looks like when it is read as Latin-1 or Windows-1252, and what decoders put for bytes
# that they can't read.
_DAMAGE = "\ufffd|[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u20ac|\u00e2\u0080"


def _some(hashes: Hashes) -> npt.NDArray[np.int64]:
    """Places of those with the least hashes: the same texts, in whatever order they came."""
    if hashes.size <= _LOOKED_AT:
        return np.argsort(hashes)
    return np.argpartition(hashes, _LOOKED_AT)[:_LOOKED_AT]


def _shapes(values: "pl.Series", counts: Counts) -> Frequent:
    import polars as pl

    shape = pl.col("shape").str.slice(0, 4 * _LONGEST_SHAPE)
    for pattern, sign in (
        ("[0-9]", "9"),
        (r"\p{Lu}", "A"),
        (r"[\p{L}--\p{Lu}]", "a"),
        ("aa+", "a+"),
        ("AA+", "A+"),
    ):
        shape = shape.str.replace_all(pattern, sign)
    frame = pl.DataFrame({"shape": values, "count": counts})
    counted: dict[Value, int] = {}
    for text, count in frame.select(shape.str.slice(0, _LONGEST_SHAPE), "count").iter_rows():
        counted[text] = counted.get(text, 0) + count
    return Frequent.empty().merge(Frequent(counts=counted), SHAPES)
