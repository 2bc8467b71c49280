"""Which of the sets of parameters in a checkpoint is taken: the averaged one where there is one, and always said."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from torch import Tensor

AVERAGE, RAW = "average", "raw"
# Where a parameter dict sits in the files we know: ours and PySlowFast's, mmaction2's and Lightning's, VideoMAE's two.
_RAW_NAMES = ("model_state", "state_dict", "module", "model", "model_state_dict", "net")
# Ours, timm's, mmengine's, DeiT's and VideoMAE's, and what people call them.
_AVERAGED_NAMES = ("ema_state", "state_dict_ema", "ema_state_dict", "model_ema", "ema_model", "ema", "swa_state_dict")
KNOWN_NAMES = (*_RAW_NAMES, *_AVERAGED_NAMES)
# What torch's and mmengine's averaged models count beside their parameters.
COUNTERS = ("n_averaged", "steps")
UNREADABLE = "averaged weights in a form that is not known"
# The attribute of a Lightning module that keeps an average of the network beside it: `ema_model`, `swa`, `model_avg`.
_AVERAGED_PART = re.compile(r"(^|_)(ema|swa|avg|average|averaged)(_|$)")


@dataclass(frozen=True)
class Entry:
    """One set of parameters of a file.

    name:     of the entry; "" when the parameters are the whole file, "ema.module" of an entry within an entry
    averaged: a running average of the weights
    known:    it is where files that we know have their weights; any other is taken only by its name
    """

    name: str
    state: dict[str, Tensor]
    averaged: bool
    known: bool = True

    def __str__(self) -> str:
        return f"{self.name or 'the file'}: {'averaged' if self.averaged else 'raw'} weights"


def find_entries(content: Mapping) -> list[Entry]:
    """Every set of parameters in the content of a checkpoint, those under known names first; empty when there is none."""
    named = [(name, name) for name in KNOWN_NAMES if isinstance(content.get(name), Mapping) and _tensors(content[name])]
    inside = list(_entries_within_entries(content))
    named += [(name, top) for name, top in inside if top in KNOWN_NAMES]
    others = [
        name for name, value in content.items() if name not in KNOWN_NAMES and _looks_like_parameters(name, value)
    ]
    if not named and (state := _tensors(content)):
        return _apart(Entry("", state, averaged="n_averaged" in state))
    swapped = _swapped_by_mmengine(content)
    found = [
        entry
        for name, top in named
        for state in [_tensors(_value(content, name, top))]
        for entry in _apart(Entry(name, state, _is_average(top, state, swapped)))
    ]
    unknown = [(name, name) for name in others] + [(name, top) for name, top in inside if top not in KNOWN_NAMES]
    for name, top in unknown:
        state = _tensors(_value(content, name, top))
        found.append(Entry(name, state, "n_averaged" in state, known=False))
    return found


def unreadable_averages(content: Mapping) -> list[str]:
    """Entries that are called as averages are and hold tensors, but not under the names of parameters, as a sentence each."""
    read = {entry.name.split(".")[0] for entry in find_entries(content)}
    return [
        f"{name}: {UNREADABLE}" for name in _AVERAGED_NAMES if name not in read and _holds_tensors(content.get(name))
    ]


def _entries_within_entries(content: Mapping) -> Iterable[tuple[str, str]]:
    """("ema.module", "ema") of weights one level deeper, as programs write that keep a count or a rate beside them."""
    for top, value in content.items():
        if isinstance(top, str) and isinstance(value, Mapping) and not _tensors(value):
            for name, inner in value.items():
                if _looks_like_parameters(name, inner):
                    yield f"{top}.{name}", top


def _value(content: Mapping, name: str, top: str) -> Mapping:
    return content[top] if name == top else content[top][name.removeprefix(f"{top}.")]


def _holds_tensors(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_tensors, value.values()))
    return isinstance(value, Tensor) or (isinstance(value, list | tuple) and any(isinstance(v, Tensor) for v in value))


def _apart(entry: Entry) -> list[Entry]:
    """A network and its average in one set of names, `model.*` beside `ema_model.module.*`, as two entries.

    The average gets the names of the network, so that both are loaded alike; what is beside them stays in both.
    """
    parts: dict[str, dict[str, str]] = {}  # first part of a name -> the rest of it -> the whole name
    for name in entry.state:
        first, dot, rest = name.partition(".")
        if dot and rest not in COUNTERS:
            parts.setdefault(first, {})[rest.removeprefix("module.")] = name
    for average, names in parts.items():
        twins = [p for p in parts if p != average and parts[p].keys() == names.keys() and not _AVERAGED_PART.search(p)]
        if not _AVERAGED_PART.search(average) or not twins:
            continue
        network = twins[0]
        beside = {
            name: value for name, value in entry.state.items() if name.partition(".")[0] not in (average, network)
        }
        raw = {whole: entry.state[whole] for whole in parts[network].values()}
        mean = {whole: entry.state[names[short]] for short, whole in parts[network].items()}
        at = f"{entry.name}." if entry.name else ""
        return [Entry(f"{at}{network}", beside | raw, False), Entry(f"{at}{average}", beside | mean, True)]
    return [entry]


def choose_entry(entries: Iterable[Entry], prefer: str) -> Entry | None:
    """The entry that `prefer` means: "average" or "raw", each else the other, or the name of one; None when none is meant.

    An entry under an unknown name is taken only by its name.
    """
    entries = list(entries)
    if prefer not in (AVERAGE, RAW):
        return next((entry for entry in entries if entry.name == prefer), None)
    known = [entry for entry in entries if entry.known]
    wanted = [entry for entry in known if entry.averaged == (prefer == AVERAGE)]
    return next(iter(wanted or known), None)


def _tensors(value: Mapping) -> dict[str, Tensor]:
    return {name: item for name, item in value.items() if isinstance(name, str) and isinstance(item, Tensor)}


def _looks_like_parameters(name: object, value: object) -> bool:
    """A dict of weights under a name of its writer's ("teacher"); not the state of a random generator."""
    if not isinstance(name, str) or not isinstance(value, Mapping):
        return False
    return any(key.endswith((".weight", ".bias")) for key in _tensors(value))


def _is_average(name: str, state: dict[str, Tensor], swapped: bool) -> bool:
    if swapped and name in ("state_dict", "ema_state_dict"):
        return name == "state_dict"
    return name in _AVERAGED_NAMES or "n_averaged" in state


def _swapped_by_mmengine(content: Mapping) -> bool:
    """mmengine writes the average into `state_dict`, to deploy it, and the raw weights into `ema_state_dict`."""
    average, meta = content.get("ema_state_dict"), content.get("meta")
    if not isinstance(average, Mapping) or not isinstance(content.get("state_dict"), Mapping):
        return False
    return "steps" in average or (isinstance(meta, Mapping) and "mmengine_version" in meta)
