"""What a call of a service takes at once: so many items, of so many bytes in all."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

__all__ = ["chunks"]

Item = TypeVar("Item")


def chunks(
    items: Iterable[Item], most: int, heaviest: int, weight: Callable[[Item], int]
) -> Iterator[list[Item]]:
    """In order, each as long as it may be; an item that is too heavy by itself is a chunk of its own."""
    chunk: list[Item] = []
    total = 0
    for item in items:
        own = weight(item)
        if chunk and (len(chunk) == most or total + own > heaviest):
            yield chunk
            chunk, total = [], 0
        chunk.append(item)
        total += own
    if chunk:
        yield chunk
