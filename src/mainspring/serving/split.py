"""Who gets the candidate: by key, the same on every machine and for as long as the share doesn't shrink."""

from hashlib import blake2b

_SCALE = 1 << 64


def position(salt: str, key: str) -> float:
    """Where a key stands between 0 and 1; independent for every salt.

    >>> position("rollout", "alice") == position("rollout", "alice") != position("other", "alice")
    True
    """
    digest = blake2b(f"{salt}\0{key}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / _SCALE


def goes_to_candidate(salt: str, key: str, share: float) -> bool:
    """Whether a key is among the candidate's share; one that is stays so while the share grows.

    >>> all(goes_to_candidate("s", str(n), 1.0) for n in range(100))
    True
    """
    return share > 0 and (share >= 1 or position(salt, key) < share)
