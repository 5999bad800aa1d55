"""Chance that repeats: every draw depends on its key and on nothing else."""

from hashlib import blake2b

__all__ = ["between", "chance", "digest"]


def digest(*key: object) -> str:
    """32 hexadecimal digits for the key."""
    return blake2b("\x1f".join(map(str, key)).encode(), digest_size=16).hexdigest()


def chance(*key: object) -> float:
    """A number in [0, 1) for the key, evenly spread over keys."""
    return int(digest(*key)[:13], 16) / 16**13


def between(low: float, high: float, *key: object) -> float:
    return low + (high - low) * chance(*key)
