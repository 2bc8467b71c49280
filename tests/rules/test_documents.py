"""Every command in the documents and at the top of the YAML files can be run as written.

Its script exists, its options parse, and its config loads and validates with the overrides shown.
"""

import argparse
import importlib.util
import re
import runpy
import shlex
import sys
from pathlib import Path

import pytest

from slowfast.commands.bmvit import COMMANDS as COMMANDS_OF_BMVIT
from slowfast.config import load_cfg
from slowfast.config.cli import split_overrides
from tests.rules.sources import ROOT, name_of

DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CONFIGS = sorted((ROOT / "configs").rglob("*.yaml"))
MADE = "mydata/config.yaml"  # by `bmvit new-dataset mydata`, in the same document; tests/integration/test_own_data.py runs it
SHELL = ("bash", "sh", "shell", "console")
# Programs that the documents may call and that are not ours to check.
OTHERS = {
    "git",
    "pip",
    "source",
    "cd",
    "export",
    "mkdir",
    "ls",
    "cat",
    "less",
    "unzip",
    "tar",
    "curl",
    "wget",
    "ffmpeg",
    "tensorboard",
}
VALUES_OF_TORCHRUN = {
    "--nnodes",
    "--nproc_per_node",
    "--nproc-per-node",
    "--rdzv_backend",
    "--rdzv_endpoint",
    "--rdzv-endpoint",
}
VALUES_OF_TORCHRUN |= {"--max_restarts", "--rdzv-backend", "--rdzv_id", "--node_rank", "--master_addr", "--master_port"}


def fenced(text: str) -> list[tuple[str, str]]:
    """(language, content) of every fenced block."""
    return re.findall(r"^```(\w*)[^\n]*\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def commands() -> list[tuple[str, list[str]]]:
    """(document, words) of every command line in a shell block, and in the comments that open a YAML file."""
    found = []
    for path in CONFIGS:
        for line in re.findall(
            r"^#\s+((?:python|torchrun|make) .*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE
        ):
            found.append((name_of(path), shlex.split(line, comments=True)))
    for path in DOCUMENTS:
        for language, block in fenced(path.read_text(encoding="utf-8")):
            if language not in SHELL:
                continue
            for line in re.sub(r"\\\n\s*", " ", block).splitlines():
                words = shlex.split(line.strip().removeprefix("$ "), comments=True)
                while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
                    words = words[1:]
                for part in _split(words, "&&"):
                    found.append((name_of(path), part))
    return found


def _split(words: list[str], separator: str) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word == separator:
            parts.append([])
        else:
            parts[-1].append(word)
    return [part for part in parts if part]


COMMANDS = commands()


def test_the_documents_show_commands():
    assert len([document for document, _ in COMMANDS if document.endswith(".md")]) >= 10
    assert {"README.md", "INSTALL.md", "GETTING_STARTED.md"} <= {document for document, _ in COMMANDS}


@pytest.mark.parametrize(
    ("document", "words"), COMMANDS, ids=lambda part: part if isinstance(part, str) else " ".join(part)[:60]
)
def test_the_command_can_be_run(document: str, words: list[str], monkeypatch):
    program = Path(words[0]).name
    if program in OTHERS:
        return
    if program == "make":
        _check_make(words[1:])
    elif program == "bmvit":
        _check_bmvit(words[1:], monkeypatch)
    elif program.startswith("python"):
        _check_python(words[1:], monkeypatch)
    elif program == "torchrun":
        rest = words[1:]
        while rest and rest[0].startswith("-"):
            if rest[0] == "-m":
                break
            rest = rest[2:] if rest[0] in VALUES_OF_TORCHRUN else rest[1:]
        _check_python(rest, monkeypatch)
    elif program == "sbatch":
        script, *rest = [word for word in words[1:] if not word.startswith("--nodes=")]
        assert script == "tools/train.sbatch" and (ROOT / script).is_file()
        _check_python(["tools/run_net.py", *rest], monkeypatch)
    else:
        pytest.fail(f"{document} calls {program}, which this test does not know")


def _check_make(words: list[str]) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    wanted = {word for word in words if "=" not in word and not word.startswith("-")}
    assert wanted and wanted <= targets, f"Makefile has the targets {sorted(targets)}"


def _check_python(words: list[str], monkeypatch) -> None:
    if words[:2] == ["-m", "slowfast.commands"]:
        _check_bmvit(words[2:], monkeypatch)
        return
    if words[0] == "-m":
        assert importlib.util.find_spec(words[1]) is not None, f"there is no module {words[1]}"
        return
    _check_script(words, monkeypatch)


def _check_bmvit(words: list[str], monkeypatch) -> None:
    assert words[0] in COMMANDS_OF_BMVIT or words == ["--help"], f"bmvit has the commands {sorted(COMMANDS_OF_BMVIT)}"
    if words[0] in COMMANDS_OF_BMVIT:
        _check_script([f"tools/{COMMANDS_OF_BMVIT[words[0]][0].split('.')[-1]}.py", *words[1:]], monkeypatch)


class _ParsedError(Exception):
    """The options of a script were read; it need not run any further."""


def _check_script(words: list[str], monkeypatch) -> None:
    script = ROOT / words[0]
    assert script.is_file(), f"{words[0]} does not exist"

    def stop_after(real):
        def parse_and_stop(self, *args, **kwargs):
            real(self, *args, **kwargs)
            raise _ParsedError

        return parse_and_stop

    for name in ("parse_args", "parse_intermixed_args"):
        real = getattr(argparse.ArgumentParser, name)
        monkeypatch.setattr(argparse.ArgumentParser, name, stop_after(real))
    monkeypatch.setattr(sys, "argv", [str(script), *words[1:]])
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.chdir(ROOT)
    try:
        runpy.run_path(str(script), run_name="__main__")
    except _ParsedError:
        pass_on = words[1:]
    except SystemExit as stop:
        assert stop.code in (0, None) and "--help" in words, f"it exits with {stop.code}"
        return
    else:
        pytest.fail(f"{words[0]} ran without reading its options")
    if "--cfg" in pass_on:
        _check_config(script, pass_on)


def _check_config(script: Path, words: list[str]) -> None:
    """The YAML file exists, and with the overrides shown it is a config that can run."""
    if script.name not in ("run_net.py", "print_config.py"):
        return
    options, overrides = split_overrides(words, with_value=("--cfg", "--dump"))
    if options[options.index("--cfg") + 1] == MADE:
        return
    load_cfg(ROOT / options[options.index("--cfg") + 1], overrides)


def test_files_that_the_documents_link_to_exist():
    bad = []
    for path in DOCUMENTS:
        text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)#\s]+)", text):
            if "://" not in target and not (path.parent / target).exists():
                bad.append(f"{name_of(path)} links to {target}")
        for target in re.findall(r"`((?:slowfast|tools|configs|docs|tests)/[\w./-]+)`", text):
            if not (ROOT / target).exists():
                bad.append(f"{name_of(path)} names {target}")
    assert not bad, "\n".join(bad)
