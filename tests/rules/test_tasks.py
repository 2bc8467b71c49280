"""Only slowfast/tasks tells kinds of work apart, and only the registry tells data sets apart."""

import ast
import re

from slowfast.config.sections.train import DATASET_NAMES
from slowfast.datasets.build import sets
from slowfast.datasets.registry import DATASET_REGISTRY
from slowfast.tasks.build import TASK_REGISTRY
from tests.rules.sources import imports, name_of, python_files, tree_of

# What may know a data set by its name: its builder, the task that words a message, the keys, and the demo of one set.
MAY_NAME_DATASETS = ("slowfast/config/", "slowfast/tasks/", "slowfast/datasets/sets/", "slowfast/datasets/registry.py")
TASK_WORDS = re.compile(r"locali[sz]ation|two.?stage|detection task|classification task", re.IGNORECASE)


def names_and_texts(tree: ast.Module) -> list[tuple[int, str]]:
    """(line, text) of every identifier and every string that is no docstring."""
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None
    }
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            found.append((node.lineno, node.id))
        elif isinstance(node, ast.Attribute):
            found.append((node.lineno, node.attr))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            found.append((node.lineno, node.value))
    return found


def test_engine_losses_and_evaluation_name_no_task():
    bad = []
    for path in python_files("slowfast/engine", "slowfast/losses", "slowfast/evaluation"):
        for line, text in names_and_texts(tree_of(path)):
            if TASK_WORDS.search(text):
                bad.append(f"{name_of(path)}:{line} says {text[:60]!r}")
        for line, module in imports(path):
            if module.startswith("slowfast.tasks.") and module not in ("slowfast.tasks.task", "slowfast.tasks.build"):
                bad.append(f"{name_of(path)}:{line} imports {module}")
    assert not bad, "\n".join(bad)


def compared(tree: ast.Module) -> list[tuple[int, str]]:
    """(line, source) of every comparison."""
    return [(node.lineno, ast.unparse(node)) for node in ast.walk(tree) if isinstance(node, ast.Compare)]


def test_nothing_else_asks_which_data_set_it_is():
    name = re.compile("|".join(rf"'{name}'" for name in DATASET_NAMES))
    bad = []
    for path in python_files("slowfast", "tools"):
        if name_of(path).startswith(MAY_NAME_DATASETS):
            continue
        for line, text in compared(tree_of(path)):
            if name.search(text) or re.search(r"(TRAIN|TEST)\.DATASET|DETECTION\.ENABLE", text):
                bad.append(f"{name_of(path)}:{line} asks {text}")
        bad += [
            f"{name_of(path)}:{node.lineno} reads DETECTION.ENABLE"
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Attribute) and ast.unparse(node).endswith("DETECTION.ENABLE")
        ]
    assert not bad, "\n".join(bad)


def test_a_question_for_the_data_set_would_be_found():
    source = "def f(cfg):\n    return cfg.TEST.DATASET != 'ava' and kind == 'jhmdb'"
    assert [text for _, text in compared(ast.parse(source))] == ["cfg.TEST.DATASET != 'ava'", "kind == 'jhmdb'"]


def test_every_name_that_the_schema_allows_is_registered():
    assert set(sets.__all__) == {name for name, _ in DATASET_REGISTRY}
    assert {name for name, _ in DATASET_REGISTRY} == set(DATASET_NAMES)
    assert {name for name, _ in TASK_REGISTRY} >= {"Localization", "TwoStage", "Classification", "MaskedPretraining"}
