"""Which of many things a gallery shows."""

from collections.abc import Callable, Hashable, Sequence
from typing import TypeVar

Thing = TypeVar("Thing")


def varied(things: Sequence[Thing], kind: Callable[[Thing], Hashable], *, most: int) -> list[Thing]:
    """The first `most`, in their order: one of each kind as long as there are enough kinds, then a second of each."""
    seen: dict[Hashable, int] = {}
    ranked = []
    for place, thing in enumerate(things):
        seen[kind(thing)] = seen.get(kind(thing), 0) + 1
        ranked.append((seen[kind(thing)], place))
    return [things[place] for place in sorted(place for _, place in sorted(ranked)[:most])]
