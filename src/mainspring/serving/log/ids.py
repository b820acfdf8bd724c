"""Ids of predictions: made by the thousand on the hot path, and telling when they were made."""

import secrets
from datetime import UTC, datetime

from mainspring.domain.prediction import PredictionId
from mainspring.kernel.errors import NotFound

PREFIX = "prd_"

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_VALUES = {letter: value for value, letter in enumerate(_ALPHABET)}
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_TIME_LETTERS = 10
_COUNT = len(_PAIRS) ** 2


class IdSource:
    """Gives ids in the layout of `kernel/ids.py`: milliseconds, then 60 random bits, then a counter.

    The counter costs a tenth of drawing 80 random bits for each row. Not safe to share between threads.
    """

    def __init__(self) -> None:
        self._milliseconds = -1
        self._stem = ""
        self._next = 0

    def take(self, count: int, milliseconds: int) -> list[PredictionId]:
        """Fresh ids for rows answered at that Unix time."""
        if milliseconds != self._milliseconds or self._next + count > _COUNT:
            self._milliseconds = milliseconds
            self._stem = (
                PREFIX + _letters(milliseconds, _TIME_LETTERS) + _letters(secrets.randbits(60), 12)
            )
            self._next = 0
        start = self._next
        self._next = start + count
        stem = self._stem
        return [
            PredictionId(f"{stem}{_PAIRS[n >> 10]}{_PAIRS[n & 1023]}")
            for n in range(start, start + count)
        ]


def time_of(id_: str) -> datetime:
    """When a prediction's id was made; raises `NotFound` for what can't be one.

    >>> time_of(IdSource().take(1, 1767225600000)[0]).isoformat()
    '2026-01-01T00:00:00+00:00'
    """
    letters = id_.removeprefix(PREFIX)
    if not id_.startswith(PREFIX) or len(letters) != 26 or not _VALUES.keys() >= set(letters):
        raise NotFound(
            f"{id_[:80]!r} is not a prediction's id",
            hint=f"It begins with {PREFIX} and comes with every answer.",
        )
    milliseconds = 0
    for letter in letters[:_TIME_LETTERS]:
        milliseconds = milliseconds * 32 + _VALUES[letter]
    try:
        return datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise NotFound(f"{id_!r} was never given to a prediction") from error


def _letters(number: int, length: int) -> str:
    letters = []
    for _ in range(length):
        number, digit = divmod(number, 32)
        letters.append(_ALPHABET[digit])
    return "".join(reversed(letters))
