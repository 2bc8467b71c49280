"""Who runs `make demo` sees that something happens: pip says when it works, each phase of the demo what it took."""

import importlib.util
import re
import sys
from pathlib import Path

import pytest

from slowfast.commands.runs import demo as command
from slowfast.toy.demo import Demo

REPO = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def installer():
    spec = importlib.util.spec_from_file_location("ensure_installed", REPO / "tools/ensure_installed.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pip_says_that_it_starts_works_and_ends(installer, capsys):
    slow = [sys.executable, "-c", "import time; time.sleep(0.5)", "--quiet"]
    assert installer.told(slow, every=0.1) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("pip installs into ") and re.fullmatch(r"pip is done \(\d+ s\)", lines[-1])
    assert len(lines) >= 3 and all(re.fullmatch(r"pip is still at work \(\d+ s\)", line) for line in lines[1:-1])
    loud = [sys.executable, "-c", "import time; time.sleep(0.3); raise SystemExit(3)"]
    assert installer.told(loud, every=0.05) == 3
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and lines[1].startswith("pip failed with exit code 3 (")


def test_each_phase_of_the_demo_has_a_line_with_its_seconds(capsys, monkeypatch, tmp_path, repo_root):
    done = []
    for name in ("make_data", "train_and_test", "ask_whether_it_uses_time", "draw", "predict_a_video"):
        monkeypatch.setattr(Demo, name, lambda self, name=name: done.append(name))
    monkeypatch.setattr(Demo, "print_results", lambda self, seconds: print(f"all: {seconds:.0f} s"))
    assert command.main(["--out", str(tmp_path), "--cfg", str(repo_root / "configs/Toy/BMViT_toy.yaml")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert done == ["make_data", "train_and_test", "ask_whether_it_uses_time", "draw", "predict_a_video"]
    assert len(lines) == 11 and lines[-1] == "all: 0 s"
    for number, (before, after) in enumerate(zip(lines[:-1:2], lines[1:-1:2], strict=True), start=1):
        assert before.startswith(f"--- {number}/5 ") and before.endswith(" ...")
        assert re.fullmatch(re.escape(before.removesuffix(" ...")) + r": \d+\.\d s", after)


def test_the_demo_ends_with_a_video_of_ones_own(capsys, monkeypatch, tmp_path, repo_root):
    done = []
    for name in ("make_data", "train_and_test", "ask_whether_it_uses_time", "draw", "predict_a_video", "print_results"):
        monkeypatch.setattr(Demo, name, lambda self, *_, name=name: done.append(name))
    monkeypatch.setattr(Demo, "predict_a_real_video", lambda self, video: done.append(video))
    arguments = ["--out", str(tmp_path), "--cfg", str(repo_root / "configs/Toy/BMViT_toy.yaml"), "--video"]
    assert command.main([*arguments, str(tmp_path / "none.mp4")]) == 1
    assert "none.mp4: no such file" in capsys.readouterr().err and not done
    video = tmp_path / "mine.mp4"
    video.touch()
    assert command.main([*arguments, str(video)]) == 0
    assert done[-2:] == [video, "print_results"]
    assert "--- 6/6 your video is predicted ..." in capsys.readouterr().out
