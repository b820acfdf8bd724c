"""Regular expressions in searches, the same on both databases, in time that is linear in the text.

Patterns come from whoever searches. Python's own engine can be made to run for years by a short pattern;
RE2 can't. It has no back references, and neither have patterns here.
"""

from functools import lru_cache
from typing import Any

from mainspring.kernel.errors import Invalid

_MAX_PATTERN = 500


def check_pattern(pattern: str) -> None:
    """Raise `Invalid` unless a pattern can be searched for.

    >>> check_pattern("^wiki.*a$")
    """
    if len(pattern) > _MAX_PATTERN:
        raise Invalid(
            f"a regular expression may have {_MAX_PATTERN} characters, this one has {len(pattern)}",
            code="bad_pattern",
        )
    _compiled(pattern)


def matches(pattern: str, text: str | None) -> bool | None:
    """Whether a pattern is found in a text; NULL in NULL. SQLite calls this as its function `matches`.

    >>> matches("b.d", "abcd"), matches("^b", "abcd"), matches("b", None)
    (True, False, None)
    """
    return None if text is None else _compiled(pattern).search(text) is not None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    # Loaded when the first pattern is searched for: few ever are.
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(pattern, options=options)
    except re2.error as error:
        raise Invalid(
            f"{pattern[:100]!r} is no regular expression that can be searched for: {error}",
            code="bad_pattern",
            hint="The syntax is RE2's, which has no back references and no looking around.",
        ) from error
