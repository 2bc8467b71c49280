"""The keys in which two configurations differ, and which of them a trained model forbids."""

from collections.abc import Collection, Iterator, Mapping
from pathlib import PurePath
from typing import Any, NamedTuple

import yaml
from fvcore.common.config import CfgNode

from slowfast.config.effects import EFFECTS, FILES, Effect
from slowfast.config.foreign.aliases import ALIASES
from slowfast.config.keys import show
from slowfast.config.load import SCHEMA


class Difference(NamedTuple):
    """A key, its value now and the one it had."""

    key: str
    now: Any
    was: Any

    def __str__(self) -> str:
        return f"{self.key} is {show(self.now)}, it was {show(self.was)}"


def read_dump(text: str) -> dict[str, Any] | None:
    """Dotted key -> value of a configuration that a run of this project wrote, under the present names of its keys.

    None where the text is no such thing: empty, broken, or written by PySlowFast, whose files have other keys.
    A key that it lacks is younger than the file, and has its default; one that is no more is left out.
    """
    try:
        tree = yaml.safe_load(text)
    except yaml.YAMLError:
        return None
    if not isinstance(tree, dict) or not isinstance(tree.get("BMVIT"), dict):
        return None
    values = {name: key.convert(key.default) for name, key in SCHEMA.items()}
    for name, value in _flat(tree, SCHEMA):
        alias = ALIASES.get(name)
        name, value = (name, value) if alias is None else (alias.key, alias.value(value))
        if name in SCHEMA:
            try:
                values[name] = SCHEMA[name].convert(value)
            except ValueError:  # of a kind that this key no longer takes: it shows as a difference
                values[name] = value
    return values


def flat(cfg: CfgNode) -> dict[str, Any]:
    """Dotted key -> value."""
    return dict(_flat(cfg, SCHEMA))


def _flat(tree: Mapping[str, Any], keys: Collection[str], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and f"{prefix}{name}" not in keys:
            yield from _flat(value, keys, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def differences(now: Mapping[str, Any], was: Mapping[str, Any]) -> list[Difference]:
    """Keys with another value, in the order of the schema. What is in one of the two only is None in the other."""
    names = [*SCHEMA, *sorted({*now, *was} - set(SCHEMA))]
    return [
        Difference(name, now.get(name), was.get(name))
        for name in names
        if (name in now or name in was) and now.get(name) != was.get(name)
    ]


def forbidden(found: Collection[Difference], effects: Collection[Effect]) -> list[Difference]:
    """Those whose key has one of `effects`. A file with the same name in another folder has moved, and is none."""
    return [one for one in found if EFFECTS[one.key] in effects and not _moved(one)]


def _moved(one: Difference) -> bool:
    return one.key in FILES and _names(one.now) == _names(one.was)


def _names(files: Any) -> list[str]:
    return [PurePath(str(file)).name for file in (files if isinstance(files, list) else [files])]
