"""Classes that a mirrored clip exchanges: `walk left` looks like `walk right`, and training must be told so."""

import re
from collections.abc import Sequence

from slowfast.preparation.faults import Faults

_SIDES = {"left": "right", "right": "left"}
_WORD = re.compile(r"left|right", re.IGNORECASE)
_SHOWN = 5


def mirror_pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of names that differ in left and right alone, each pair once, in the order of `names`."""
    by_name = {_key(name): name for name in names}
    pairs = []
    for name in names:
        other = by_name.get(_WORD.sub(lambda found: _SIDES[found[0].lower()], _key(name)))
        if other is not None and other != name and (other, name) not in pairs:
            pairs.append((name, other))
    return pairs


def _key(name: str) -> str:
    return name.lower()


def check_mirrored(names: Sequence[str], swaps: Sequence[tuple[str, str]], advice: str, faults: Faults) -> None:
    """Report pairs that no swap names.

    names: of the model's classes; swaps: pairs that mirrored clips exchange; advice: what to do, for the report
    """
    told = {frozenset(pair) for pair in swaps}
    pairs = [pair for pair in mirror_pairs(names) if frozenset(pair) not in told]
    if pairs:
        shown = ", ".join(f"{first!r} and {second!r}" for first, second in pairs[:_SHOWN])
        more = f" and {len(pairs) - _SHOWN} more" if len(pairs) > _SHOWN else ""
        faults.add("mirrored class", f"{shown}{more}: half of the training clips are mirrored, and {advice}")
