"""Putting live values into the bins of a reference, as `FeatureReference` defines them.

Plain Python on purpose: a batch holds thousands of rows, not millions, and the process that does this
should load no array library.
"""

import math
from bisect import bisect_left
from collections.abc import Callable

from mainspring.domain.check import Scalar
from mainspring.domain.evaluation import FeatureReference

BinOf = Callable[[Scalar], int]


def bin_of(feature: FeatureReference) -> BinOf:
    """A function from a value to the number of its bin; what can't be read counts as missing.

    >>> from mainspring.domain.data_type import DataType
    >>> temperature = FeatureReference(name="t", type=DataType.FLOAT, edges=(0.0, 10.0))
    >>> [bin_of(temperature)(value) for value in (-5.0, 0.0, 3, 11.5, None, float("nan"))]
    [0, 0, 1, 2, 3, 3]
    """
    if feature.type.is_numeric:
        return _numeric(feature.edges)
    return _categorical(feature.categories)


def category_of(value: Scalar) -> str:
    """How a value is spelt as a category.

    >>> category_of(True), category_of(2.0), category_of(2), category_of("a")
    ('true', '2', '2', 'a')
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    # JSON has one kind of number: a client may send 2.0 for the integer 2.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _numeric(edges: tuple[float, ...]) -> BinOf:
    missing = len(edges) + 1

    def bin_(value: Scalar) -> int:
        if isinstance(value, str):
            value = _number(value)
        if value is None or math.isnan(value):
            return missing
        return bisect_left(edges, value)

    return bin_


def _categorical(categories: tuple[str, ...]) -> BinOf:
    places = {category: place for place, category in enumerate(categories)}
    other, missing = len(categories), len(categories) + 1

    def bin_(value: Scalar) -> int:
        if value is None or (isinstance(value, float) and math.isnan(value)):
            return missing
        return places.get(category_of(value), other)

    return bin_


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
