"""Which of the sets of parameters in a checkpoint is taken: the averaged one where there is one, and always said."""

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


@dataclass(frozen=True)
class Entry:
    """One set of parameters of a file.

    name:     of the entry; "" when the parameters are the whole file
    averaged: a running average of the weights
    """

    name: str
    state: dict[str, Tensor]
    averaged: bool

    def __str__(self) -> str:
        return f"{self.name or 'the file'}: {'averaged' if self.averaged else 'raw'} weights"


def find_entries(content: Mapping) -> list[Entry]:
    """Every set of parameters in the content of a checkpoint, those under known names first; empty when there is none."""
    named = [name for name in KNOWN_NAMES if isinstance(content.get(name), Mapping) and _tensors(content[name])]
    named += [
        name for name, value in content.items() if name not in KNOWN_NAMES and _looks_like_parameters(name, value)
    ]
    if not any(name in KNOWN_NAMES for name in named) and (state := _tensors(content)):
        return [Entry("", state, averaged="n_averaged" in state)]
    swapped = _swapped_by_mmengine(content)
    return [Entry(name, state := _tensors(content[name]), _is_average(name, state, swapped)) for name in named]


def choose_entry(entries: Iterable[Entry], prefer: str) -> Entry | None:
    """The entry that `prefer` means: "average" or "raw", each else the other, or the name of one; None when none is meant.

    An entry under an unknown name is taken only by its name.
    """
    entries = list(entries)
    if prefer not in (AVERAGE, RAW):
        return next((entry for entry in entries if entry.name == prefer), None)
    known = [entry for entry in entries if entry.name in (*KNOWN_NAMES, "")]
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
