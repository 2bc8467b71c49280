"""Files are written whole or not at all: by slowfast/utils/files.py, and nothing else opens a file to write it."""

import ast
from collections.abc import Iterator

from tests.rules.sources import name_of, python_files, tree_of

HOME = "slowfast/utils/files.py"
# What is no result: (file, call) and why.
ALLOWED = {
    (
        "slowfast/inference/written/lines.py",
        "open",
    ): "lines as they are found: each is whole, and only a whole file has the last",
    ("slowfast/weights/seal.py", "save"): "into a file that `open_whole` gave, with its checksum behind",
    ("slowfast/inference/serve/app.py", "open"): "a video that is being sent, in a folder that is removed",
    ("slowfast/inference/serve/app.py", "rename"): "the same, once it is whole",
    ("tools/bench/timing.py", "write_text"): "an order to the kernel, in /proc",
    ("tools/bench/classifiers.py", "save"): "weights for the program it is compared with, in a temporary folder",
}
OPENERS = {"open", "gzip.open", "io.open", "bz2.open", "lzma.open"}
# Writers that take a name as well as an open file: they must be given what `whole_file` or `open_whole` gives.
WRITERS = {"torch.save", "np.save", "np.savez", "np.savez_compressed", "save_file", "cv2.imwrite", "json.dump"}
GIVERS = {"whole_file", "open_whole"}


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    return f"{dotted(node.value)}.{node.attr}" if isinstance(node, ast.Attribute) else "?"


def writes(mode: ast.expr | None) -> bool:
    """Does this mode make a file anew? Adding to a log ("a") does not; a mode that is no plain text might."""
    if mode is None:
        return False
    return not isinstance(mode, ast.Constant) or any(letter in str(mode.value) for letter in "wx")


def given_names(tree: ast.Module) -> set[str]:
    """Variables that hold what `whole_file` or `open_whole` gave, or a buffer in memory."""
    names = set()
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Assign)
            and isinstance(node.value, ast.Call)
            and dotted(node.value.func) == "io.BytesIO"
        ):
            names |= {target.id for target in node.targets if isinstance(target, ast.Name)}
        if isinstance(node, ast.With):
            for item in node.items:
                call = item.context_expr
                if isinstance(call, ast.Call) and dotted(call.func).split(".")[-1] in GIVERS:
                    names |= {
                        part.id for part in ast.walk(item.optional_vars or ast.Pass()) if isinstance(part, ast.Name)
                    }
    return names


def own_writes(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """(line, call) of every call that renames a file or writes one under its own name."""
    given = given_names(tree)
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name, method = dotted(node.func), dotted(node.func).split(".")[-1]
        arguments = {keyword.arg: keyword.value for keyword in node.keywords}
        first = node.args[0] if node.args else None
        is_given = any(isinstance(argument, ast.Name) and argument.id in given for argument in node.args)
        if name in ("os.replace", "os.rename", "shutil.move"):
            yield node.lineno, name
        elif isinstance(node.func, ast.Attribute) and method in ("replace", "rename") and len(node.args) == 1:
            if name != "dataclasses.replace" and not node.keywords:  # text and arrays take two arguments
                yield node.lineno, method
        elif method in ("write_text", "write_bytes") and isinstance(node.func, ast.Attribute):
            yield node.lineno, method
        elif name in OPENERS:
            mode = node.args[1] if len(node.args) > 1 else arguments.get("mode")
            if writes(mode) and not is_given:
                yield node.lineno, name
        elif method == "open" and isinstance(node.func, ast.Attribute) and len(node.args) <= 1:
            mode = arguments.get("mode", first if isinstance(first, ast.Constant) else None)
            if writes(mode):
                yield node.lineno, name
        elif (name in WRITERS or method == "savefig") and not is_given:
            yield node.lineno, method


def test_nothing_else_writes_files():
    bad, seen = [], set()
    for path in python_files("slowfast", "tools"):
        name = name_of(path)
        for line, call in own_writes(tree_of(path)) if name != HOME else ():
            if (name, call) in ALLOWED:
                seen.add((name, call))
            else:
                bad.append(f"{name}:{line} {call}")
    assert not bad, f"write through {HOME}:\n" + "\n".join(bad)
    assert seen == set(ALLOWED)


def test_a_file_written_otherwise_would_be_found():
    source = """
os.replace(a, b)
temporary.replace(path)
path.write_text("x")
(folder / "a").write_bytes(b"x")
open(path, "w")
path.open("wb")
gzip.open(path, mode="wt")
path.open(mode=mode)
torch.save(state, path)
figure.savefig(path, dpi=1)
np.savez(folder / "a.npz", a=a)
open(path); open(path, "a"); path.open("a"); path.open(); open(path, "rb"); text.replace("a", "b"); replace(a, b=1)
with open_whole(path, "wb") as file, gzip.open(file, "wt") as packed: np.savez(file, a=a)
with whole_file(path) as temporary: save_file(state, temporary)
"""
    lines = [line for line, _ in own_writes(ast.parse(source))]
    assert sorted(lines) == list(range(2, 13))
