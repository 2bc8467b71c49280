"""Who may import whom (docs/ARCHITECTURE.md), and where the configuration stops."""

import ast
import re
import sys
from pathlib import Path

from tests.rules.sources import ROOT, imports, name_of, python_files, tree_of

# Modules that import nothing of the project but one another, and that every package may therefore import.
LEAVES = {"slowfast.utils.files", "slowfast.utils.reading", "slowfast.utils.text"}
BASE = {"layers", "structures", "utils"}
PARTS = {"models", "losses", "datasets", "video", "evaluation", "solver", "visualization", "weights"}
# Each package, and the other packages of the project that it may import.
MAY_IMPORT = {
    "config": set(),
    "structures": set(),
    "utils": {"structures"},
    "layers": {"structures", "utils"},
    **dict.fromkeys(PARTS, BASE),
    "datasets": BASE | {"video"},
    "visualization": BASE | {"video"},
    "report": BASE | PARTS | {"config"},
    "tasks": BASE | PARTS | {"config", "report"},
    "engine": BASE | PARTS | {"config", "report", "tasks"},
    "inference": BASE | PARTS | {"config", "report", "tasks", "engine"},
    "preparation": BASE | PARTS | {"config", "report"},
    "toy": BASE | PARTS | {"config", "report", "tasks", "engine", "inference"},
    "hub": BASE | PARTS | {"config"},
    "commands": BASE | PARTS | {"config", "report", "tasks", "engine", "inference", "toy", "hub", "preparation"},
}
# Beside the standard library. structures and utils stay light, so that an evaluation needs little more than numpy:
# utils reads and writes files (CSV with pandas, JSON with simplejson) and shows progress (tqdm). fvcore is its CfgNode
# and Registry, which only builders, tasks, reports, engine and inference may see.
PACKAGES = {
    "structures": {"torch", "numpy"},
    "utils": {"torch", "numpy", "pandas", "simplejson", "tqdm"},
    "layers": {"torch", "triton"},  # triton in the file of its kernels, which is imported on CUDA only
    "video": {"av", "cv2", "numpy", "PIL", "fsspec"},
    "models": {"torch", "torchvision", "numpy"},
    "weights": {"torch", "safetensors", "yaml"},  # yaml: the config that a checkpoint holds tells its token grid
    "losses": {"torch", "torchvision", "numpy", "scipy"},
    "solver": {"torch"},
    "evaluation": {"torch", "numpy", "scipy"},
    "config": {"fvcore", "yaml"},
}
MAY_SEE_CONFIG = {"config", "report", "preparation", "tasks", "engine", "inference", "toy", "hub", "commands"}
TOOLS_MAY_IMPORT = {"commands", "engine", "utils"}  # engine: tools/benchmark.py says how it compiles
COMMANDS_MAY_IMPORT = {
    "commands",
    "config",
    "engine",
    "inference",
    "report",
    "preparation",
    "hub",
    "toy",
    "visualization",
    "evaluation",
    "structures",
    "utils",
    "tasks",
    "datasets.annotations.people.tubes",
    "weights",
    "models",
}


def package_of(name: str) -> str:
    """slowfast/models/detection/heads.py -> models; slowfast/__init__.py -> "" """
    parts = name.split("/")
    return parts[1] if len(parts) > 2 else ""


def is_builder(path: Path) -> bool:
    """A file that turns a config into objects: build.py, a registry of such functions, or a data set."""
    return path.name in ("build.py", "registry.py") or path.parent.name == "sets"


def test_packages_import_downwards_only():
    bad, seen = [], set()
    for path in python_files("slowfast"):
        name = name_of(path)
        package = package_of(name)
        if not package:
            continue
        assert package in MAY_IMPORT, f"{name}: a new package needs a row in MAY_IMPORT and in docs/ARCHITECTURE.md"
        seen.add(package)
        for line, module in imports(path):
            parts = module.split(".")
            if module.startswith("."):
                bad.append(f"{name}:{line} imports {module}; write the whole name")
            elif parts[0] in ("tools", "tests"):
                bad.append(f"{name}:{line} imports {module}")
            elif parts[0] == "slowfast" and len(parts) > 1 and parts[1] != package:
                allowed = MAY_IMPORT[package] | ({"config"} if is_builder(path) else set())
                if parts[1] not in allowed and module not in LEAVES:
                    bad.append(f"{name}:{line} imports {module}; {package} may import {sorted(allowed)}")
    assert not bad, "\n".join(bad)
    assert seen == set(MAY_IMPORT)


