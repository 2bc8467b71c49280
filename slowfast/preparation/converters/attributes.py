"""Which attributes of a labelling tool's boxes tell actions, which do not, and where actions go on the way back.

Tools let people say more of a box than what its actor does: hidden or not, a number, a name. Which of it is an action only
the user knows: `--actions-from`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

AUTO, ATTRIBUTES, LABEL = "auto", "attributes", "label"
ACTION = "action"  # the attribute that is written where none was chosen
ACTOR = "actor"  # the label that is written where actions are no labels
_SHOWN = 12


@dataclass(frozen=True)
class Attribute:
    """What the boxes of a file say under one name.

    name:     as the tool shows it; "label" for the label of a track or region itself
    used:     its values are actions
    values:   in the order in which they were met
    is_label: it is no attribute, but that label
    """

    name: str
    used: bool
    values: tuple[str, ...] = ()
    is_label: bool = False

    @property
    def what(self) -> str:
        return "the label" if self.is_label else f"attribute {self.name}"


def chosen_names(actions_from: str) -> tuple[str, ...]:
    """Names of `--actions-from`; none where it is "auto" or "attributes". Raises ValueError for an empty one."""
    if actions_from in (AUTO, ATTRIBUTES):
        return ()
    names = tuple(dict.fromkeys(name.strip() for name in actions_from.split(",")))
    if not all(names):
        raise ValueError(f"--actions-from {actions_from!r}: a name between commas is empty")
    return names


class Told:
    """Collects what the boxes of a file say while it is read.

    actions_from: as in `Options`; auto: what "auto" stands for in this file, ATTRIBUTES or LABEL
    Names are compared without regard to case. Where boxes have a label, "label" is that, whatever attributes are called.
    """

    def __init__(self, actions_from: str, auto: str = ATTRIBUTES) -> None:
        self._wanted = auto if actions_from == AUTO else actions_from
        self._names = {name.lower() for name in chosen_names(self._wanted)}
        self._found: dict[str, dict[str, None]] = {}
        self._labels: dict[str, None] = {}

    def names(self, name: str) -> bool:
        """Was this attribute chosen by its name?"""
        return name.lower() in self._names

    def exists(self, name: str) -> None:
        """The file knows such an attribute, whether or not a box has it."""
        self._found.setdefault(name, {})

    def actions(self, name: str, values: Iterable[str]) -> list[str]:
        """What a box says in an attribute -> those of it that are actions: all, or none."""
        values = [value for value in values if value]
        self._found.setdefault(name, {}).update(dict.fromkeys(values))
        return values if self._used(name) else []

    def label(self, values: Iterable[str]) -> list[str]:
        """As `actions`, of the label of a track or region."""
        values = [value for value in values if value]
        self._labels.update(dict.fromkeys(values))
        return values if self.names(LABEL) else []

    def _used(self, name: str) -> bool:
        if self._wanted == ATTRIBUTES:
            return True
        return self.names(name) and not (self._labels and name.lower() == LABEL)

    @property
    def attributes(self) -> tuple[Attribute, ...]:
        found = [Attribute(name, self._used(name), tuple(values)) for name, values in self._found.items()]
        if self._labels:
            found.append(Attribute(LABEL, self.names(LABEL), tuple(self._labels), is_label=True))
        return tuple(found)


def merged(parts: Iterable[Sequence[Attribute]]) -> tuple[Attribute, ...]:
    """The attributes of several files, each name once."""
    found: dict[tuple[str, bool], Attribute] = {}
    for one in (attribute for attributes in parts for attribute in attributes):
        before = found.get((one.name, one.is_label), one)
        values = tuple(dict.fromkeys((*before.values, *one.values)))
        found[one.name, one.is_label] = replace(one, used=before.used or one.used, values=values)
    return tuple(found.values())


def check_chosen(actions_from: str, there: Sequence[Attribute], source: str) -> None:
    """Raises ValueError for a chosen name that no file has. source: the files, for the message."""
    known = {one.name.lower() for one in there}
    gone = [name for name in chosen_names(actions_from) if name.lower() not in known]
    if gone:
        have = ", ".join(one.name for one in there if not one.is_label) or "none"
        labels = next((one.values for one in there if one.is_label), ())
        also = f"; {LABEL} takes the labels ({_some(labels)})" if labels else ""
        raise ValueError(
            f"{source}: no box has an attribute {', '.join(map(repr, gone))} (--actions-from); there are {have}{also}"
        )


def report(there: Sequence[Attribute], actions: Sequence[tuple[str, ...]], actions_from: str) -> str:
    """What became classes and what did not, a line each. actions: of every box that was written.

    A class that two attributes tell is counted for both.
    """
    lines = []
    for one in there:
        if one.used:
            mine = set(one.values)
            counts = {value: sum(value in does for does in actions) for value in one.values}
            boxes = sum(bool(mine & set(does)) for does in actions)
            lines.append(
                f"actions from {one.what}: {boxes} boxes ({_some([f'{v}: {n}' for v, n in counts.items()]) or 'no value'})"
            )
        else:
            lines.append(f"no actions from {one.what} ({_some(one.values) or 'no value'})")
    if len(there) > 1 and actions_from == AUTO:
        labels = f", {LABEL} takes the label" if any(one.is_label and not one.used for one in there) else ""
        lines.append(f"--actions-from NAME[,NAME] chooses among attributes{labels}")
    return "\n".join(lines)


def _some(values: Sequence[str]) -> str:
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return ", ".join(values[:_SHOWN]) + more


def homes(classes: Sequence[str], there: Sequence[Attribute], actions_from: str) -> dict[str, str]:
    """{class: the attribute that it is written into}, "label" for the label of a track or region.

    Without names all classes go into the attribute "action". With names a class goes into the one that told it when it was
    read, else into the one of its own name (a checkbox, spelled as the class), else into the one that is left.
    Raises ValueError where more than one is left, or none.
    """
    names = chosen_names(actions_from)
    if not names:
        return dict.fromkeys(classes, ACTION)
    own = {value: one.name for one in there if one.used for value in one.values}
    boxes = {name.lower() for name in names}
    found = {c: own.get(c) or (c if c.lower() in boxes else "") for c in classes}
    rest = [name for name in names if name.lower() not in {c.lower() for c in classes}]
    free = [c for c, home in found.items() if not home]
    if free and len(rest) != 1:
        raise ValueError(
            f"--actions-from {actions_from}: {_some(free)} must be written into one attribute, and "
            + (f"{', '.join(rest)} are several" if rest else "each of these is a class itself")
            + ": name one attribute that takes them, beside those that are called as a class"
        )
    return {c: home or rest[0] for c, home in found.items()}
