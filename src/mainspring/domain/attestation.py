"""Who stands for a model version's bytes, by a key: signed statements, and what is made of them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class SigningState(StrEnum):
    UNSIGNED = "unsigned"
    """Nobody signed it."""
    SIGNED = "signed"
    """Somebody did, but by no key that is trusted here."""
    VERIFIED = "verified"
    """Somebody did whose key is trusted here, and for exactly these files."""
    BROKEN = "broken"
    """What says that it is signed does not hold: other files, another name, or not made by that key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """What a version's signatures come to here and now.

    `signed_by` are the names of the trusted keys whose signatures hold, `unknown_keys` the fingerprints of
    others. `why` says what is wrong with those that don't hold.
    """

    state: SigningState = SigningState.UNSIGNED
    signed_by: tuple[str, ...] = ()
    unknown_keys: tuple[str, ...] = ()
    why: str = ""

    def __str__(self) -> str:
        return (
            f"{self.state.value} by {', '.join(self.signed_by)}"
            if self.signed_by
            else self.state.value
        )


NOT_SIGNED = Signing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestation:
    """A signed statement about a model version, as its signer made it.

    `key` is the fingerprint of the public key; `bundle` the text of an OpenSSF model signature.
    """

    version: str
    key: str
    bundle: str
    attached_at: datetime
    attached_by: str
