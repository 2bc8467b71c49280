"""Names of classes: files that list them, and what numbers or names a list of videos may use for them."""

import csv
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from slowfast.utils.reading import names_its_file, reading
from slowfast.utils.text import read_text

_NUMBERED = re.compile(r"(\d+)[\s,;]+(\S.*)")
_CSV_HEADER = ["id", "name"]


def numbers_as_names(count: int) -> tuple[str, ...]:
    """("0", "1", ...): what classes are called that a list only numbers."""
    return tuple(str(index) for index in range(count))


@names_its_file()
def read_class_names(path: str | Path) -> tuple[str, ...]:
    """The names of a file in index order. Which of these it is shows in its text:

    - a JSON object {name: index}, PySlowFast's; quotes around a name are taken off
    - a JSON list of names
    - a CSV with the header `id,name`
    - lines `INDEX NAME`, where every line starts with a number
    - a name per line; the first has index 0

    Raises FileNotFoundError, or ValueError naming the file: fewer than two names, a name given twice, indices that are
    not 0 to n - 1, and a name that reads as the index of another class.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file (DATA.LABEL_FILE)")
    text = read_text(path)
    if text.lstrip()[:1] in ("{", "["):
        names = _from_json(path, text)
    else:
        names = _from_lines(path, [line.strip() for line in text.splitlines() if line.strip()])
    if len(names) < 2:
        raise ValueError(f"{path}: {len(names)} class names, and a classifier needs at least 2 (DATA.LABEL_FILE)")
    seen: set[str] = set()
    for index, name in enumerate(names):
        if not name or name in seen:
            raise ValueError(f"{path}: class {index} is called {name!r}, " + ("as another one" if name else "nothing"))
        if name.isdecimal() and int(name) != index:
            raise ValueError(f"{path}: class {index} is called {name!r}, which reads as the index of another class")
        seen.add(name)
    return names


def _from_json(path: Path, text: str) -> tuple[str, ...]:
    with reading(path, "starts as JSON does and is none (DATA.LABEL_FILE)"):
        content = json.loads(text)
    if isinstance(content, list) and all(isinstance(name, str) for name in content):
        return tuple(name.strip().strip('"') for name in content)
    if isinstance(content, dict):
        return _by_index(path, [(str(index), name) for name, index in content.items()])
    raise ValueError(f"{path}: expected {{name: index}} or a list of names, found {_shown(content)} (DATA.LABEL_FILE)")


def _shown(content: Any) -> str:
    return json.dumps(content)[:80]


def _from_lines(path: Path, lines: list[str]) -> tuple[str, ...]:
    if lines and [word.strip().lower() for word in lines[0].split(",")] == _CSV_HEADER:
        rows = list(csv.reader(lines[1:]))
        for number, row in enumerate(rows, start=2):
            if len(row) != 2:
                raise ValueError(f"{path}:{number}: expected id,name (quotes around a name with a comma), found {row}")
        return _by_index(path, [(index, name) for index, name in rows])
    matches = [_NUMBERED.fullmatch(line) for line in lines]
    if lines and all(matches):
        return _by_index(path, [(match[1], match[2]) for match in matches if match])
    return tuple(lines)


def _by_index(path: Path, rows: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """(index, name) pairs in any order -> names in index order."""
    names: dict[int, str] = {}
    for index, name in rows:
        if not index.strip().isdecimal():
            raise ValueError(f"{path}: the index of {name!r} is {index!r}, expected a number from 0 (DATA.LABEL_FILE)")
        if int(index) in names:
            raise ValueError(f"{path}: {names[int(index)]!r} and {name!r} both have index {index} (DATA.LABEL_FILE)")
        names[int(index)] = name.strip().strip('"')
    gone = sorted(set(range(len(names))) - set(names))
    if gone:
        raise ValueError(
            f"{path}: {len(names)} classes need indices 0 to {len(names) - 1}, and {gone[0]} is not there; the largest "
            f"is {max(names)} (DATA.LABEL_FILE)"
        )
    return tuple(names[index] for index in range(len(names)))
