"""Keeping the values of secret variables out of what steps print."""

import re
from collections.abc import Mapping

MASK = "***"
# A shorter value would be found by chance in ordinary text.
_SHORTEST = 6
_SECRET = re.compile(
    r"PASS(WORD|WD|PHRASE)?S?$|PWD$|(^|_)(TOKEN|SECRET|CREDENTIAL|API_?KEY|SAS|DSN)S?(_|$)|_(KEY|AUTH|PAT|COOKIE)S?$",
    re.IGNORECASE,
)
_NOT_SECRET = re.compile(r"(OLD)?PWD$|.*PUBLIC_KEY$")
_IN_URL = re.compile(r"(?<=://)([^\s:@/]*):(\S+)(?=@)")


class Masker:
    """Replaces the values of an environment's secret variables, and passwords in URLs, by `***`.

    >>> Masker({"DB_PASSWORD": "tiger-lily"}).mask("login with tiger-lily at postgresql://me:pw@host/db")
    'login with *** at postgresql://me:***@host/db'
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        values = {
            line
            for name, value in environment.items()
            if not _NOT_SECRET.match(name) and _SECRET.search(name)
            for line in value.splitlines()
            if len(line.strip()) >= _SHORTEST
        }
        # The longest first: one secret may be the beginning of another.
        longest = sorted((re.escape(value) for value in values), key=len, reverse=True)
        self._values = re.compile("|".join(longest)) if longest else None

    def mask(self, text: str) -> str:
        """The text without what is secret."""
        if self._values is not None:
            text = self._values.sub(MASK, text)
        return _IN_URL.sub(rf"\1:{MASK}", text) if "://" in text else text
