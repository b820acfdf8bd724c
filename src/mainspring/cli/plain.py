"""Text for a terminal: names of files may hold what a terminal takes for orders."""

import re

_ORDERS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def plain(text: str) -> str:
    """A text with its control characters, and what is no text at all, written out.

    >>> plain("a\\x1b[2Jb")
    'a\\\\x1b[2Jb'
    """
    return _ORDERS.sub(lambda found: found[0].encode("unicode_escape").decode(), text)
