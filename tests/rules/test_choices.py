"""Choices and defaults are written once: what the schema says is what the code takes."""

import ast
import importlib
import inspect

import pytest

from slowfast.config.load import SCHEMA
from slowfast.datasets.annotations.people import tubes as annotated_tubes
from slowfast.datasets.augment import erasing, operations
from slowfast.datasets.clips import clip_sampling, presets, video_sampling
from slowfast.engine.device import parallel, precision
from slowfast.evaluation import build as evaluation_build
from slowfast.evaluation.frames import conventions, frame_map
from slowfast.evaluation.tubes import linking
from slowfast.layers import kernels
from slowfast.losses import build as losses_build
from slowfast.models.detection import heads, token_select
from slowfast.tasks import two_stage
from tests.rules.sources import ROOT, name_of, python_files, tree_of
from tests.rules.test_layering import is_builder

# Keys whose choices the code lists, too.
LISTED = {
    "AUG.INTERPOLATION": operations.INTERPOLATIONS,
    "AUG.RE_MODE": erasing.MODES,
    "TRAIN.PARALLEL": parallel.SETTINGS,
    "BMVIT.BOX_TOKENS": token_select.BOX_TOKENS,
    "BMVIT.ACTION_SCORES": heads.ACTION_SCORES,
    "DETECTION.ACTION_SCORES": heads.ACTION_SCORES,
    "BMVIT.ACTION_TOKENS": token_select.ACTION_TOKENS,
    "DATA.CROP": presets.CROPS,
    "DATA.ENSEMBLE_METHOD": evaluation_build.ENSEMBLES,
    "DETECTION.BOXES": two_stage.GIVEN_BOXES,
    "MODEL.DEPTHWISE": kernels.DEPTHWISE,
    "MODEL.KERNELS": kernels.SETTINGS,
    "MODEL.LOSS_FUNC": ("", losses_build.MASKED_LOSS, *losses_build.LOSS_FUNCTIONS),
    "MODEL.PRECISION": precision.SETTINGS,
    "TEST.FRAME_ORDER": clip_sampling.ORDERS,
    "TEST.KEY_FRAMES": frame_map.KEY_FRAME_SETS,
    "TEST.PROTOCOL": frame_map.PROTOCOLS,
    "TEST.VIEW_SAMPLING": video_sampling.RULES,
    "TUBES.AP": conventions.AP_RULES,
    "TUBES.FRAMES": conventions.FRAMES,
    "TUBES.LINKING": linking.METHODS,
    "TUBES.MATCHING": frame_map.MATCHINGS,
}
# Keys that the code asks for choice by choice, and where; one choice may be what is left.
ASKED = {
    "AVA.PIXELS": "slowfast/datasets/sets/ava.py",
    "BMVIT.ACTOR_LOGITS": "slowfast/models/detection/heads.py",
    "DATA.RESIZE": "slowfast/datasets/build.py",
    "DIST_BACKEND": "slowfast/engine/device/launch.py",
    "JHMDB.TEST_ON": "slowfast/datasets/sets/jhmdb.py",
    "JHMDB.SPLIT": "slowfast/datasets/annotations/people/jhmdb.py",
    "LOSS.ACTION_TOKENS": "slowfast/losses/set_criterion.py",
    "LOSS.ACTION_TYPE": "slowfast/losses/build.py",
    "LOSS.ACTOR_TYPE": "slowfast/losses/build.py",
    "MASK.HEAD_TYPE": "slowfast/models/build.py",
    "MODEL.COMPILE": "slowfast/engine/device/compiling.py",
    "SOLVER.LR_POLICY": "slowfast/solver/build.py",
    "SOLVER.OPTIMIZING_METHOD": "slowfast/solver/build.py",
    "TEST.NUM_SPATIAL_CROPS": "slowfast/datasets/augment/view_crops.py",
}


def choices() -> dict[str, tuple]:
    return {name: key.rule.choices for name, key in SCHEMA.items() if key.rule is not None and key.rule.choices}


def test_every_key_with_choices_is_compared():
    assert len(choices()) >= 20
    assert set(choices()) == set(LISTED) | set(ASKED) and not set(LISTED) & set(ASKED)


@pytest.mark.parametrize("name", LISTED)
def test_the_code_lists_the_same_choices(name):
    assert set(choices()[name]) == set(LISTED[name])


@pytest.mark.parametrize("name", ASKED)
def test_the_code_asks_for_every_choice_but_one(name):
    asked = {node.value for node in ast.walk(tree_of(ROOT / ASKED[name])) if isinstance(node, ast.Constant)}
    assert len(set(choices()[name]) - asked) <= 1


def test_frames_of_annotations_are_those_of_the_conventions():
    assert set(annotated_tubes.FRAMES) == set(conventions.FRAMES)


