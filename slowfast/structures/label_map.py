"""LabelMap: the one place that turns action ids into class indices and names, and back."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from slowfast.utils.files import write_text
from slowfast.utils.text import read_text

# Text in quotes, with backslash escapes: braces and keys inside it are part of a name.
_TEXT = r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\''
_BLOCK = re.compile(rf"(?:item|label)\s*{{((?:{_TEXT}|[^}}])*?)}}")
_NAME = re.compile(rf"\bname\s*:\s*({_TEXT})")
_ID = re.compile(r"\b(?:label_)?id\s*:\s*(\d+)")
_QUOTED = re.compile(_TEXT)
_ESCAPE = re.compile(r"\\(.)")


@dataclass(frozen=True)
class LabelMap:
    """Classes in index order. Ids are what files write (from 1, gaps allowed); indices 0..C-1 are what the model uses."""

    ids: tuple[int, ...]
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.ids) != len(self.names):
            raise ValueError(f"a label map needs one name per id, got {len(self.ids)} ids and {len(self.names)} names")
        if not self.ids:
            raise ValueError("a label map needs at least one class")
        repeated = sorted({i for i in self.ids if self.ids.count(i) > 1})
        if repeated:
            raise ValueError(f"label map repeats class ids {repeated}")
        if min(self.ids) < 1:
            raise ValueError(f"class ids start at 1, got {min(self.ids)}")

    @property
    def num_classes(self) -> int:
        return len(self.ids)

    @cached_property
    def _index_of_id(self) -> np.ndarray:
        table = np.full(max(self.ids) + 1, -1, dtype=np.int64)
        table[np.asarray(self.ids)] = np.arange(len(self.ids))
        return table

    def to_index(self, ids: np.ndarray) -> np.ndarray:
        """Action ids (any shape) -> class indices of the same shape; -1 where the map does not hold the id."""
        ids = np.asarray(ids, dtype=np.int64)
        inside = (ids >= 0) & (ids < len(self._index_of_id))
        return np.where(inside, self._index_of_id[np.where(inside, ids, 0)], -1)

    def subset(self, ids: tuple[int, ...] | list[int]) -> "LabelMap":
        """The map restricted to `ids`, in the order given."""
        unknown = [i for i in ids if i not in self.ids]
        if unknown:
            raise ValueError(f"class ids {unknown} are not in the label map; it has {list(self.ids)}")
        return LabelMap(tuple(ids), tuple(self.names[self.ids.index(i)] for i in ids))


def read_label_map(path: str | Path) -> LabelMap:
    """Read a `.pbtxt` label map: `item { name: "..." id: N }` or `label { name: "..." label_id: N }` blocks.

    Raises FileNotFoundError, or ValueError naming the file when it holds no class or a block lacks its name or id.
    """
    text = read_text(path)
    ids, names = [], []
    for number, block in enumerate(_BLOCK.findall(text), start=1):
        name = _NAME.search(block)
        class_id = _ID.search(_QUOTED.sub("", block))  # a name may hold anything, `id: 7` too
        if name is None or class_id is None:
            raise ValueError(f"{path}: entry {number} needs both a name and an id, found {block.strip()!r}")
        names.append(_ESCAPE.sub(r"\1", name.group(1)[1:-1]))
        ids.append(int(class_id.group(1)))
    if not ids:
        raise ValueError(
            f"{path}: no `item {{ name id }}` or `label {{ name label_id }}` block found; is it a label map?"
        )
    try:
        return LabelMap(tuple(ids), tuple(names))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def write_label_map(label_map: LabelMap, path: str | Path) -> None:
    """Write `item { name: "..." id: N }` blocks; `read_label_map` reads them back unchanged."""
    names = (re.sub(r'(["\\])', r"\\\1", name) for name in label_map.names)
    blocks = (f'item {{\n  name: "{name}"\n  id: {i}\n}}\n' for i, name in zip(label_map.ids, names, strict=True))
    write_text("".join(blocks), path)
