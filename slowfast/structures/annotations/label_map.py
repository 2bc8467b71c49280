"""LabelMap: the one place that turns action ids into class indices and names, and back."""

import csv
import json
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from slowfast.structures.annotations.label_blocks import BEGINS_BLOCKS, read_blocks
from slowfast.utils.files import write_text
from slowfast.utils.reading import reading, reason_of
from slowfast.utils.text import read_text

_NUMBERED = re.compile(r"(\d+)\s*[:,;\t ]\s*(\S.*)")
_PAIR = "<->"  # between two classes that a mirrored clip exchanges
MAX_ID = 2**31 - 1  # ids are 32-bit integers in tables of boxes
_FORMATS = "a .pbtxt with `item { name id }` blocks, JSON, a CSV with the header id,name, or a name per line"


@dataclass(frozen=True)
class LabelMap:
    """Classes in index order. Ids are what files write (from 1, gaps allowed); indices 0..C-1 are what the model uses.

    swaps: pairs of ids that a mirrored clip exchanges, such as those of "walk left" and "walk right"
    """

    ids: tuple[int, ...]
    names: tuple[str, ...]
    swaps: tuple[tuple[int, int], ...] = ()

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.names):
            raise ValueError(f"a label map needs one name per id, got {len(self.ids)} ids and {len(self.names)} names")
        if not self.ids:
            raise ValueError("a label map needs at least one class")
        repeated = sorted(i for i, count in Counter(self.ids).items() if count > 1)
        if repeated:
            raise ValueError(f"label map repeats class ids {repeated}")
        if min(self.ids) < 1:
            raise ValueError(f"class ids start at 1, got {min(self.ids)}")
        if max(self.ids) > MAX_ID:
            raise ValueError(f"class ids go up to {MAX_ID}, got {max(self.ids)}")
        swapped = [i for pair in self.swaps for i in pair]
        if not set(swapped) <= set(self.ids) or len(set(swapped)) != len(swapped):
            raise ValueError(f"each class can be exchanged with one other, got the pairs of ids {list(self.swaps)}")

    @property
    def num_classes(self) -> int:
        return len(self.ids)

    @cached_property
    def _sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """The ids in ascending order, and the index of each."""
        order = np.argsort(np.asarray(self.ids, dtype=np.int64), kind="stable")
        return np.asarray(self.ids, dtype=np.int64)[order], order.astype(np.int64)

    def to_index(self, ids: np.ndarray) -> np.ndarray:
        """Action ids (any shape) -> class indices of the same shape; -1 where the map does not hold the id."""
        ids = np.asarray(ids, dtype=np.int64)
        known, index = self._sorted
        place = np.minimum(np.searchsorted(known, ids), len(known) - 1)
        return np.where(known[place] == ids, index[place], -1)

    def subset(self, ids: tuple[int, ...] | list[int]) -> "LabelMap":
        """The map restricted to `ids`, in the order given."""
        unknown = [i for i in ids if i not in self.ids]
        if unknown:
            raise ValueError(f"class ids {unknown} are not in the label map; it has {list(self.ids)}")
        swaps = tuple(pair for pair in self.swaps if set(pair) <= set(ids))
        return LabelMap(tuple(ids), tuple(self.names[self.ids.index(i)] for i in ids), swaps)

    def parted_by(self, ids: Sequence[int]) -> list[tuple[str, str]]:
        """(name of a class among `ids`, name of the one that a mirrored clip of it shows and that is not among them)."""
        names = dict(zip(self.ids, self.names, strict=True))
        both = [*self.swaps, *((b, a) for a, b in self.swaps)]
        return sorted((names[kept], names[gone]) for kept, gone in both if kept in ids and gone not in ids)

    def ids_of(self, classes: Sequence[int | str]) -> tuple[int, ...]:
        """Ids of classes given by id or by name. Raises ValueError for a name that the map lacks, or has twice."""
        ids = []
        for one in classes:
            if isinstance(one, int):
                ids.append(one)
                continue
            found = [i for i, name in zip(self.ids, self.names, strict=True) if name == one]
            if len(found) != 1:
                what = f"is the name of {len(found)} classes: give the id" if found else "is no class of the label map"
                raise ValueError(f"{one!r} {what}; it has {', '.join(self.names[:20])}")
            ids += found
        return tuple(ids)


