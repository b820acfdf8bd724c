"""Merging pointer files: whatever three of them there are, no version is chosen in silence."""

from hypothesis import given
from hypothesis import strategies as st

from mainspring.datasets.pointers import Pointer, merge, parse_pointer, pointer_text
from mainspring.kernel.digests import digest_bytes

POINTERS = st.builds(
    Pointer,
    dataset=st.sampled_from(["rides", "trips"]),
    number=st.integers(0, 3),
    manifest=st.sampled_from([digest_bytes(b"1"), digest_bytes(b"2"), digest_bytes(b"3")]),
    file_count=st.just(1),
    size_bytes=st.just(9),
    row_count=st.none() | st.just(2),
)


@given(POINTERS)
def test_a_pointer_is_what_its_text_says(pointer: Pointer) -> None:
    assert parse_pointer(pointer_text(pointer), "p") == pointer


@given(POINTERS, POINTERS, POINTERS)
def test_a_merge_takes_the_side_that_changed_and_never_decides_between_two(
    base: Pointer, ours: Pointer, theirs: Pointer
) -> None:
    merged = merge(*map(pointer_text, (base, ours, theirs)), "p")
    mirrored = merge(*map(pointer_text, (base, theirs, ours)), "p")

    both_changed = not ours.names_the_same(base) and not theirs.names_the_same(base)
    assert (merged.conflict is not None) == (both_changed and not ours.names_the_same(theirs))
    assert (merged.conflict is None) == (mirrored.conflict is None)
    if merged.conflict is None:
        assert merged.text in (pointer_text(ours), pointer_text(theirs))
        chosen, other = parse_pointer(merged.text, "p"), parse_pointer(mirrored.text, "p")
        assert chosen.names_the_same(other)
        assert chosen.names_the_same(theirs if ours.names_the_same(base) else ours)
