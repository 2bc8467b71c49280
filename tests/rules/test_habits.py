"""Habits of the repository that are files: API pages, pre-commit hooks, and the small tools that they call."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.rules.sources import ROOT, name_of, python_files


def tool(name: str):
    """A script of tools/ as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "tools" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


# ------------------------------------------------------------------------------------------------------ docs/API.md


def test_the_api_page_is_what_the_sources_say():
    """`python tools/make_api_docs.py` makes it anew. No site-packages: the tool parses, it imports nothing heavy."""
    command = [sys.executable, "-S", str(ROOT / "tools/make_api_docs.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    page = (ROOT / "docs/API.md").read_text(encoding="utf-8")
    modules = {name_of(path)[:-3].replace("/", ".") for path in python_files("slowfast")}
    shown = set(re.findall(r"^### (\S+)$", page, flags=re.MULTILINE))
    assert len(shown) >= 100 and shown <= modules
    assert {
        "slowfast.models.backbones.mvit",
        "slowfast.losses.matcher",
        "slowfast.engine.run",
        "slowfast.tasks.task",
    } <= shown


MODULE = '''
"""What it is,
on two lines.

More.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pair(Base):
    """Two."""

    first: int
    second: "Pair | None" = None
    _hidden: int = 0

    @property
    def both(self) -> tuple[int, int]:
        """Both of them."""

    def swap(self, *, times: int = 1) -> "Pair": ...

    def _private(self): ...


def add(a: int, /, b=2, *rest: int, key: str = "x", **more) -> int:
    """Their sum."""


def _helper(): ...
'''
MAP = "## The rooms\n\n| room | what is in it |\n|---|---|\n| `b/` | the second |\n| `a/` | the first |\n\n## Next\n"


@pytest.fixture
def small(tmp_path: Path) -> Path:
    for room in ("a", "b"):
        (tmp_path / "slowfast" / room).mkdir(parents=True)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/ARCHITECTURE.md").write_text(MAP)
    (tmp_path / "slowfast/a/things.py").write_text(MODULE)
    (tmp_path / "slowfast/b/nothing.py").write_text('"""Nothing public."""\n\n_A = 1\n')
    return tmp_path


def test_signatures_and_first_paragraphs(small):
    page = tool("make_api_docs").make(small)
    assert page.index("## b/\n\nThe second.") < page.index(
        "## a/\n\nThe first.\n\n### slowfast.a.things\n\nWhat it is, on two"
    )
    assert "class Pair(first: int, second: Pair | None = None)  # Base\n```\n\nTwo.\n\n" in page
    assert "- `.both -> tuple[int, int]`: Both of them.\n- `.swap(*, times: int = 1) -> Pair`\n" in page
    assert "def add(a: int, /, b=2, *rest: int, key: str = 'x', **more) -> int\n```\n\nTheir sum.\n" in page
    assert "nothing" not in page and "_p" not in page and "_h" not in page and "More." not in page


def test_a_stale_page_is_told(small, capsys):
    api = tool("make_api_docs")
    assert api.main(["--check", "--root", str(small)]) == 1 and "run `python tools/make" in capsys.readouterr().err
    assert api.main(["--root", str(small)]) == 0 and api.main(["--check", "--root", str(small)]) == 0
    (small / "slowfast/a/things.py").write_text(MODULE.replace("Their sum", "The sum"))
    assert api.main(["--check", "--root", str(small)]) == 1


def test_a_folder_without_a_room_is_an_error(small):
    (small / "slowfast/c").mkdir()
    (small / "slowfast/c/new.py").write_text("def f(): ...\n")
    with pytest.raises(ValueError, match="has no room c/"):
        tool("make_api_docs").make(small)


# ---------------------------------------------------------------------------------------------------------- pre-commit


def test_hooks_are_local_and_their_programs_exist():
    config = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert [repo["repo"] for repo in config["repos"]] == ["local"], "a hook of another repository is downloaded"
    hooks = config["repos"][0]["hooks"]
    assert {"ruff-check", "ruff-format", "end-of-file", "api-docs"} <= {hook["id"] for hook in hooks}
    for hook in hooks:
        assert hook["language"] == "system" and hook["name"]
        program, *words = hook["entry"].split()
        assert program == "python"
        found = importlib.util.find_spec(words[1]) if words[0] == "-m" else (ROOT / words[0]).is_file()
        assert found, f"{hook['id']} calls {words}"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"a\n", b"a\n"),
        (b"a", b"a\n"),
        (b"a \t\nb  ", b"a\nb\n"),
        (b"a\n\n\n", b"a\n"),
        (b"a \r\nb", b"a\r\nb\r\n"),
        (b"", b""),
        (b" \n", b""),
        (b"\n  a\n", b"\n  a\n"),
    ],
)
def test_ends_are_mended(before, after, tmp_path, capsys):
    file = tmp_path / "a.txt"
    file.write_bytes(before)
    fix = tool("fix_ends")
    assert fix.main([str(file)]) == int(before != after)
    assert file.read_bytes() == after and fix.main([str(file)]) == 0


def test_this_repository_has_clean_ends():
    fix = tool("fix_ends")
    files = [*python_files("slowfast", "tools", "tests"), *ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    assert [name_of(path) for path in files if fix.mended(path.read_bytes()) != path.read_bytes()] == []
