"""What data of a DVC repository is called here. Pure."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import PurePosixPath

from mainspring.datasets.requests import NAME_PATTERN
from mainspring.kernel.errors import Conflict, Invalid


def dataset_name(path: str) -> str:
    """The name of the dataset for a path: without the ending, and without a `data` folder around it.

    >>> dataset_name("data/rides.csv"), dataset_name("data/raw/2024-photos"), dataset_name("räder.pkl")
    ('rides', 'raw_2024_photos', 'rader')
    """
    pure = PurePosixPath(path)
    parts = pure.parts[1:] if len(pure.parts) > 1 and pure.parts[0] == "data" else pure.parts
    last = parts[-1]
    # A dot in front is no ending.
    stem = last[:1] + last[1:].partition(".")[0]
    # Names are ASCII here: accents go, what has no counterpart becomes a gap.
    plain = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", "_".join((*parts[:-1], stem)))
        if not unicodedata.combining(letter)
    )
    name = re.sub(r"[^A-Za-z0-9]+", "_", plain).strip("_")
    return (name or "data")[:200]


def named(
    paths: Iterable[str], together: Iterable[str], given: Mapping[str, str]
) -> dict[str, str]:
    """The dataset of each path; `together` are those that are there at once, and need different ones.

    Raises `Conflict` for two of these with one name, `Invalid` for a name that is given to no path.
    """
    every = list(dict.fromkeys(paths))
    for path in given:
        if path not in every:
            raise Invalid(
                f"there is no data at {path!r}",
                hint=f"There is data at {', '.join(every) or 'none'}.",
            )
    for name in given.values():
        if not re.fullmatch(NAME_PATTERN, name) or len(name) > 200:
            raise Invalid(
                f"{name[:80]!r} can't name a dataset",
                code="bad_name",
                hint="Use letters, digits, `_`, `.` and `-`, beginning with a letter or digit.",
            )
    names = {path: given.get(path) or dataset_name(path) for path in every}
    taken: dict[str, str] = {}
    for path in together:
        other = taken.setdefault(names[path], path)
        if other != path:
            raise Conflict(
                f"{other} and {path} would both become the dataset {names[path]!r}",
                code="name_taken",
                hint=f"Name one of them: --name {path}={names[path]}_2",
            )
    return names