# Constructors whose own default means something else than the key's.
DIFFERENT = {
    ("MViT", "REL_POS_TEMPORAL"): "PySlowFast's default is off; a network built by hand is MViTv2",
    ("MViT", "REL_POS_SPATIAL"): "PySlowFast's default is off; a network built by hand is MViTv2",
    ("MViT", "RESIDUAL_POOLING"): "PySlowFast's default is off; a network built by hand is MViTv2",
    ("FrameCNNMViT", "REL_POS_TEMPORAL"): "as in MViT",
    ("FrameCNNMViT", "REL_POS_SPATIAL"): "as in MViT",
    ("FrameCNNMViT", "RESIDUAL_POOLING"): "as in MViT",
    ("FrameCNNMViT", "DROPPATH_RATE"): "a network built by hand drops nothing",
    ("MViT", "DROPPATH_RATE"): "a network built by hand drops nothing",
    ("ViT", "DROPPATH_RATE"): "a network built by hand drops nothing",
    ("ViT", "PATCH_KERNEL"): "a plain ViT has tubelets of 16 pixels",
    ("plan_blocks", "POOL_KVQ_KERNEL"): "PySlowFast's default follows the stride; a plan made by hand is MViTv2's",
    ("plan_blocks", "DIM_MUL_IN_ATT"): "PySlowFast's default is MViTv1's; a plan made by hand is MViTv2's",
    ("param_groups", "HEAD_LR_MULT"): "groups made by hand learn alike",
    ("param_groups", "WEIGHT_DECAY"): "groups made by hand do not decay",
    ("ClipLoader", "TIMEOUT"): "a loader made by hand waits for ever, as torch's do",
    ("Schedule", "WARMUP_EPOCHS"): "a schedule made by hand has no warm-up",
    ("read_ava", "VALID_SECONDS"): "AVA's movies have such a range; annotations read by hand have none",
    ("open_videos", "NUM_WORKERS"): "decoding threads follow from it: one where there are workers",
    ("ClassificationEvaluator", "ENSEMBLE_METHOD"): "the same, under PySlowFast's name",
    ("SetCriterion", "ACTOR_TYPE"): "the same, as a function or none",
    ("SetCriterion", "ACTION_TYPE"): "the same, as a function",
    ("RoICriterion", "ACTION_TYPE"): "the same, as a function",
    ("RoICriterion", "ACTION"): "with one term there is nothing to weigh; the key is for BMViT's four",
}


def passed_defaults() -> list[tuple[str, str, str, object]]:
    """(builder, callee, key, default of the parameter that the key is passed to) in every builder."""
    found = []
    for path in python_files("slowfast"):
        if not is_builder(path):
            continue
        module = importlib.import_module(name_of(path)[:-3].replace("/", "."))
        for function in [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.FunctionDef)]:
            aliases = _aliases(function)
            for call in [node for node in ast.walk(function) if isinstance(node, ast.Call)]:
                callee = getattr(module, call.func.id, None) if isinstance(call.func, ast.Name) else None
                if not callable(callee) or not getattr(callee, "__module__", "").startswith("slowfast"):
                    continue
                parameters = inspect.signature(callee).parameters
                for keyword in call.keywords:
                    key = _key(keyword.value, aliases)
                    if key in SCHEMA and keyword.arg in parameters:
                        default = parameters[keyword.arg].default
                        if default is not inspect.Parameter.empty:
                            found.append((name_of(path), call.func.id, key, default))
    return found


def _aliases(function: ast.FunctionDef) -> dict[str, str]:
    """`m = cfg.MVIT` and `a, training = cfg.AVA, ...` -> {"m": "MVIT", "a": "AVA"}"""
    aliases = {}
    for node in ast.walk(function):
        if isinstance(node, ast.Assign):
            target, value = node.targets[0], node.value
            pairs = (
                zip(target.elts, value.elts, strict=True)
                if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple)
                else [(target, value)]
            )
            for name, part in pairs:
                if isinstance(name, ast.Name) and isinstance(part, ast.Attribute) and ast.unparse(part.value) == "cfg":
                    aliases[name.id] = part.attr
    return aliases


def _key(value: ast.expr, aliases: dict[str, str]) -> str:
    """The key that an argument is made of: `m.DEPTH`, `tuple(m.DEPTH)`, `m.DEPTH or None`, `not m.DEPTH`."""
    attributes = [node for node in ast.walk(value) if isinstance(node, ast.Attribute)]
    named = [
        f"{aliases[node.value.id]}.{node.attr}"
        for node in attributes
        if isinstance(node.value, ast.Name) and node.value.id in aliases
    ]
    named += [ast.unparse(node).removeprefix("cfg.") for node in attributes if ast.unparse(node).startswith("cfg.")]
    named = [name for name in named if name in SCHEMA]
    return named[0] if len(set(named)) == 1 else ""


def _plain(value: object) -> object:
    """As written in a config: tuples are lists, and None stands for what is off."""
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def test_defaults_are_those_of_the_schema():
    found, bad = passed_defaults(), []
    assert len(found) >= 30, [key for _, _, key, _ in found]
    for where, callee, key, default in found:
        if (callee, key.split(".")[-1]) in DIFFERENT:
            continue
        wanted = SCHEMA[key].default
        inverted = isinstance(default, bool) and isinstance(wanted, bool) and callee == "param_groups"
        same = _plain(default) == wanted or (default is None and not wanted) or (inverted and default is not wanted)
        if not same:
            bad.append(f"{where}: {callee} has the default {default!r} where {key} is {wanted!r}")
    assert not bad, "\n".join(bad)


def test_every_exception_is_still_one():
    seen = {(callee, key.split(".")[-1]) for _, callee, key, _ in passed_defaults()}
    assert set(DIFFERENT) <= seen, set(DIFFERENT) - seen
