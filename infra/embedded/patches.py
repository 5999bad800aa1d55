"""Attributes of moto that are replaced while an embedded AWS is open, and put back when it closes."""

from typing import Any

__all__ = ["Patches"]

ABSENT = object()


class Patches:
    """What was replaced, in order. Each behaviour module has an `install(patches)` that uses it."""

    def __init__(self) -> None:
        self._replaced: list[tuple[Any, str, Any]] = []

    def replace(self, owner: Any, name: str, replacement: Any) -> Any:
        """Sets `owner.name` and returns what callers of it have got so far."""
        original = getattr(owner, name, None)
        # From the owner's own dictionary: a class or static method must come back as one.
        self._replaced.append((owner, name, vars(owner).get(name, ABSENT)))
        setattr(owner, name, replacement)
        return original

    def undo(self) -> None:
        while self._replaced:
            owner, name, original = self._replaced.pop()
            if original is ABSENT:
                delattr(owner, name)
            else:
                setattr(owner, name, original)
