"""From a YAML file and overrides to a frozen, validated config tree; knows where every value came from."""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import yaml
from fvcore.common.config import BASE_KEY, CfgNode

from slowfast.config.foreign import image_mvit
from slowfast.config.foreign.aliases import ALIASES, DETECTION_SWITCH, present
from slowfast.config.foreign.pyslowfast import ACCEPTED, RENAMED, TIED
from slowfast.config.foreign.pyslowfast_differences import read_as_dumped, what_it_would_compute
from slowfast.config.keys import BOOL, MOST_BRACKETS, Key, PlainText, decode, is_plain, plain_from_node, show
from slowfast.config.sections.augmentation import AUG, MIXUP
from slowfast.config.sections.ava import AVA
from slowfast.config.sections.bmvit import BMVIT
from slowfast.config.sections.data import DATA, DATA_LOADER
from slowfast.config.sections.detection import DETECTION
from slowfast.config.sections.frame_cnn import FRAME_CNN
from slowfast.config.sections.jhmdb import JHMDB
from slowfast.config.sections.masked import MASK
from slowfast.config.sections.matching import LOSS, MATCHER
from slowfast.config.sections.model import MODEL
from slowfast.config.sections.mvit import MVIT
from slowfast.config.sections.solver import SOLVER
from slowfast.config.sections.system import TENSORBOARD, TOP
from slowfast.config.sections.test import TEST
from slowfast.config.sections.train import TRAIN
from slowfast.config.sections.tubes import TUBES
from slowfast.config.sections.ucf24 import UCF24
from slowfast.config.shipped import find_config, where_configs_are_sought
from slowfast.config.validate import find_problems
from slowfast.utils.reading import reason_of

SECTIONS = (
    *(TOP, MODEL, MVIT, FRAME_CNN, BMVIT, DETECTION, MATCHER, LOSS, SOLVER, TRAIN, TEST, DATA, DATA_LOADER),
    *(AUG, MIXUP, MASK, AVA, JHMDB, UCF24, TUBES, TENSORBOARD),
)
SCHEMA: dict[str, Key] = {name: key for section in SECTIONS for name, key in section.dotted().items()}
COMMAND_LINE = "command line"
DEFAULT = "default"

_KNOWN_SECTIONS = {
    name.rsplit(".", depth)[0]
    for name in (*SCHEMA, *ACCEPTED, *TIED, *ALIASES)
    for depth in range(1, name.count(".") + 1)
}


class Entry(NamedTuple):
    """One value that somebody gave. source: "FILE:LINE" or "command line"."""

    key: str
    value: Any
    source: str


@dataclass(frozen=True)
class ConfigReport:
    """Where the values of a config came from.

    sources:  dotted key -> "default", "FILE:LINE" or "command line", for every key of the tree
    accepted: PySlowFast keys that were given and change nothing here -> why
    notes:    what else a user should know, one line each (a key written twice in one file)
    differing: those of `accepted` whose value makes PySlowFast compute something else than this run -> what and why
    """

    sources: dict[str, str]
    accepted: dict[str, str]
    notes: tuple[str, ...]
    differing: dict[str, str] = field(default_factory=dict)

    @property
    def harmless(self) -> dict[str, str]:
        """Those of `accepted` whose value changes nothing in PySlowFast either."""
        return {name: why for name, why in self.accepted.items() if name not in self.differing}

    def lines(self) -> list[str]:
        """The report for a log: nothing when there is nothing to say, else one line per matter."""
        lines = list(self.notes)
        if self.harmless:
            names = ", ".join(sorted(self.harmless))
            if len(self.harmless) > 20:  # a config that PySlowFast dumped
                names = (
                    f"of {', '.join(sorted({name.split('.')[0] for name in self.harmless}))} (print_config lists them)"
                )
            lines.append(f"{len(self.harmless)} PySlowFast keys change nothing here: {names}")
        lines += [f"{name} changes what PySlowFast computes: {why}" for name, why in sorted(self.differing.items())]
        return lines


def get_cfg() -> CfgNode:
    """Returns a new tree of all keys at their defaults, not frozen."""
    return _tree({name: key.convert(key.default) for name, key in SCHEMA.items()})


def load_cfg(path: str | Path, overrides: Sequence[Any] = ()) -> CfgNode:
    """Reads a YAML file (with its `_BASE_`) and KEY VALUE overrides on top of the defaults.

    path: where there is no such file and it starts with configs/, the one that came with the package is read
    Returns a validated, frozen tree. ValueError lists every problem at once; FileNotFoundError when a file is missing.
    """
    return load_cfg_with_sources(path, overrides)[0]


