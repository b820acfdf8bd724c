"""What names and values tracking accepts, and the words of its refusals (MLflow's, which clients match on)."""

import posixpath
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache

from mainspring.domain.run import DatasetInput, Metric, ModelLink
from mainspring.kernel.errors import Conflict, Invalid

MAX_KEY = 250
MAX_PARAM_VALUE = 6000
MAX_TAG_VALUE = 8000

MAX_NAME = 500
_INT64 = 2**63
_INT32 = 2**31

# Letters of any script, digits, and a few signs; what could leave a folder is caught beside it.
_KEY = re.compile(r"[\w\-. :/]+\Z")


@lru_cache(maxsize=10_000)
def check_key(kind: str, key: str) -> None:
    """Raise `Invalid` unless a key may name a metric, parameter or tag.

    >>> check_key("metric", "val/loss")
    """
    if len(key) > MAX_KEY:
        raise Invalid(
            f"{kind} name {key[:40]!r}... had length {len(key)}, "
            f"which exceeded length limit of {MAX_KEY}"
        )
    if not key:
        raise Invalid(f"Missing value for required parameter '{kind}.key'.")
    if not _KEY.match(key):
        raise Invalid(
            f"Invalid {kind} name: {key!r}. Names may only contain alphanumerics, underscores (_), "
            "dashes (-), periods (.), spaces ( ), colon(:) and slashes (/)."
        )
    plain = posixpath.normpath(key)
    if plain != key or plain == "." or plain.startswith(("..", "/")):
        raise Invalid(
            f"Invalid {kind} name: {key!r}. Names may be treated as files in certain cases, and must "
            f"not resolve to other names when treated as such. This name would resolve to {plain!r}"
        )


def check_length(what: str, text: str, limit: int) -> None:
    """Raise `Invalid` for a text that is empty or longer than its column."""
    if not text:
        raise Invalid(f"Missing value for required parameter '{what}'.")
    if len(text) > limit:
        raise Invalid(
            f"'{what}' exceeds the maximum length of {limit} characters: "
            f"{text[:40]!r}... has {len(text)}"
        )


def check_metric(metric: Metric) -> None:
    """Raise `Invalid` unless a metric can be kept."""
    check_key("metric", metric.key)
    for what, number in (("step", metric.step), ("timestamp", metric.timestamp_ms)):
        if not -_INT64 <= number < _INT64:
            raise Invalid(f"Invalid value {number} for parameter '{what}' supplied.")
    for what, text in (
        ("dataset_name", metric.dataset_name),
        ("dataset_digest", metric.dataset_digest),
    ):
        if text is not None:
            check_length(what, text, MAX_NAME if what == "dataset_name" else 100)


def check_input(item: DatasetInput) -> None:
    """Raise `Invalid` unless a dataset that a run read can be kept."""
    check_length("dataset.name", item.name, MAX_NAME)
    check_length("dataset.digest", item.digest, 100)
    check_length("dataset.source_type", item.source_type, 100)


def check_link(link: ModelLink) -> None:
    """Raise `Invalid` unless a link between a run and a logged model can be kept."""
    check_length("model_id", link.model, 64)
    if not -_INT32 <= link.step < _INT32:
        raise Invalid(f"Invalid value {link.step} for parameter 'step' supplied.")


def checked_params(params: Mapping[str, str]) -> dict[str, str]:
    """Parameters with their keys checked, in the order of their keys, over-long values cut as MLflow does."""
    for key in params:
        check_key("param", key)
    return {key: params[key][:MAX_PARAM_VALUE] for key in sorted(params)}


def checked_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags with their keys checked, in the order of their keys, over-long values cut as MLflow does."""
    for key in tags:
        check_key("tag", key)
    return {key: tags[key][:MAX_TAG_VALUE] for key in sorted(tags)}


def refuse_changes(owner: str, before: Mapping[str, str], wanted: Mapping[str, str]) -> None:
    """Raise `Conflict` (code `param_changed`) if a parameter that has a value would get another."""
    changed = changed_params(before, wanted)
    if changed:
        key, old, new = changed[0]
        raise Conflict(
            "Changing param values is not allowed. Params were already logged="
            f"'[{{'key': {key!r}, 'old_value': {old!r}, 'new_value': {new!r}}}]' for {owner}.",
            code="param_changed",
            hint="Start a new run, or log the value under another name.",
        )


def changed_params(
    before: Mapping[str, str], wanted: Mapping[str, str]
) -> list[tuple[str, str, str]]:
    """The parameters that would change: key, old value, new value.

    >>> changed_params({"depth": "6"}, {"depth": "7", "rate": "0.1"})
    [('depth', '6', '7')]
    """
    return [
        (key, before[key], value)
        for key, value in wanted.items()
        if key in before and before[key] != value
    ]


def one_by_one(items: Iterable[tuple[str, str]], owner: str) -> dict[str, str]:
    """Parameters as a dict; raises `Invalid` if one comes twice with different values."""
    found: dict[str, str] = {}
    for key, value in items:
        if found.setdefault(key, value) != value:
            raise Invalid(
                f"Duplicate parameter keys have been submitted: [{key!r}]. "
                f"Please ensure the request contains only one param value per param key for {owner}."
            )
    return found
