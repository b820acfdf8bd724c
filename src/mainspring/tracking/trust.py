"""What a model's files may do when they are loaded: be pickles, bring code. By default neither."""

from dataclasses import dataclass

from mainspring.kernel.errors import Invalid, Rejected


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """What a folder's files may do when they are loaded.

    pickle: be pickles, which run whatever they like.
    code: bring modules of their own, or need MLflow, which runs what the folder names.
    """

    pickle: bool = False
    code: bool = False


NO_TRUST = Trust()
FULL_TRUST = Trust(pickle=True, code=True)


def trust_of(text: str) -> Trust:
    """A setting's words, apart by commas, or `none`; raises `Invalid`.

    >>> trust_of("pickle")
    Trust(pickle=True, code=False)
    """
    words = {word.strip() for word in text.split(",")} - {"", "none"}
    if unknown := words - {"pickle", "code"}:
        raise Invalid(
            f"model_trust: {', '.join(sorted(unknown))[:80]!r} is nothing that models may bring",
            hint="Write pickle, code, both apart by a comma, or none.",
        )
    return Trust(pickle="pickle" in words, code="code" in words)


def check_trust(given: bool, word: str, what: str) -> None:
    """Raise `Rejected` (code `not_trusted`) unless it is given."""
    if not given:
        raise Rejected(
            f"{what} may run anything when it is loaded, which is refused here",
            code="not_trusted",
            hint=f"Save it in a format that holds data only, or let models bring {word!r} "
            "(the setting model_trust).",
        )
