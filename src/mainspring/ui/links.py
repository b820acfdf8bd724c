"""Where each thing's page is."""

from urllib.parse import quote, urlencode


def to_service(name: str) -> str:
    """A service."""
    return f"/services/{_part(name)}"


def to_run(id_: str) -> str:
    """A run, of a pipeline or tracked."""
    return f"/runs/{_part(id_)}"


def to_dataset(name: str, number: int | None = None) -> str:
    """A dataset, or one version of it."""
    return f"/datasets/{_part(name)}" + (f"/{number}" if number is not None else "")


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


def _part(text: str) -> str:
    return quote(text, safe="")
