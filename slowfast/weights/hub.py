"""What lies beside weights in a folder as model hubs have it: config.json and the card."""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

_SAID = re.compile(r"^sha256: *([0-9a-f]{64}) *$", re.MULTILINE)


def config_beside(path: Path) -> dict[str, Any]:
    """What a config.json of `bmvit export` beside the weights tells: programs that write safetensors again often lose
    what the file itself told. Empty where there is none, or it is of another project."""
    content = _config(path.with_name("config.json"))
    if not content:
        return {}
    labels = content.get("id2label", {})
    names = [labels[str(i)] for i in range(len(labels))]
    return {"cfg": content.get("cfg", ""), "class_names": names, "class_ids": content.get("class_ids", [])}


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
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} beside the weights is no JSON ({str(error).splitlines()[0]})") from None
    return content if isinstance(content, dict) and content.get("model_type") == "bmvit" else {}
