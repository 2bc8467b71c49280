"""The project's own files, for the rules: Python sources with their syntax trees, and everything that is committed."""

import ast
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEXT_SUFFIXES = {".py", ".md", ".yaml", ".yml", ".toml", ".cfg", ".txt", ".csv", ".json", ".ipynb", ".cff", ".sh", ""}
_TEXT_FOLDERS = ("slowfast", "tools", "tests", "configs", "docs", ".ci")


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def python_files(*folders: str) -> list[Path]:
    """All .py files below the folders, which must hold some."""
    files = sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))
    assert files, f"no Python file below {folders}"
    return files


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(line, dotted module) of every import in a file; `from a import b` gives a.b where that is a module."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            for alias in node.names:
                inner = ROOT / module.replace(".", "/") / alias.name
                is_module = node.level == 0 and (inner.with_suffix(".py").is_file() or inner.is_dir())
                yield node.lineno, f"{module}.{alias.name}" if is_module else module


def committed_text_files() -> list[Path]:
    """Files git tracks or would track; without git, all text files of the project's folders."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        capture_output=True,
        check=False,
    )
    if listed.returncode == 0:
        paths = [ROOT / name for name in listed.stdout.decode().split("\0") if name]
    else:
        paths = [*ROOT.glob("*"), *(path for folder in _TEXT_FOLDERS for path in (ROOT / folder).rglob("*"))]
    return sorted(path for path in paths if path.is_file() and path.suffix in TEXT_SUFFIXES)
