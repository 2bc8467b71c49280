"""tools/test_matrix.py without an environment: the commands it would run, and what it makes of their answers."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[3]


INSTALLED = {"python": "3.11.7", "torch": "2.6.0", "torchvision": "0.21.0"}


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("matrix_tool", REPO / "tools/test_matrix.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["matrix_tool"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules["matrix_tool"]


@pytest.fixture
def answers(tool, monkeypatch):
    """What each stage answers; the commands that were asked for."""
    told = {
        "versions": (0, "a warning\n" + json.dumps(INSTALLED) + "\n"),
        "tests": (0, "..\n12 passed, 1 skipped in 4.50s\n"),
    }
    asked = []

    def run(command):
        asked.append(list(command))
        stage = "tests" if "pytest" in command else "versions" if "-c" in command else "other"
        code, text = told.get(stage, (0, ""))
        return subprocess.CompletedProcess(command, code, stdout=text)

    return told, asked, run


def test_a_dry_run_prints_the_commands_and_does_nothing(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a dry run runs nothing"))
    assert tool.main(["--torch", "2.6.0", "--torch", "newest", "--dry-run", "--keep", "envs", "tests/unit/losses"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10 and list(tmp_path.iterdir()) == []
    assert lines[0].endswith("-m venv envs/torch-2.6.0")
    assert lines[1].startswith("envs/torch-2.6.0/bin/python -m pip install")
    assert lines[1].endswith("torch==2.6.0 torchvision==0.21.0")
    assert "--editable" in lines[2] and "[test]" in lines[2] and lines[2].endswith("torch==2.6.0 torchvision==0.21.0")
    assert lines[4] == "envs/torch-2.6.0/bin/python -m pytest -q tests/unit/losses"
    assert lines[6] == "envs/torch-newest/bin/python -m pip install --quiet torch torchvision"


@pytest.mark.parametrize(("torch", "vision"), [("2.6.0", "0.21.0"), ("2.8.0", "0.23.0"), ("2.14.1", "0.29.1")])
def test_torchvision_is_the_one_of_its_release(tool, torch, vision):
    assert tool.requirements(torch) == [f"torch=={torch}", f"torchvision=={vision}"]


def test_something_else_is_refused(tool, capsys):
    assert tool.main(["--torch", "nightly", "--dry-run", "tests/unit"]) == 2
    assert (
        "--torch nightly is no version; write 2.6.0, lowest for the lowest of everything, or newest"
        in capsys.readouterr().err
    )


def test_the_oldest_version_is_the_one_that_the_package_asks_for(tool):
    asked = (REPO / "pyproject.toml").read_text(encoding="utf-8")
    assert f'"torch>={tool.OLDEST.removesuffix(".0")}"' in asked


def test_a_version_that_passes(tool, answers, tmp_path):
    _, asked, run = answers
    row = tool.try_version("2.6.0", tmp_path, ["tests"], run)
    assert row.passed and row.stage == "tests" and len(asked) == 5 and row.last_lines == ()
    assert row.installed == INSTALLED
    assert row.counts == {"passed": 12, "skipped": 1}


def test_a_failed_stage_ends_its_version(tool, answers, tmp_path):
    told, asked, run = answers
    told["other"] = (1, "ERROR: no matching distribution\n")
    row = tool.try_version("2.6.0", tmp_path, ["tests"], run)
    assert (row.passed, row.stage, len(asked)) == (False, "venv", 1)
    assert row.last_lines == ("ERROR: no matching distribution",) and row.counts == {}


def test_failed_tests_are_counted_and_told(tool, answers, tmp_path, monkeypatch, capsys):
    told, _, run = answers
    told["tests"] = (1, "FAILED tests/a.py::test\n2 failed, 3 passed in 1.00s\n")
    monkeypatch.setattr(
        tool, "try_version", lambda torch, folder, tests, real=tool.try_version: real(torch, folder, tests, run)
    )
    monkeypatch.setattr(tool, "BYTES_NEEDED", 0)
    report = tmp_path / "out.json"
    assert tool.main(["--torch", "2.6.0", "--json", str(report), "tests"]) == 1
    shown = capsys.readouterr().out
    assert "FAILED tests/a.py::test" in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "2.6.0 3.11.7 2.6.0 0.21.0 FAILED at tests: 2 failed, 3 passed 0.0" in lines
    (row,) = json.loads(report.read_text())
    assert row["counts"] == {"failed": 2, "passed": 3} and row["passed"] is False


def test_environments_go_unless_they_are_kept(tool, tmp_path):
    with tool.place("2.6.0", None) as folder:
        folder.mkdir()
    assert not folder.parent.exists()
    with tool.place("2.6.0", tmp_path) as folder:
        folder.mkdir()
    assert folder == tmp_path / "torch-2.6.0" and folder.is_dir()


def test_a_full_disk_is_told_before_anything_is_made(tool, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tool, "BYTES_NEEDED", 10**18)
    assert tool.main(["--keep", str(tmp_path / "envs"), "tests"]) == 2
    assert "an environment takes 5 GB" in capsys.readouterr().err


def test_the_lowest_versions_are_those_of_pyproject(tool):
    asked = tool.requirements("lowest")
    assert "torch==2.6" in asked and "av==17.1" in asked and len(asked) == 16
    text = (REPO / "pyproject.toml").read_text(encoding="utf-8")
    assert all(f'"{one.replace("==", ">=")}"' in text for one in asked)


def test_versions_are_asked_of_the_environment(tool):
    done = subprocess.run(tool.commands_here([])["versions"], capture_output=True, text=True, check=True)
    assert {"python", *(one.partition("==")[0] for one in tool.floors())} == set(json.loads(done.stdout))


def test_this_environment_is_tested_as_it_is(tool, answers, tmp_path, monkeypatch, capsys):
    _, asked, run = answers
    monkeypatch.setattr(
        tool, "try_version", lambda torch, folder, tests, real=tool.try_version: real(torch, folder, tests, run)
    )
    monkeypatch.setattr(tool, "BYTES_NEEDED", 10**18)  # nothing is installed
    record = tmp_path / "record.json"
    for name in ("first", "second", "first"):
        assert tool.main(["--here", name, "--json", str(record), "tests"]) == 0
    assert [row["torch"] for row in json.loads(record.read_text())] == ["second", "first"]
    assert len(asked) == 6 and all(command[0] == sys.executable for command in asked)
    assert "| first | 20" in capsys.readouterr().out


def test_install_shows_the_record(tool):
    rows = json.loads(tool.RECORD.read_text(encoding="utf-8"))
    text = (REPO / "INSTALL.md").read_text(encoding="utf-8")
    assert rows and tool.markdown(rows) in text
    assert all(row["passed"] for row in rows)
    low = {one.partition("==")[0]: one.partition("==")[2] for one in tool.floors()}
    for row in rows:
        known = low if row["torch"] in ("lowest", "newest") else set(low) & set(row["installed"])  # others may be older
        for name in known:
            version, have = low[name], row["installed"][name].split("+")[0]
            assert [int(x) for x in have.split(".")[:2]] >= [int(x) for x in (version + ".0").split(".")[:2]], (
                name,
                have,
            )