def load_cfg_with_sources(path: str | Path, overrides: Sequence[Any] = ()) -> tuple[CfgNode, ConfigReport]:
    """As load_cfg, and tells where every value came from and which PySlowFast keys change nothing here."""
    entries, notes = _read_file(find_config(Path(path)), chain=())
    problems = []
    if len(overrides) % 2:
        problems.append(f"{overrides[-1]} lacks a value: it ends the overrides; write KEY VALUE KEY VALUE ...")
    entries += _read_overrides(overrides)
    given: dict[str, Entry] = {}
    for entry in filter(None, map(_under_its_present_name, entries)):
        given[entry.key] = entry  # the last one wins: base, file, command line
    problems += _resolve_detection(given)
    notes += _resolve_dump(given)

    accepted = {key: ACCEPTED[key] for key in given if key in ACCEPTED}
    values, sources, broken = {}, {}, set()
    for entry in given.values():
        if entry.key in SCHEMA:
            sources[entry.key] = entry.source
            try:
                values[entry.key] = _checked(entry)
            except ValueError as error:
                problems.append(str(error))
                broken.add(entry.key)
        elif problem := _problem_of_foreign_key(entry):
            problems.append(problem)

    cfg = _tree({name: values.get(name, key.convert(key.default)) for name, key in SCHEMA.items()})
    problems += find_problems(cfg, broken=broken)
    problems += _misspelt(cfg.CHANGED_ON_PURPOSE)
    if problems:
        raise ValueError("this config cannot run:" + "".join(f"\n  - {problem}" for problem in problems))
    cfg.freeze()
    differing = what_it_would_compute({key: decode(entry.value) for key, entry in given.items()}, cfg)
    sources = {name: sources.get(name, DEFAULT) for name in SCHEMA}
    return cfg, ConfigReport(sources, accepted, tuple(notes), differing)


# ----------------------------------------------------------------------------------------------------- old names


def _under_its_present_name(entry: Entry) -> Entry | None:
    """The entry as it is called here, with both names in its source; None where its value means that nothing is given."""
    found = present(entry.key, entry.value)
    if found is None:
        return None
    key, value, how = found
    return Entry(key, value, f"{how}, {entry.source}") if how else entry


def _resolve_dump(given: dict[str, Entry]) -> list[str]:
    """Takes back what PySlowFast has done to a config before writing it into a checkpoint; returns a note for each."""
    changes = read_as_dumped({key: decode(entry.value) for key, entry in given.items()})
    for key, (value, _) in changes.items():
        given[key] = Entry(key, value, f"{given[key].source}, as PySlowFast dumped it")
    return [note for _, note in changes.values() if note]


def _resolve_detection(given: dict[str, Entry]) -> list[str]:
    """PySlowFast's DETECTION.ENABLE True makes its MViT the TwoStage model; returns what is wrong with it."""
    switch = given.pop(DETECTION_SWITCH, None)
    if switch is None:
        return []
    try:
        enabled = BOOL.convert(switch.value)
    except ValueError:
        return [f"{DETECTION_SWITCH} must be {BOOL.text}, not {show(switch.value)} ({switch.source})"]
    name = given.get("MODEL.MODEL_NAME")
    model = SCHEMA["MODEL.MODEL_NAME"].default if name is None else name.value
    if enabled and model == "MViT":
        given["MODEL.MODEL_NAME"] = Entry("MODEL.MODEL_NAME", "TwoStage", f"{DETECTION_SWITCH}, {switch.source}")
    elif enabled and model == "BMViT":
        return [
            f"{DETECTION_SWITCH} (True) gives boxes to MODEL.MODEL_NAME MViT; BMViT finds its own ({switch.source})"
        ]
    elif not enabled and model == "TwoStage":
        return [f"{DETECTION_SWITCH} (False) contradicts MODEL.MODEL_NAME TwoStage; leave it out ({switch.source})"]
    return []


# ----------------------------------------------------------------------------------------------------- one value


