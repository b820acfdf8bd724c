"""What differs between two versions of models."""

from dataclasses import dataclass
from enum import StrEnum


class Where(StrEnum):
    """In what two versions can differ."""

    METRIC = "metric"
    PARAM = "param"
    DATA = "data"
    CODE = "code"
    ENVIRONMENT = "environment"
    SIGNATURE = "signature"
    SIGNING = "signing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is not the same in both; None where it is not there."""

    where: Where
    name: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionDiff:
    """Two versions side by side. `same_bytes`: their files are the same, whatever else differs."""

    one: str
    other: str
    same_bytes: bool
    changes: tuple[Change, ...]
