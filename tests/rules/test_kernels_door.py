"""slowfast/layers/kernels/ has one door: backends, their conditions and thresholds are named behind it only."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from tests.rules.sources import ROOT, imports, name_of, python_files, tree_of

ROOM = "slowfast/layers/kernels/"
DOOR = "slowfast.layers.kernels"
BACKENDS = re.compile("onednn|mkldnn|triton", re.IGNORECASE)
# About torch.compile, whose own compiler for GPUs is the package triton: the engine looks whether it is installed.
# A key of the config lets a user choose (MODEL.DEPTHWISE).
# What measures takes apart what is measured, so tools/bench and tools/gpu_steps name kernels one by one.
ALLOWED = (
    "slowfast/engine/device/compiling.py",
    "slowfast/config/sections/model.py",
    "tools/bench/",
    "tools/gpu_steps/",
)


def outside() -> list[Path]:
    files = [path for path in python_files("slowfast", "tools") if not name_of(path).startswith((ROOM, *ALLOWED))]
    assert len(files) >= 150
    return files


def words(path: Path) -> Iterator[tuple[int, str]]:
    """(line, text) of every name, attribute, argument, import and string in a file, docstrings included."""
    for node in ast.walk(tree_of(path)):
        line = getattr(node, "lineno", 0)
        if isinstance(node, ast.Name):
            yield line, node.id
        elif isinstance(node, ast.Attribute):
            yield line, node.attr
        elif isinstance(node, ast.arg | ast.keyword) and node.arg:
            yield line, node.arg
        elif isinstance(node, ast.alias | ast.ClassDef | ast.FunctionDef):
            yield line, node.name
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield line, node.value


def thresholds() -> set[str]:
    """Constants of the switchboard: the sizes from which a way is taken."""
    assigned = [node for node in tree_of(ROOT / ROOM / "choice.py").body if isinstance(node, ast.Assign)]
    names = {target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)}
    return {name for name in names if re.fullmatch("_[A-Z_]+", name)}


def test_no_backend_is_named_outside():
    bad = [
        f"{name_of(path)}:{line} {text[:60]!r}"
        for path in outside()
        for line, text in words(path)
        if BACKENDS.search(text)
    ]
    assert not bad, "\n".join(bad)


def test_no_threshold_is_named_outside():
    names = thresholds()
    assert names == {"_LARGE_PRODUCT", "_WIDEST_CUDNN", "_WORTH_RECOMPUTING", "_KEPT_BY_MALLOC"}
    bad = [f"{name_of(path)}:{line} {text}" for path in outside() for line, text in words(path) if text in names]
    assert not bad, "\n".join(bad)


def test_the_room_is_entered_through_its_door():
    bad, through_the_door = [], 0
    for path in outside():
        for line, module in imports(path):
            through_the_door += module == DOOR
            if module.startswith(f"{DOOR}."):
                bad.append(f"{name_of(path)}:{line} imports {module}; import it from {DOOR}")
    assert not bad, "\n".join(bad)
    assert through_the_door >= 5


def test_only_the_switchboard_asks_for_conditions():
    """A file of kernels computes; which of them is taken, for which size, type and device, is asked in choice.py."""
    asked = ("is_compiling", "is_tracing", "is_autocast_enabled", "is_grad_enabled", "get_cpu_capability", "mkldnn")
    # What autocast does to a convolution has to be done by hand for an operator of ours.
    by_hand = {("convolution.py", "is_autocast_enabled")}
    bad = []
    for path in sorted((ROOT / ROOM).rglob("*.py")):
        for line, text in words(path):
            if path.name != "choice.py" and text in asked and (path.name, text) not in by_hand:
                bad.append(f"{name_of(path)}:{line} asks {text}")
    assert not bad, "\n".join(bad)


def test_the_door_tells_the_definition_of_every_operation():
    tree = tree_of(ROOT / ROOM / "__init__.py")
    text = ast.get_docstring(tree)
    exported = {name for node in tree.body if isinstance(node, ast.ImportFrom) for name in (a.name for a in node.names)}
    assert text and len(exported) >= 14
    assert [name for name in exported if name.islower() and name not in text and name != "is_plain"] == []