def _checked(entry: Entry) -> Any:
    """Returns the converted value of a key of ours; ValueError with the message for the user."""
    key = SCHEMA[entry.key]
    try:
        value = key.convert(entry.value)
    except ValueError:
        hint = ""
        if isinstance(entry.value, str):
            got = f"the text {show(entry.value)}"
            if not is_plain(entry.value) and _convertible(key, PlainText(entry.value)):
                hint = "; remove the quotes"
        else:
            got = show(entry.value)
            if entry.value is not None and _convertible(key, str(entry.value)):
                hint = "; put it in quotes"
        raise ValueError(f"{entry.key} must be {key.kind.text}, not {got} ({entry.source}){hint}") from None
    if rule := key.broken_rule(value):
        raise ValueError(f"{entry.key} ({show(value)}) {rule} ({entry.source})")
    return value


def _convertible(key: Key, value: Any) -> bool:
    try:
        key.convert(value)
    except ValueError:
        return False
    return True


def _problem_of_foreign_key(entry: Entry) -> str | None:
    """What is wrong with a key that is not in our tree; None when it is accepted."""
    name, value, source = entry
    if name in ACCEPTED or (value is None and name in _KNOWN_SECTIONS):  # `AUG:` with nothing below it
        return None
    if name in TIED:
        tied = TIED[name]
        if decode(value) in tied.neutral:
            return None
        allowed = " or ".join(map(str, tied.neutral))
        return f"{name} ({show(value)}) must be {allowed} or left out: {tied.why} ({source})"
    if name in RENAMED:
        return f"{name} is called {RENAMED[name]} here ({source})"
    if name in _KNOWN_SECTIONS:
        return f"{name} is a section of keys, not a key; it cannot be {show(value)} ({source})"
    return f"{name} is not a key ({source}){_meant(nearest_keys(name))}"


def _misspelt(names: Iterable[str]) -> list[str]:
    """What is wrong with the keys that CHANGED_ON_PURPOSE lists."""
    return [
        f"CHANGED_ON_PURPOSE lists {name}, which is not a key{_meant(nearest_keys(name))}"
        for name in names
        if name not in SCHEMA
    ]


def _meant(nearest: Sequence[str]) -> str:
    return f"; did you mean {' or '.join(nearest)}?" if nearest else "; tools/print_config.py lists all keys"


def nearest_keys(name: str, *, count: int = 3) -> list[str]:
    """The keys of ours that a mistyped one may have meant, best first: alike as a whole, or alike in the last part."""
    typed, typed_last = name.upper(), name.upper().rsplit(".", 1)[-1]

    def likeness(key: str) -> tuple[bool, float]:
        return key.rsplit(".", 1)[-1] == typed_last, difflib.SequenceMatcher(None, key, typed).ratio()

    last_parts: dict[str, list[str]] = {}
    for key in SCHEMA:
        last_parts.setdefault(key.rsplit(".", 1)[-1], []).append(key)
    alike = set(difflib.get_close_matches(typed, SCHEMA, n=count, cutoff=0.75))
    for part in difflib.get_close_matches(typed_last, last_parts, n=count, cutoff=0.8):
        alike.update(last_parts[part])
    return sorted(alike, key=lambda key: (*likeness(key), key), reverse=True)[:count]


# ----------------------------------------------------------------------------------------------------- reading


def _read_overrides(overrides: Sequence[Any]) -> list[Entry]:
    """KEY VALUE KEY VALUE ... -> entries. Text is what was typed, so "1e-3" may be a number."""
    pairs = zip(overrides[0::2], overrides[1::2], strict=False)  # an odd one is reported by the caller
    return [
        Entry(str(key), PlainText(value) if isinstance(value, str) else value, COMMAND_LINE) for key, value in pairs
    ]


