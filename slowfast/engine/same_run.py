"""Whether a configuration is that of the run it continues, or of the checkpoint it tests; asked before anything is written."""

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from fvcore.common.config import CfgNode

from slowfast.config.differences import Difference, differences, flat, forbidden, read_dump
from slowfast.config.effects import EFFECTS, TO_GO_ON, TO_TEST, Effect
from slowfast.utils.logging import get_logger
from slowfast.weights.checkpoint import Checkpointer
from slowfast.weights.file import read_weight_file

_UNCHANGED = "nothing was written"
_SHOWN_CLASSES = 5


def refuse_another_run(cfg: CfgNode, checkpoints: Checkpointer, class_names: Collection[str] | None) -> None:
    """Raises ValueError where OUTPUT_DIR holds a run of another configuration, or of other classes.

    class_names: of the data; None where it only numbers its classes
    Another value of a key that changes results is refused unless CHANGED_ON_PURPOSE lists the key. A checkpoint that
    does not tell its configuration is not compared.
    """
    if not cfg.TRAIN.AUTO_RESUME:
        if checkpoints.saved():
            raise ValueError(
                f"TRAIN.AUTO_RESUME is False, but {checkpoints.folder} holds checkpoints of an earlier run; "
                "choose another OUTPUT_DIR, or move them away"
            )
        return
    found = checkpoints.newest(mapped=True, quiet=True)
    if found is None:
        return
    path, content = found
    finished = content.get("epoch", 0) >= cfg.SOLVER.MAX_EPOCH
    wrong = _refused(cfg, changes(cfg, content.get("cfg", "")), TO_GO_ON)
    if wrong:
        state = "Going on would mix the two"
        if finished:
            state = "That run is finished, so its weights would be tested under another name"
        raise ValueError(
            f"{cfg.OUTPUT_DIR} holds a run of another configuration ({path.name}):{_lines(wrong)}\n"
            f"{state}; {_UNCHANGED}. Choose another OUTPUT_DIR; or, to go on with the new values, set "
            f'CHANGED_ON_PURPOSE "{_listed(cfg, wrong)}"'
        )
    names = content.get("class_names")
    if names is not None and class_names is not None and list(names) != list(class_names):
        raise ValueError(
            f"{cfg.OUTPUT_DIR} holds a run on other classes ({path.name}): {_some(names)}, and the data has "
            f"{_some(class_names)}; {_UNCHANGED}. Choose another OUTPUT_DIR, or give it the data it was trained on"
        )


def refuse_other_weights(cfg: CfgNode, path: str | Path) -> None:
    """Raises ValueError where the weights to test are of a run whose network, or whose clips, the keys do not describe.

    Weights that do not tell their configuration, or are of another project, are not compared.
    """
    try:
        config = read_weight_file(path, prefer=cfg.MODEL.CHECKPOINT_ENTRY).config
    except (FileNotFoundError, ValueError) as error:
        raise type(error)(f"TEST.CHECKPOINT_FILE_PATH: {error}") from error
    wrong = _refused(cfg, changes(cfg, config), TO_TEST)
    if wrong:
        raise ValueError(
            f"{path} was trained with another configuration:{_lines(wrong)}\n"
            f"Test it with the configuration it was trained with (config.yaml of its run); {_UNCHANGED}. To test it with "
            f'the new values, set CHANGED_ON_PURPOSE "{_listed(cfg, wrong)}"'
        )


def describe_changes(cfg: CfgNode, content: Mapping[str, Any], path: Path) -> None:
    """Log what is other than in the run that goes on from `path`, and what is given and no longer read."""
    log, found = get_logger(), changes(cfg, content.get("cfg", ""))
    on_purpose = forbidden(found, TO_GO_ON)
    for one in on_purpose:
        log.warning("%s (CHANGED_ON_PURPOSE)", one)
    if on_purpose and content.get("epoch", 0) >= cfg.SOLVER.MAX_EPOCH:
        log.warning("the run is finished: nothing is trained with the new values, and the weights it has are tested")
    others = [str(one) for one in found if one not in on_purpose and EFFECTS[one.key] is not Effect.START]
    others = [text for text in others if not text.startswith(("OUTPUT_DIR ", "CHANGED_ON_PURPOSE "))]
    if others:
        log.info("changed since, and no matter to what is trained: %s", "; ".join(others))
    start = cfg.TRAIN.CHECKPOINT_FILE_PATH
    if not start:
        return
    before = next((one.was for one in found if one.key == "TRAIN.CHECKPOINT_FILE_PATH"), start)
    if before == start:
        log.info("TRAIN.CHECKPOINT_FILE_PATH %s was read when the run began, and is not read again", start)
    else:
        log.warning(
            "TRAIN.CHECKPOINT_FILE_PATH %s is not used: the run goes on from %s (it began %s); to start from these "
            "weights choose another OUTPUT_DIR",
            start,
            path,
            f"from {before}" if before else "at random weights",
        )


def changes(cfg: CfgNode, dump: object) -> list[Difference]:
    """The keys that `cfg` has otherwise than the configuration in a checkpoint; none where that is not known."""
    was = read_dump(dump) if isinstance(dump, str) else None
    return [] if was is None else differences(flat(cfg), was)


def _refused(cfg: CfgNode, found: Collection[Difference], effects: Collection[Effect]) -> list[Difference]:
    return [one for one in forbidden(found, effects) if one.key not in cfg.CHANGED_ON_PURPOSE]


def _lines(found: Collection[Difference]) -> str:
    return "".join(f"\n  - {one}" for one in found)


def _listed(cfg: CfgNode, found: Collection[Difference]) -> str:
    return f"[{', '.join([*cfg.CHANGED_ON_PURPOSE, *(one.key for one in found)])}]"


def _some(names: Collection[str]) -> str:
    shown = ", ".join(list(names)[:_SHOWN_CLASSES])
    return f"{len(names)} ({shown}{', ...' if len(names) > _SHOWN_CLASSES else ''})"
