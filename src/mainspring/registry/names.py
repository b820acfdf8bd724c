"""What models and aliases may be called, and tags' limits."""

import re
from collections.abc import Mapping

from mainspring.domain.model import RegisteredModel, is_prompt
from mainspring.kernel.errors import Invalid, Rejected

CHAMPION = "champion"

MAX_NAME = 250
MAX_TAG_KEY = 250
MAX_TAG_VALUE = 100_000

_ALIAS = re.compile(r"[A-Za-z0-9_\-]{1,250}\Z")
# `@v3` and `@latest` mean a number and the newest one in MLflow's URIs.
_TAKEN_ALIAS = re.compile(r"(v\d+|latest)\Z", re.IGNORECASE)


def check_model_name(name: str) -> None:
    """Raise `Invalid` for a name that could not stand in a path or URI.

    >>> check_model_name("demand forecast")
    """
    if len(name) > MAX_NAME:
        raise Invalid(f"a model's name may be {MAX_NAME} characters long, this one has {len(name)}")
    if not name.strip() or any(sign in name for sign in "/:") or not name.isprintable():
        raise Invalid(
            f"Invalid model name: {name[:100]!r}. Model name cannot be empty, or contain "
            "'/', ':' or signs that can't be printed."
        )


def check_alias(alias: str) -> None:
    """Raise `Invalid` for what can't be an alias, `Rejected` for the one that only rollouts move."""
    if not _ALIAS.match(alias) or _TAKEN_ALIAS.match(alias):
        raise Invalid(
            f"Invalid alias name: {alias[:100]!r}.",
            hint="Letters, digits, - and _; but not 'latest', and not 'v' and a number.",
        )
    if alias.lower() == CHAMPION:
        raise Rejected(
            f"the alias {alias!r} is moved only by a rollout that ends well",
            code="alias_reserved",
            hint="Start one (`mainspring rollout start`), or choose another alias.",
        )


def kind_of(prompt: bool) -> str:
    """What MLflow's messages call it."""
    return "Prompt" if prompt else "Registered Model"


def refuse_other_kind(model: RegisteredModel, tags: Mapping[str, str]) -> None:
    """Raise `Invalid` for a prompt's version below a model, or a model's below a prompt."""
    if is_prompt(tags) != is_prompt(model.tags):
        raise Invalid(
            f"Name `{model.name}` is registered as a {kind_of(is_prompt(model.tags)).lower()}, so a "
            f"{kind_of(is_prompt(tags)).lower()} can't be registered under it.",
            code="other_kind",
            hint="A model and a prompt can't have the same name.",
        )


def check_tag(key: str, value: str) -> None:
    """Raise `Invalid` for a tag without a key, or too long a one."""
    if not key:
        raise Invalid("Missing value for required parameter 'key'.")
    if len(key) > MAX_TAG_KEY or len(value) > MAX_TAG_VALUE:
        raise Invalid(
            f"the tag {key[:40]!r} is too long: a key may have {MAX_TAG_KEY} characters, "
            f"a value {MAX_TAG_VALUE}"
        )
