"""LoadReport: what became of every parameter of a checkpoint and of the model, in one table."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from slowfast.weights.entries import UNREADABLE

_BLOCK = re.compile(r"\b(blocks|layer)\.\d+\.")
_NUMBER = re.compile(r"(?<=\.)\d+(?=\.)")


@dataclass(frozen=True)
class LoadReport:
    """What was loaded. Names are the model's, except those of dropped and unexpected parameters: they are the file's.

    path, naming:   the file, and whose parameter names it uses
    container:      the entry of the file that was read ("ema_state")
    averaged:       it is a running average of the weights
    others:         other sets of weights in the file, not taken: "model_state: raw weights"
    loaded:         all parameters that now hold values of the file, the renamed and resized ones included
    renamed:        name -> name in the file, where they differ by more than a prefix
    resized:        name -> "111x96 -> 127x96 (linear)"
    dropped:        name in the file -> why it is left out on purpose
    started:        name -> why it starts afresh on purpose
    missing:        names that the file should hold and does not
    unexpected:     names of the file that the model has no place for
    mismatched:     name -> sizes in the file and in the model that do not fit
    not_finite:     name in the file -> how many of its values are NaN or infinite
    class_names:    as the file gives them, in index order; empty when it does not
    """

    path: str
    naming: str
    container: str
    loaded: tuple[str, ...]
    renamed: dict[str, str]
    resized: dict[str, str]
    dropped: dict[str, str]
    started: dict[str, str]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    mismatched: dict[str, str]
    not_finite: dict[str, str]
    class_names: tuple[str, ...] = ()
    averaged: bool = False
    others: tuple[str, ...] = ()

    @property
    def complete(self) -> bool:
        """Nothing is missing, unexpected, of a wrong size or without a finite value."""
        return not (self.missing or self.unexpected or self.mismatched or self.not_finite)

    @property
    def _what(self) -> str:
        return ", ".join([self.container] * bool(self.container) + ["averaged weights"] * self.averaged)

    def choice(self, how: str) -> str:
        """One line about a file with several sets of weights: which was taken; "" for a file with one.

        how: what takes another one, "MODEL.CHECKPOINT_ENTRY in --cfg FILE"
        """
        if not self.others:
            return ""
        return f"weights {self.path}: {self._what or 'raw weights'}; not taken: {self._not_taken(how)}"

    def _not_taken(self, how: str) -> str:
        takes = any(not other.endswith(UNREADABLE) for other in self.others)
        return "; ".join(self.others) + f" ({how} takes one)" * takes

    def __str__(self) -> str:
        what = self._what
        lines = [f"weights {self.path}{f' ({what})' if what else ''}, names of {self.naming}:"]
        if self.others:
            lines.append(f"  not taken, though in the file: {self._not_taken('MODEL.CHECKPOINT_ENTRY')}")
        rows: list[tuple[str, int, list[str]]] = [
            ("loaded", len(self.loaded), []),
            ("renamed", len(self.renamed), _examples(self.renamed)),
            ("resized", len(self.resized), _groups(self.resized.items())),
            ("dropped on purpose", len(self.dropped), _groups(self.dropped.items())),
            ("started on purpose", len(self.started), _groups(self.started.items())),
            ("missing", len(self.missing), _groups((name, "") for name in self.missing)),
            ("unexpected", len(self.unexpected), _groups((name, "") for name in self.unexpected)),
            ("of a wrong size", len(self.mismatched), _groups(self.mismatched.items())),
        ]
        if self.not_finite:
            rows.append(("not finite", len(self.not_finite), _groups(self.not_finite.items())))
        most = len(self.loaded) + 12 if self.loaded else 12  # the names of a foreign network are no help in full
        for title, count, details in rows:
            lines.append(f"  {title:<18} {count:>4}")
            lines += [f"      {detail}" for detail in details[:most]]
            if len(details) > most:
                lines.append(f"      and {len(details) - most} more lines")
        return "\n".join(lines)


def _examples(renamed: dict[str, str]) -> list[str]:
    """Old and new names with the block numbers left out, each pair once."""
    pairs = {_BLOCK.sub(r"\1.N.", old): _BLOCK.sub(r"\1.N.", new) for new, old in renamed.items()}
    return [f"{old} -> {new}" for old, new in pairs.items()]


def _groups(named: Iterable[tuple[str, str]]) -> list[str]:
    """One line per parameter and reason; parameters that differ in one number, or in weight and bias, share a line."""
    groups: dict[tuple[str, str], tuple[list[int], list[str]]] = {}
    for name, why in named:
        number = _NUMBER.search(name)
        stem, _, leaf = _NUMBER.sub("{}", name, count=1).rpartition(".")
        numbers, leaves = groups.setdefault((stem, why), ([], []))
        if number and int(number[0]) not in numbers:
            numbers.append(int(number[0]))
        if leaf not in leaves:
            leaves.append(leaf)
    lines = []
    for (stem, why), (numbers, leaves) in groups.items():
        text = stem.format(_braced(numbers)) if numbers else stem
        text = f"{text}.{_braced(leaves)}" if text else _braced(leaves)
        lines.append(f"{text}: {why}" if why else text)
    return lines


def _braced(items: list) -> str:
    return str(items[0]) if len(items) == 1 else "{" + ",".join(map(str, items)) + "}"
