"""`bmvit NAME ...`: what it runs, what it answers, and that the scripts of tools/ are doors to the same commands."""

import ast
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from slowfast import __version__
from slowfast.commands import bmvit
from slowfast.commands.bmvit import COMMANDS, main

REPO = Path(__file__).resolve().parents[3]
DOORS = tuple(module for module, _ in COMMANDS.values())


def test_names_are_those_of_the_modules():
    paths = [path for path in (REPO / "slowfast" / "commands").glob("*/*.py") if path.stem != "__init__"]
    assert {module for module, _ in COMMANDS.values()} == {f"{path.parent.name}.{path.stem}" for path in paths}
    named = {name: module.split(".")[-1].replace("_", "-") for name, (module, _) in COMMANDS.items()}
    assert all(name == module for name, module in named.items() if name != "train") and len(named) >= 20


def test_help_lists_every_command(capsys):
    for argv in (["--help"], ["-h"], []):
        assert main(argv) == 0
        shown = capsys.readouterr().out
        assert all(f"  {name} " in shown for name in COMMANDS)


def test_version(capsys):
    assert main(["--version"]) == 0 and capsys.readouterr().out == f"bmvit {__version__}\n"


def test_an_unknown_command_exits_with_2(capsys):
    assert main(["trian"]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.startswith("bmvit: there is no command trian\nusage: bmvit NAME")


@pytest.mark.parametrize("name", COMMANDS)
def test_each_has_help_under_its_own_name(name, capsys):
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    assert f"usage: bmvit {name} " in capsys.readouterr().out


def test_exit_codes_are_passed_on(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["print-config", "--cfg", "none.yaml"]) == 1
    assert main(["evaluate-scores", "none.npz"]) == 2
    assert main(["print-config", "--cfg", "configs/Toy/BMViT_toy.yaml"]) == 0  # the one that came with the package
    assert "MODEL.MODEL_NAME: 'BMViT'" in capsys.readouterr().out


@pytest.mark.parametrize("stopped", ["import", "run"])
def test_ctrl_c_is_one_line_during_imports_and_during_a_command(stopped, monkeypatch, capsys):
    class Module:
        @staticmethod
        def main(argv, *, prog):
            raise KeyboardInterrupt

    def imported(name):
        if stopped == "import":
            raise KeyboardInterrupt
        return Module

    monkeypatch.setattr(bmvit.importlib, "import_module", imported)
    assert main(["report", "runs/toy"]) == 130
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "interrupted\n")


@pytest.mark.parametrize("module", DOORS)
def test_a_script_of_tools_is_a_door(module):
    """The same docstring, nothing beside the import, and nothing run on import: workers import the script again."""
    script, command = (
        ast.parse((REPO / path).with_suffix(".py").read_text())
        for path in (f"tools/{module.split('.')[-1]}", f"slowfast/commands/{module.replace('.', '/')}")
    )
    first = ast.get_docstring(command).splitlines()[0].split(":")[0]
    assert ast.get_docstring(script).startswith(first[:20])
    imported = [node.module for node in script.body if isinstance(node, ast.ImportFrom)]
    assert imported == ["pathlib", "slowfast.commands.bmvit"] and len(script.body) == 6
    assert ast.unparse(script.body[-1]) == (
        f"if __name__ == '__main__':\n    sys.exit(run_command('{module}', sys.argv[1:]))"
    )
    assert callable(importlib.import_module(f"slowfast.commands.{module}").main)


@pytest.mark.long
def test_processes_that_a_command_spawns_find_their_way(tmp_path):
    """A spawned worker imports the main module again; `make-toy-ava --workers 2` renders in two of them."""
    command = [sys.executable, "-m", "slowfast.commands", "make-toy-ava", "--out", "toy", "--videos", "2"]
    environment = {**os.environ, "PYTHONPATH": str(REPO), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, "--seconds", "2", "--workers", "2"], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "2 videos made" in done.stdout and len(list((tmp_path / "toy/videos").iterdir())) == 2


def test_how_threads_wait_is_decided_before_torch_is_imported():
    code = (
        "import os, sys; os.getloadavg = lambda: (1000.0, 0, 0); os.environ.pop('OMP_WAIT_POLICY', None)\n"
        "import slowfast.commands.bmvit as bmvit; assert 'torch' not in sys.modules\n"
        "bmvit.run_command('networks.models', []); print(os.environ['OMP_WAIT_POLICY'])"
    )
    environment = os.environ | {"PYTHONPATH": str(REPO)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=True)
    assert done.stdout.splitlines()[-1] == "passive"