def _read_file(path: Path, *, chain: tuple[Path, ...]) -> tuple[list[Entry], list[str]]:
    """Entries of a YAML file, those of its `_BASE_` first, and notes. chain: the files that led here."""
    if path.suffix.lower() not in (".yaml", ".yml"):
        raise ValueError(f"config file {path} must be a .yaml or .yml file; Python configs are never run")
    if "\0" in str(path):
        raise ValueError(f"config file {str(path)!r}: no file has such a name")
    resolved = path.resolve()
    if resolved in (file.resolve() for file in chain):
        raise ValueError(f"{BASE_KEY} goes in a circle: " + " -> ".join(map(str, (*chain, path))))
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        wanted_by = f", the {BASE_KEY} of {chain[-1]}," if chain else ""
        sought = "" if chain else where_configs_are_sought(path)
        message = f"config file {path}{wanted_by} does not exist (working directory {Path.cwd()}{sought})"
        raise FileNotFoundError(message) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ValueError(f"config file {path} is not UTF-8 text, see line {line}; save it as UTF-8 ({error})") from None

    own, notes = _parse(text, str(path))
    if not own:
        notes.append(f"config file {path} {'holds no key' if text.strip() else 'is empty'}: it changes no default")
    if image_mvit.is_layout_of({entry.key: decode(entry.value) for entry in own}):
        read, note = image_mvit.translate([(entry.key, decode(entry.value), entry.source) for entry in own], str(path))
        own, notes = [Entry(*entry) for entry in read], [*notes, note]
    entries = []
    for entry in own:
        if entry.key == BASE_KEY:
            for base in _base_files(entry):
                base_path = Path(base).expanduser()
                if not base_path.is_absolute():
                    base_path = _without_dots(path.parent / base_path)
                base_entries, base_notes = _read_file(base_path, chain=(*chain, path))
                entries += base_entries
                notes = base_notes + notes
    return entries + [entry for entry in own if entry.key != BASE_KEY], notes


def _without_dots(path: Path) -> Path:
    """`configs/AVA/../Kinetics/a.yaml` as `configs/Kinetics/a.yaml`, unless a link on the way makes it another file."""
    parts: list[str] = []
    for part in path.parts:
        if part == ".." and parts and parts[-1] not in ("..", "/"):
            parts.pop()
        else:
            parts.append(part)
    shorter = Path(*parts)
    return shorter if shorter.resolve() == path.resolve() else path


def _base_files(entry: Entry) -> list[str]:
    files = entry.value if isinstance(entry.value, list) else [entry.value]
    if not all(isinstance(file, str) for file in files):
        raise ValueError(f"{BASE_KEY} must be a file name or a list of them, not {show(entry.value)} ({entry.source})")
    return files


def _parse(text: str, name: str) -> tuple[list[Entry], list[str]]:
    """Entries of YAML text in its order, with their lines, and a note for each key it has twice. Safe tags only."""
    if sum(map(text.count, "[{")) > MOST_BRACKETS:
        raise ValueError(f"config file {name} has more than {MOST_BRACKETS} brackets, and no config has as many")
    try:
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=yaml.SafeLoader)):
            raise ValueError(f"config file {name} uses a YAML alias (*name); write the value out")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        if root is None:
            return [], []
        if not isinstance(root, yaml.MappingNode):
            raise ValueError(f"config file {name} must hold KEY: VALUE lines, not {show(plain_from_node(root))}")
        entries = list(_flatten(root, prefix="", name=name))
    except yaml.YAMLError as error:
        raise ValueError(f"config file {name} is not plain YAML: {_one_line(error)}") from None
    except Exception as error:  # what YAML's types throw: ValueError for a month 13, RecursionError, TypeError
        if str(name) in str(error):
            raise
        raise ValueError(f"config file {name} is not plain YAML: {reason_of(error)}") from error
    notes: list[str] = []
    seen: dict[str, str] = {}
    for entry in entries:
        if entry.key in seen:
            notes.append(f"{entry.key} is written twice, at {seen[entry.key]} and {entry.source}; the second counts")
        seen[entry.key] = entry.source
    return entries, notes


def _flatten(node: yaml.MappingNode, *, prefix: str, name: str) -> Iterable[Entry]:
    for key_node, value_node in node.value:
        key = prefix + str(key_node.value if isinstance(key_node, yaml.ScalarNode) else plain_from_node(key_node))
        if isinstance(value_node, yaml.MappingNode) and value_node.tag == "tag:yaml.org,2002:map":
            yield from _flatten(value_node, prefix=key + ".", name=name)
        else:
            yield Entry(key, plain_from_node(value_node), f"{name}:{key_node.start_mark.line + 1}")


def _one_line(error: yaml.YAMLError) -> str:
    """A YAML error with its place, without the excerpt of the file."""
    mark = getattr(error, "problem_mark", None)
    where = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return f"{getattr(error, 'problem', None) or error}{where}"


def _tree(values: dict[str, Any]) -> CfgNode:
    """{"TRAIN.BATCH_SIZE": 16} -> CfgNode(TRAIN=CfgNode(BATCH_SIZE=16))"""
    nested: dict[str, Any] = {}
    for name, value in values.items():
        *sections, last = name.split(".")
        level = nested
        for section in sections:
            level = level.setdefault(section, {})
        level[last] = value
    return CfgNode(nested)