def test_leaves_import_nothing_of_the_project_but_leaves():
    files = [path for path in python_files("slowfast") if name_of(path)[:-3].replace("/", ".") in LEAVES]
    assert len(files) == len(LEAVES)
    found = {module for path in files for _, module in imports(path) if module.startswith("slowfast")}
    assert found <= LEAVES


def test_the_lower_packages_stay_light():
    bad = []
    for path in python_files("slowfast"):
        name = name_of(path)
        package = package_of(name)
        if package not in PACKAGES:
            continue
        allowed = PACKAGES[package] | {"slowfast"} | ({"fvcore"} if is_builder(path) else set())
        for line, module in imports(path):
            top = module.split(".")[0]
            if top not in allowed and top not in sys.stdlib_module_names:
                bad.append(f"{name}:{line} imports {module}; {package} may use {sorted(allowed - {'slowfast'})}")
    assert not bad, "\n".join(bad)


def test_tools_and_commands_are_thin():
    bad = []
    for folder, allowed in (("tools", TOOLS_MAY_IMPORT), ("slowfast/commands", COMMANDS_MAY_IMPORT)):
        for path in python_files(folder):
            if {"bench", "gpu_steps"} & set(path.parts):  # what measures takes apart what is measured
                continue
            for line, module in imports(path):
                parts = module.split(".")
                inside = parts[0] == "slowfast" and len(parts) > 1
                if inside and not {".".join(parts[1:n]) for n in (2, 3, 4, 5)} & allowed:
                    bad.append(f"{name_of(path)}:{line} imports {module}; {folder} may import {sorted(allowed)}")
    assert not bad, "\n".join(bad)


def test_the_configuration_stops_at_the_builders():
    bad, builders = [], 0
    for path in python_files("slowfast"):
        name = name_of(path)
        if package_of(name) in MAY_SEE_CONFIG:
            continue
        if is_builder(path):
            builders += 1
            continue
        for node in ast.walk(tree_of(path)):
            if isinstance(node, ast.arg) and (node.arg in ("cfg", "config") or _is_cfg_node(node.annotation)):
                bad.append(f"{name}:{node.lineno} takes {node.arg}")
            elif isinstance(node, ast.Name) and node.id in ("cfg", "CfgNode"):
                bad.append(f"{name}:{node.lineno} uses {node.id}")
            elif isinstance(node, ast.Attribute) and node.attr == "cfg":
                bad.append(f"{name}:{node.lineno} reads .cfg")
        bad += [
            f"{name}:{line} imports {module}" for line, module in imports(path) if module.startswith("slowfast.config")
        ]
    assert not bad, "\n".join(bad)
    assert builders >= 12


def _is_cfg_node(annotation: ast.expr | None) -> bool:
    return annotation is not None and "CfgNode" in ast.unparse(annotation)


def test_every_folder_of_the_package_is_a_package():
    folders = {path.parent for path in python_files("slowfast")}
    assert len(folders) >= 11
    assert [name_of(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
    assert (ROOT / "slowfast" / "__init__.py").is_file()


def test_the_map_in_the_documents_is_this_one():
    """docs/ARCHITECTURE.md lists the packages and who may import whom; `pytest -s` prints the list."""
    text = (ROOT / "docs/ARCHITECTURE.md").read_text(encoding="utf-8")
    block = text.split("## Who may import whom", 1)[1].split("```")[1]
    written = {
        package: set() if allowed == "nothing" else set(allowed.split(", "))
        for package, allowed in (line.split(" -> ") for line in block.strip().splitlines())
    }
    print("\n" + "\n".join(f"{name} -> {', '.join(sorted(may)) or 'nothing'}" for name, may in MAY_IMPORT.items()))
    assert written == MAY_IMPORT
    rooms = set(re.findall(r"^\| `(\w+)/`", text.split("## The rooms", 1)[1], flags=re.MULTILINE))
    assert rooms == set(MAY_IMPORT)
