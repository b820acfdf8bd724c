import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mainspring.domain.dataset import Manifest, ManifestEntry
from mainspring.kernel.codec import canonical, decode, encode
from mainspring.kernel.digests import digest_of_parts, parse_digest
from mainspring.kernel.durations import format_duration, parse_duration
from mainspring.kernel.errors import Invalid, NotFound
from mainspring.kernel.ids import new_id
from mainspring.kernel.paging import key_of, token_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@given(st.lists(st.integers(min_value=0, max_value=10**12), min_size=2, unique=True))
def test_ids_sort_by_the_time_they_were_made(milliseconds: list[int]) -> None:
    entropy = random.Random(7).getrandbits
    instants = [
        datetime.fromtimestamp(ms // 1000, UTC) + timedelta(milliseconds=ms % 1000)
        for ms in sorted(milliseconds)
    ]

    ids = [new_id("run", instant, entropy) for instant in instants]

    assert ids == sorted(ids)


def test_ids_made_at_one_instant_differ() -> None:
    assert len({new_id("run", NOON) for _ in range(1000)}) == 1000


@given(st.dictionaries(st.text(), st.integers() | st.text() | st.none() | st.booleans()))
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    backwards = dict(reversed(list(value.items())))

    assert canonical(value) == canonical(backwards)


def test_decoding_names_the_field_that_does_not_fit() -> None:
    broken = b'{"entries": [{"path": "a", "digest": "sha256:0", "size_bytes": "many"}]}'

    with pytest.raises(Invalid, match=r"Expected `int`, got `str`.*entries\[0\]\.size_bytes"):
        decode(broken, Manifest, what="manifest")


def test_json_nested_too_deeply_is_refused() -> None:
    with pytest.raises(Invalid, match="JSON"):
        decode(b"[" * 200_000, list[object])


def test_a_manifest_survives_encoding() -> None:
    digest = parse_digest("sha256:" + "ab" * 32)
    manifest = Manifest(entries=(ManifestEntry(path="a/b", digest=digest, size_bytes=3),))

    assert decode(encode(manifest), Manifest) == manifest


@given(st.lists(st.text()), st.lists(st.text()))
def test_different_parts_have_different_digests(left: list[str], right: list[str]) -> None:
    assert (digest_of_parts(left) == digest_of_parts(right)) == (left == right)


@pytest.mark.parametrize("text", ["", "sha256:", "md5:" + "0" * 32, "sha256:" + "G" * 64, "../x"])
def test_what_is_no_digest_is_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_digest(text)


@given(st.integers(min_value=0, max_value=10**12))
def test_durations_are_read_as_they_are_written(milliseconds: int) -> None:
    duration = timedelta(milliseconds=milliseconds)

    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize("text", ["", "10", "m", "10 m", "-3s", "1h30", "10min"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(Invalid, match="not a duration"):
        parse_duration(text)


def test_page_tokens_give_their_key_back() -> None:
    assert key_of(token_of(["a", 1, None, 2.5])) == ["a", 1, None, 2.5]


@pytest.mark.parametrize("token", ["", "x", "!!!", "eyJhIjoxfQ", "é"])
def test_a_forged_page_token_is_refused(token: str) -> None:
    with pytest.raises(Invalid, match="page token"):
        key_of(token)


def test_an_error_says_where_what_and_what_to_do() -> None:
    error = NotFound(
        "there is no service 'x'", hint="`mainspring status` lists them.", where="a.toml:3"
    )

    assert str(error) == "a.toml:3: there is no service 'x'\n  `mainspring status` lists them."
