"""What lies beside weights in a folder as model hubs have it: config.json and the card."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from slowfast.utils.reading import reading

_SAID = re.compile(r"^sha256: *([0-9a-f]{64}) *$", re.MULTILINE)


def config_beside(path: Path) -> dict[str, Any]:
    """What a config.json of `bmvit export` beside the weights tells: programs that write safetensors again often lose
    what the file itself told. Empty where there is none, or it is of another project."""
    file = path.with_name("config.json")
    content = _config(file)
    if not content:
        return {}
    with reading(file, "beside the weights, cannot be read"):
        labels = content.get("id2label", {})
        names = list_of(str, [labels[str(i)] for i in range(len(labels))])
        ids = list_of(int, content.get("class_ids"))
        return {"cfg": text_of(content.get("cfg")), "class_names": names, "class_ids": ids}


def list_of(kind: type, value: Any) -> tuple:
    """The names or ids of classes that a file tells, () where it tells none. Raises ValueError for anything else."""
    if value is None:
        return ()
    if not isinstance(value, list | tuple) or not all(type(one) is kind for one in value):
        entry, items = ("class_names", "texts") if kind is str else ("class_ids", "whole numbers")
        shown = repr(value)[:60] if isinstance(value, str | int | float | list | tuple | dict) else type(value).__name__
        raise ValueError(f"its {entry} are no list of {items}, but {shown}")
    return tuple(value)


def text_of(value: Any) -> str:
    """A text of a file, "" for anything else."""
    return value if isinstance(value, str) else ""


def refuse_other_than_told(path: Path) -> None:
    """Raises ValueError where config.json or the card (README.md) beside the weights of an export of ours tell of a file
    with another SHA-256."""
    told = {path.with_name("config.json"): str(_config(path.with_name("config.json")).get("sha256", ""))}
    card = path.with_name("README.md")
    if card.is_file() and (said := _SAID.search(card.read_text(encoding="utf-8", errors="replace"))):
        told[card] = said[1]
    told = {file: sha for file, sha in told.items() if sha}
    if not told:
        return
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    for file, sha in told.items():
        if sha != found:
            raise ValueError(
                f"{path} is not the file that {file.name} beside it describes (SHA-256 {found[:12]}, and it says "
                f"{sha[:12]}): get both again from one place; if you changed the weights on purpose, remove sha256 from "
                f"{file.name}"
            )


def _config(file: Path) -> dict[str, Any]:
    """config.json of an export of ours, else empty."""
    if not file.is_file():
        return {}
    with reading(file, "beside the weights, cannot be read"):
        content = json.loads(file.read_text(encoding="utf-8"))
    return content if isinstance(content, dict) and content.get("model_type") == "bmvit" else {}
