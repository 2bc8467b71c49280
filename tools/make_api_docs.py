"""Write docs/API.md from the docstrings: every public module, class and function, in the order of docs/ARCHITECTURE.md.

python tools/make_api_docs.py            writes it
python tools/make_api_docs.py --check    exits with 1 when it is not what the sources say; writes nothing

Sources are parsed and not imported, so no package is needed.
"""

import argparse
import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
from slowfast.utils.files import write_text  # noqa: E402

COMMAND = "python tools/make_api_docs.py"
HEAD = f"""# API

Every public class and function with its signature and the first paragraph of its docstring, room by room as in
[ARCHITECTURE.md](ARCHITECTURE.md). Made by `{COMMAND}`; do not edit: a test compares this page with the sources.
"""
WIDTH = 100  # longer signatures take a line an argument
Function = ast.FunctionDef | ast.AsyncFunctionDef


def make(root: Path) -> str:
    """The page about the package `slowfast` below `root`. Raises ValueError for a folder that the map has no room for."""
    rooms = rooms_of((root / "docs/ARCHITECTURE.md").read_text(encoding="utf-8"))
    files: dict[str, list[Path]] = {room: [] for room, _ in rooms}
    for path in sorted((root / "slowfast").rglob("*.py")):
        folder = path.parent.relative_to(root / "slowfast").as_posix()
        if folder == ".":
            continue
        inside = [room for room in files if f"{folder}/".startswith(f"{room}/")]
        if not inside:
            raise ValueError(f"{path}: docs/ARCHITECTURE.md has no room {folder}/")
        files[max(inside, key=len)].append(path)
    parts = [HEAD, *contents([room for room, _ in rooms])]
    for room, what in rooms:
        parts += [f"## {room}/", f"{what[0].upper()}{what[1:]}."]
        for path in files[room]:
            parts += list(module_lines(path, root))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def rooms_of(architecture: str) -> list[tuple[str, str]]:
    """(folder, what is in it) of each row of the map."""
    table = architecture.split("## The rooms", 1)[1].split("\n## ", 1)[0]
    return re.findall(r"^\| `([\w/]+)/` \| (.+) \|$", table, flags=re.MULTILINE)


def contents(rooms: list[str]) -> list[str]:
    return [" · ".join(f"[{room}](#{room.replace('/', '')})" for room in rooms)]


def module_lines(path: Path, root: Path) -> Iterator[str]:
    """The part of one module; nothing where it defines nothing public."""
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    public = [node for node in tree.body if isinstance(node, Function | ast.ClassDef) and node.name[0] != "_"]
    if not public:
        return
    yield f"### {path.relative_to(root).with_suffix('').as_posix().replace('/', '.').removesuffix('.__init__')}"
    yield paragraph(tree)
    for node in public:
        yield from class_lines(node) if isinstance(node, ast.ClassDef) else function_lines(node)


def function_lines(node: Function) -> Iterator[str]:
    yield code(f"def {node.name}", arguments(node.args), returns(node))
    yield paragraph(node)


def class_lines(node: ast.ClassDef) -> Iterator[str]:
    bases = ", ".join(map(ast.unparse, node.bases))
    made_of = fields(node) if is_record(node) else constructor(node)
    yield code(f"class {node.name}", made_of, f"  # {bases}" if bases else "")
    yield paragraph(node)
    methods = [
        f"- `{method_signature(item)}`" + (f": {paragraph(item)}" if paragraph(item) else "")
        for item in node.body
        if isinstance(item, Function) and item.name[0] != "_"
    ]
    if methods:
        yield "\n".join(methods)


def method_signature(node: Function) -> str:
    decorators = {ast.unparse(decorator) for decorator in node.decorator_list}
    if decorators & {"property", "cached_property"}:
        return f".{node.name}{returns(node)}"
    return f".{node.name}({', '.join(arguments(node.args, method='staticmethod' not in decorators))}){returns(node)}"


def is_record(node: ast.ClassDef) -> bool:
    """A dataclass or a NamedTuple: its fields are its arguments."""
    decorated = any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list)
    return decorated or any(ast.unparse(base) == "NamedTuple" for base in node.bases)


def fields(node: ast.ClassDef) -> list[str]:
    return [
        f"{item.target.id}: {_kind(item.annotation)}" + (f" = {ast.unparse(item.value)}" if item.value else "")
        for item in node.body
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and item.target.id[0] != "_"
    ]


def constructor(node: ast.ClassDef) -> list[str] | None:
    """The arguments of __init__; None where the class has none of its own."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return arguments(item.args, method=True)
    return None


def arguments(given: ast.arguments, *, method: bool = False) -> list[str]:
    """Each argument as it is written, "*" and "/" among them; method: without the first."""
    positional = [*given.posonlyargs, *given.args]
    defaults = [None] * (len(positional) - len(given.defaults)) + list(given.defaults)
    words = [_argument(arg, default) for arg, default in zip(positional, defaults, strict=True)]
    if given.posonlyargs:
        words.insert(len(given.posonlyargs), "/")
    words = words[1:] if method else words
    if given.vararg:
        words.append(f"*{_argument(given.vararg, None)}")
    elif given.kwonlyargs:
        words.append("*")
    words += [_argument(arg, default) for arg, default in zip(given.kwonlyargs, given.kw_defaults, strict=True)]
    return [*words, f"**{_argument(given.kwarg, None)}"] if given.kwarg else words


def _argument(arg: ast.arg, default: ast.expr | None) -> str:
    kind = f": {_kind(arg.annotation)}" if arg.annotation else ""
    equals = " = " if kind else "="
    return f"{arg.arg}{kind}" + (f"{equals}{ast.unparse(default)}" if default else "")


def returns(node: Function) -> str:
    return f" -> {_kind(node.returns)}" if node.returns else ""


def _kind(annotation: ast.expr) -> str:
    """A type as it is written, without the quotes of a name that comes later."""
    return str(annotation.value) if isinstance(annotation, ast.Constant) else ast.unparse(annotation)


def code(name: str, words: list[str] | None, end: str = "") -> str:
    """A fenced signature, on one line where it fits."""
    line = name + ("" if words is None else f"({', '.join(words)})") + end
    if words and len(line) > WIDTH:
        line = "\n".join([f"{name}(", *(f"    {word}," for word in words), f"){end}"])
    return f"```python\n{line}\n```"


def paragraph(node: ast.Module | ast.ClassDef | Function) -> str:
    """The first paragraph of a docstring on one line; "" without one."""
    return " ".join((ast.get_docstring(node) or "").split("\n\n", 1)[0].split())


def main(argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 when the page is stale")
    parser.add_argument("--root", type=Path, default=ROOT, metavar="DIR", help="the repository (default: this one)")
    options = parser.parse_args(argv)
    page, file = make(options.root), options.root / "docs/API.md"
    if options.check:
        if file.is_file() and file.read_text(encoding="utf-8") == page:
            return 0
        print(f"{file} is not what the sources say; run `{COMMAND}`", file=sys.stderr)
        return 1
    write_text(page, file)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
