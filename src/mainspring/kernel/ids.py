"""Identifiers: typed by a prefix, sortable by creation time.

An id is `<prefix>_<26 characters>`: 48 bits of Unix milliseconds, then 80 random bits, both in
Crockford's base 32 (the layout of ULID). Ids made later sort later, so a primary key keeps rows in
order of creation and a page can be cut at an id.
"""

import secrets
from collections.abc import Callable
from datetime import datetime

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_RANDOM_BITS = 80

Entropy = Callable[[int], int]
"""Gives an integer of that many random bits; tests pass a seeded one."""


def new_id(prefix: str, at: datetime, entropy: Entropy = secrets.randbits) -> str:
    """A fresh id for something created at `at`.

    >>> from datetime import UTC
    >>> new_id("run", datetime(2026, 1, 1, tzinfo=UTC), entropy=lambda bits: 0)
    'run_01kdvdna000000000000000000'
    """
    milliseconds = int(at.timestamp() * 1000)
    number = (milliseconds << _RANDOM_BITS) | entropy(_RANDOM_BITS)
    return f"{prefix}_{_base32(number, 26)}"


def _base32(number: int, length: int) -> str:
    letters = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        letters.append(_ALPHABET[digit])
    return "".join(reversed(letters))
