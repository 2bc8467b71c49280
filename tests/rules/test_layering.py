"""Who may import whom (docs/ARCHITECTURE.md), and where the configuration stops."""

import ast
import sys

from tests.rules.sources import ROOT, imports, name_of, python_files, tree_of

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
    "toy": BASE | PARTS | {"config", "report", "tasks", "engine"},
}
# Beside the standard library. structures and utils stay light, so that an evaluation needs little more than numpy:
# utils reads and writes files (CSV with pandas, JSON with simplejson, remote paths with iopath) and shows progress
# (tqdm). fvcore is its CfgNode and Registry, which only builders, tasks, reports, engine and inference may see.
PACKAGES = {
    "structures": {"torch", "numpy"},
    "utils": {"torch", "numpy", "pandas", "simplejson", "iopath", "tqdm"},
    "layers": {"torch", "triton"},  # triton in the file of its kernels, which is imported on CUDA only
    "video": {"av", "cv2", "numpy"},
    "models": {"torch", "torchvision", "numpy"},
    "weights": {"torch", "safetensors"},
    "losses": {"torch", "torchvision", "numpy", "scipy"},
    "solver": {"torch"},
    "evaluation": {"torch", "numpy", "scipy"},
    "config": {"fvcore", "yaml"},
}
MAY_SEE_CONFIG = {"config", "report", "tasks", "engine", "toy"}
TOOLS_MAY_IMPORT = {
    "config",
    "engine",
    "report",
    "toy",
    "visualization",
    "evaluation",
    "structures",
    "utils",
    "datasets.annotations.tubes",
    "weights",
    "models",
}


def package_of(name: str) -> str:
    """slowfast/models/heads.py -> models; slowfast/__init__.py -> "" """
    parts = name.split("/")
    return parts[1] if len(parts) > 2 else ""


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
                allowed = MAY_IMPORT[package] | ({"config"} if path.name == "build.py" else set())
                if parts[1] not in allowed:
                    bad.append(f"{name}:{line} imports {module}; {package} may import {sorted(allowed)}")
    assert not bad, "\n".join(bad)
    assert seen | {"tasks"} == set(MAY_IMPORT)


def test_the_lower_packages_stay_light():
    bad = []
    for path in python_files("slowfast"):
        name = name_of(path)
        package = package_of(name)
        if package not in PACKAGES:
            continue
        allowed = PACKAGES[package] | {"slowfast"} | ({"fvcore"} if path.name == "build.py" else set())
        for line, module in imports(path):
            top = module.split(".")[0]
            if top not in allowed and top not in sys.stdlib_module_names:
                bad.append(f"{name}:{line} imports {module}; {package} may use {sorted(allowed - {'slowfast'})}")
    assert not bad, "\n".join(bad)


def test_tools_are_thin():
    bad = []
    for path in python_files("tools"):
        if "bench" in path.parts:  # a benchmark takes apart what it measures
            continue
        for line, module in imports(path):
            parts = module.split(".")
            if (
                parts[0] == "slowfast"
                and len(parts) > 1
                and not {".".join(parts[1:n]) for n in (2, 3, 4)} & TOOLS_MAY_IMPORT
            ):
                bad.append(f"{name_of(path)}:{line} imports {module}; tools may import {sorted(TOOLS_MAY_IMPORT)}")
    assert not bad, "\n".join(bad)


def test_the_configuration_stops_at_the_builders():
    bad, builders = [], 0
    for path in python_files("slowfast"):
        name = name_of(path)
        if package_of(name) in MAY_SEE_CONFIG:
            continue
        if path.name == "build.py":
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
    assert builders >= 5


def _is_cfg_node(annotation: ast.expr | None) -> bool:
    return annotation is not None and "CfgNode" in ast.unparse(annotation)


def test_every_folder_of_the_package_is_a_package():
    folders = {path.parent for path in python_files("slowfast")}
    assert len(folders) >= 11
    assert [name_of(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []
    assert (ROOT / "slowfast" / "__init__.py").is_file()