def read_label_map(path: str | Path) -> LabelMap:
    """Read a label map; which of these it is shows in its text:

    - `.pbtxt`, blocks: `item { name: "..." id: N }` or `label { name: "..." label_id: N }`, maybe with `swap: "NAME"`
    - JSON: {"NAME": ID}, or ["NAME", ...] with ids from 1, or [{"id": ID, "name": "NAME"}, ...], maybe with "swap": "NAME",
      or an object that has such a list as "categories" (COCO)
    - CSV with the header `id,name` or `id,name,swap`
    - text: a line `ID NAME` a class, or a name a line with ids from 1; a line `NAME <-> NAME` is a pair to be swapped
    `swap` names the class that a mirrored clip shows in place of this one; one of the two need say so.

    Raises FileNotFoundError, or ValueError naming the file when it holds no class or an entry lacks its name or id.
    """
    path, text = Path(path), read_text(path)
    with reading(path):
        if path.suffix == ".pbtxt" or BEGINS_BLOCKS.match(text):
            rows = _from_blocks(text)
        elif text.lstrip()[:1] in ("{", "["):
            rows = _from_json(text)
        else:
            rows = _from_lines(text)
        ids, names = tuple(row[0] for row in rows), tuple(row[1] for row in rows)
        pairs = [(names[k], row[2]) for k, row in enumerate(rows) if row[2]]
        return LabelMap(ids, names, _swaps(LabelMap(ids, names), pairs))


Row = tuple[int, str, str]  # id, name, the class it is swapped with or ""


def _swaps(label_map: LabelMap, pairs: Sequence[tuple[str, str]]) -> tuple[tuple[int, int], ...]:
    """(name, name) pairs, in both directions or one -> pairs of ids, each once."""
    ids = [tuple(sorted(label_map.ids_of(pair))) for pair in pairs]
    return tuple((pair[0], pair[-1]) for pair in dict.fromkeys(ids))


def _from_blocks(text: str) -> list[Row]:
    rows = read_blocks(text)
    if not rows:
        raise ValueError(
            "no `item { name id }` or `label { name label_id }` block found; is it a label map? It may be " + _FORMATS
        )
    return rows


def _from_json(text: str) -> list[Row]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"starts as JSON does and is none: {reason_of(error)}") from None
    if isinstance(content, dict) and isinstance(content.get("categories"), list):
        content = content["categories"]
    if isinstance(content, dict):
        return [_row(index, name) for name, index in content.items()]
    if all(isinstance(entry, str) for entry in content):
        return [(number, name, "") for number, name in enumerate(content, start=1)]
    if all(isinstance(entry, dict) and {"id", "name"} <= set(entry) for entry in content):
        return [_row(entry["id"], entry["name"], entry.get("swap") or "") for entry in content]
    raise ValueError('expected {"NAME": ID}, a list of names, or a list of {"id": ID, "name": "NAME"}')


def _row(class_id: object, name: object, swap: object = "") -> Row:
    text = str(class_id).strip()
    if not text.isdecimal() or isinstance(class_id, bool) or not str(name).strip():
        raise ValueError(
            f"each class needs a name and an id, a whole number from 1; found id {class_id!r}, name {name!r}"
        )
    return int(text), str(name).strip(), str(swap).strip()


def _is_row_of_a_table(line: str) -> bool:
    """Does a number follow the first comma, as in annotations?"""
    return re.fullmatch(r"[^,]*,\s*[0-9.]+\s*(,.*)?", line) is not None


def _from_lines(text: str) -> list[Row]:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if lines and [word.strip().lower() for word in lines[0].split(",")] in (["id", "name"], ["id", "name", "swap"]):
        width = lines[0].count(",") + 1
        table = list(csv.reader(lines[1:]))
        wrong = next((n for n, row in enumerate(table, start=2) if not 2 <= len(row) <= width), 0)
        if wrong:
            raise ValueError(
                f"line {wrong}: expected {lines[0]} (quotes around a name with a comma), found {lines[wrong - 1]}"
            )
        return [_row(*row) for row in table]
    if lines and all(_is_row_of_a_table(line) for line in lines):
        raise ValueError(
            f"its lines are rows of a table, such as {lines[0][:60]!r}; is it a label map? It may be {_FORMATS}"
        )
    partner: dict[str, str] = {}
    for line in [line for line in lines if _PAIR in line]:
        first, _, second = line.partition(_PAIR)
        partner[first.strip()] = second.strip()
    names = [line for line in lines if _PAIR not in line]
    matches = [_NUMBERED.fullmatch(line) for line in names]
    numbered = bool(names) and all(matches)
    rows = [(int(m[1]), m[2]) for m in matches if m] if numbered else list(enumerate(names, start=1))
    if not rows:
        raise ValueError(f"no class found; a label map may be {_FORMATS}")
    if gone := sorted(set(partner) - {name for _, name in rows}):
        raise ValueError(f"{gone[0]!r} {_PAIR} ...: there is no class of this name")
    return [(class_id, name, partner.get(name, "")) for class_id, name in rows]


def write_label_map(label_map: LabelMap, path: str | Path) -> None:
    """Write `item { name: "..." id: N }` blocks; `read_label_map` reads them back unchanged."""
    names = {i: re.sub(r'(["\\])', r"\\\1", name) for i, name in zip(label_map.ids, label_map.names, strict=True)}
    swap = {a: f'  swap: "{names[b]}"\n' for a, b in label_map.swaps}
    blocks = (f'item {{\n  name: "{name}"\n  id: {i}\n{swap.get(i, "")}}}\n' for i, name in names.items())
    write_text("".join(blocks), path)
