"""Slices of a gate, as they are declared."""

from pathlib import Path

import pytest

from mainspring.domain.gate import Gate, RareSlices, SliceBy, SliceProof, Slices
from mainspring.kernel.errors import Invalid
from mainspring.services.declaration import parse_declaration

HEAD = """
[service.demand]
pipeline = "flow:demand"
data = { rides = "rides" }

[[service.demand.gate]]
"""


def gates(text: str) -> tuple[Gate, ...]:
    return parse_declaration(HEAD + text, folder=Path("/nowhere")).services[0].gates


def test_slices_are_read_into_the_gate() -> None:
    (gate,) = gates("""metric = "mae"
max = 60
[service.demand.gate.slices]
by = ["shop", { column = "age", edges = [18, 65] }]
depth = 2
confidence = 0.9
min_rows = 30
proof = "of-no-harm"
rare = "skip"
""")

    assert gate.title == "mae in slices of shop, age"
    assert gate.slices == Slices(
        by=(SliceBy(column="shop"), SliceBy(column="age", edges=(18.0, 65.0))),
        depth=2,
        confidence=0.9,
        min_rows=30,
        proof=SliceProof.OF_NO_HARM,
        rare=RareSlices.SKIP,
    )


def test_what_is_left_out_of_slices_keeps_its_default() -> None:
    (gate,) = gates('metric = "mae"\nmax = 60\nslices = { by = ["shop"] }\n')

    assert gate.slices == Slices(by=(SliceBy(column="shop"),))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('metric = "revenue"\nmin = 1\nslices = { by = ["a"] }', "can't be computed of some"),
        ('metric = "mae"\nmax = 1\nslices = { by = ["a", "a"] }', "names 'a' again"),
        ('metric = "mae"\nmax = 1\nslices = { by = ["a"], depth = 2 }', "there are 1 columns"),
        ('metric = "mae"\nmax = 1\nslices = { by = [] }', "slices.by"),
        ('metric = "mae"\nmax = 1\nslices = { by = ["a"], min_rows = 5 }', "min_rows"),
        ('metric = "mae"\nslices = { by = ["a"] }', "asks for nothing"),
        (
            'metric = "mae"\nmax = 1\nslices = { by = [{ column = "a", edges = [2, 1] }] }',
            "edges don't grow",
        ),
    ],
)
def test_slices_that_can_not_be_are_refused_where_they_stand(text: str, message: str) -> None:
    with pytest.raises(Invalid, match=message) as caught:
        gates(text)

    assert caught.value.where is not None
