"""Sizes of files and functions, and constructions that this project does without."""

import ast
import re
from collections.abc import Iterator
from functools import cache

from tests.rules.sources import committed_text_files, name_of, python_files, tree_of

MAX_FILE_LINES = 450  # documents say about 400
MAX_FUNCTION_LINES = 70  # documents say about 60
SOURCES = ("slowfast", "tools")
ALL = ("slowfast", "tools", "tests")


@cache
def nodes(*folders: str) -> list[tuple[str, ast.AST]]:
    """("slowfast/a.py:12", node) of every node that a rule of this file may look at."""
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Call, ast.ExceptHandler, ast.With, ast.Raise, ast.Assert)
    found = []
    for path in python_files(*folders):
        name = name_of(path)
        found += [(f"{name}:{node.lineno}", node) for node in ast.walk(tree_of(path)) if isinstance(node, kinds)]
    return found


def dotted(node: ast.expr) -> str:
    """a.b.c for such an expression, else something that no rule names."""
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else "?"


def calls(*folders: str) -> Iterator[tuple[str, str, ast.Call]]:
    for place, node in nodes(*folders):
        if isinstance(node, ast.Call):
            yield place, dotted(node.func), node


def test_files_and_functions_are_short():
    bad = []
    for path in python_files(*ALL):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > MAX_FILE_LINES:
            bad.append(f"{name_of(path)} has {lines} lines; at most {MAX_FILE_LINES}")
    for place, node in nodes(*ALL):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = node.end_lineno - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                bad.append(f"{place} {node.name} has {length} lines; at most {MAX_FUNCTION_LINES}")
    assert not bad, "\n".join(bad)


def test_every_module_says_what_it_is():
    bad = [
        name_of(path)
        for path in python_files(*SOURCES)
        if path.read_text(encoding="utf-8").strip() and not ast.get_docstring(tree_of(path))
    ]
    assert not bad, "no docstring: " + ", ".join(bad)


def test_errors_are_not_swallowed():
    bad = []
    for place, node in nodes(*ALL):
        if isinstance(node, ast.ExceptHandler):
            if node.type is None:
                bad.append(f"{place} catches everything: name the errors")
            if all(isinstance(line, ast.Pass) for line in node.body):
                bad.append(f"{place} passes over an error")
        if isinstance(node, ast.With):
            for item in node.items:
                if isinstance(item.context_expr, ast.Call) and dotted(item.context_expr.func).endswith("suppress"):
                    names = {dotted(argument) for argument in item.context_expr.args}
                    if names & {"Exception", "BaseException"}:
                        bad.append(f"{place} suppresses everything: name the errors")
    assert not bad, "\n".join(bad)


def test_files_are_never_allowed_to_run_code():
    """torch.load(weights_only=True), YAML by the safe loader, pickles only through the restricted reader, no eval."""
    bad = []
    for place, name, call in calls(*ALL):
        keywords = {keyword.arg: keyword.value for keyword in call.keywords}
        if name == "torch.load":
            value = keywords.get("weights_only")
            if not (isinstance(value, ast.Constant) and value.value is True):
                bad.append(f"{place} torch.load needs weights_only=True")
        elif name in ("eval", "exec", "__import__", "os.system", "yaml.unsafe_load", "yaml.full_load", "yaml.load_all"):
            bad.append(f"{place} calls {name}")
        elif name == "yaml.load" and dotted(keywords.get("Loader", ast.Constant(0))) != "yaml.SafeLoader":
            bad.append(f"{place} yaml.load needs Loader=yaml.SafeLoader")
        elif name in ("np.load", "numpy.load"):
            value = keywords.get("allow_pickle", ast.Constant(False))
            if not (isinstance(value, ast.Constant) and value.value is False):
                bad.append(f"{place} numpy.load must not read pickles")
    for place, name, call in calls(*SOURCES):
        reader = place.startswith("slowfast/utils/restricted_pickle.py")
        if name in ("pickle.load", "pickle.loads", "pickle.Unpickler", "pd.read_pickle") and not reader:
            bad.append(f"{place} calls {name}; use slowfast.utils.restricted_pickle")
        if name.startswith("subprocess.") and any(keyword.arg == "shell" for keyword in call.keywords):
            bad.append(f"{place} runs a shell")
    assert not bad, "\n".join(bad)


def test_nothing_is_left_unfinished():
    # Built from parts, so that this file does not find itself.
    words = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK")) + r")\b")
    bad = []
    for path in python_files(*ALL):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if words.search(line):
                bad.append(f"{name_of(path)}:{number} {line.strip()}")
    for place, node in nodes(*SOURCES):
        if isinstance(node, ast.Raise) and node.exc is not None and "NotImplementedError" in ast.unparse(node.exc):
            bad.append(f"{place} is a stub")
    assert not bad, "\n".join(bad)


def test_no_file_names_a_folder_of_one_machine():
    folders = "|".join(("wo" + "rk", "t" + "mp", "ho" + "me", "ro" + "ot", "Us" + "ers", "m" + "nt"))
    path_of_a_machine = re.compile(rf"(?<![\w.~\-}}])/({folders})/\w")
    files = committed_text_files()
    assert len(files) >= 150
    bad = []
    for path in files:
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), start=1):
            if path_of_a_machine.search(line):
                bad.append(f"{name_of(path)}:{number} {line.strip()[:120]}")
    assert not bad, "\n".join(bad)


def test_asserts_explain_no_user_error():
    """`python -O` drops asserts, so what a user can get wrong must raise: a message in an assert is a sign of that."""
    bad = [
        f"{place} {ast.unparse(node)[:80]}"
        for place, node in nodes(*SOURCES)
        if isinstance(node, ast.Assert) and isinstance(node.msg, ast.JoinedStr | ast.Constant)
    ]
    assert not bad, "\n".join(bad)
