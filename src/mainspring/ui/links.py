"""Where each thing's page is."""

import re
from collections.abc import Callable
from urllib.parse import quote, urlencode

from markupsafe import Markup, escape

from mainspring.ui import format as fmt

_IDS = re.compile(r"\b(run|inc|prd|mv|dsv)_[0-9a-z]{26}\b")


def to_service(name: str) -> str:
    """A service."""
    return f"/services/{_part(name)}"


def to_run(id_: str) -> str:
    """A run, of a pipeline or tracked."""
    return f"/runs/{_part(id_)}"


def to_trigger(name: str) -> str:
    """A trigger."""
    return f"/triggers/{_part(name)}"


def to_trace(id_: str) -> str:
    """A trace."""
    return f"/traces/{_part(id_)}"


def to_dataset(name: str, number: int | None = None) -> str:
    """A dataset, or one version of it."""
    return f"/datasets/{_part(name)}" + (f"/{number}" if number is not None else "")


def to_diff(name: str, before: int, after: int) -> str:
    """What changed between two versions of a dataset."""
    return f"{to_dataset(name)}/diff?before={before}&after={after}"


def to_model(name: str, number: int | None = None) -> str:
    """A model, or one version of it."""
    return f"/models/{_part(name)}" + (f"/{number}" if number is not None else "")


def to_incident(id_: str) -> str:
    """An incident."""
    return f"/incidents/{_part(id_)}"


def to_prediction(id_: str) -> str:
    """A prediction's trace."""
    return f"/predictions/{_part(id_)}"


def to_search(query: str) -> str:
    """What a search finds."""
    return f"/search?{urlencode({'q': query})}"


def with_query(path: str, **fields: str | int | None) -> str:
    """A path with those fields of the query that are given.

    >>> with_query("/runs", service="a b", state=None)
    '/runs?service=a+b'
    """
    given = {key: value for key, value in fields.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path


def linked(text: str) -> Markup:
    """A text in which ids are cut short and lead to what they name; everything else is escaped.

    >>> linked("<run_01kdvnhh000000000000000000>")
    Markup('&lt;<a href="/runs/run_01kdvnhh000000000000000000">run_…000000</a>&gt;')
    """
    parts, end = [], 0
    for found in _IDS.finditer(text):
        id_ = found.group()
        to = _PAGES_OF_IDS.get(found.group(1), to_search)
        parts += [escape(text[end : found.start()])]
        parts += [Markup('<a href="{}">{}</a>').format(to(id_), fmt.short_id(id_))]
        end = found.end()
    return Markup().join([*parts, escape(text[end:])])


def _part(text: str) -> str:
    return quote(text, safe="")


_PAGES_OF_IDS: dict[str, Callable[[str], str]] = {
    "run": to_run,
    "inc": to_incident,
    "prd": to_prediction,
}
