"""`tools/serve.py`: what is wrong is said before anything is served."""

import builtins
import socket
import sys

import pytest
import torch

from slowfast.config import load_cfg

TOOL = "tools/serve.py"


@pytest.fixture
def given_boxes(roi_config, overrides, tmp_path) -> str:
    """A checkpoint of a task that cannot predict from a video alone."""
    path = tmp_path / "roi.pyth"
    torch.save(
        {"model_state": {"a": torch.zeros(1)}, "cfg": load_cfg(roi_config, overrides).dump(), "class_names": ["a"]},
        path,
    )
    return str(path)


def test_a_checkpoint_of_another_task_and_a_port_that_is_taken(run_main, given_boxes):
    done = run_main(TOOL, "--weights", given_boxes, "--port", "0", expect=1)
    assert "is a model of the task TwoStage" in done.stderr and "finds nobody itself" in done.stderr
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run_main(TOOL, "--weights", given_boxes, "--port", port, expect=1)
    assert done.stderr.startswith(f"error: cannot listen on 127.0.0.1, port {port}: Address already in use; choose ano")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--port", "70000"], "--port is a number from 0 (any free one) to 65535, got 70000"),
        (["--most-mb", "0"], "--most-mb and --most-minutes must be above 0, got 0 and 10"),
        (
            ["--name", "http://gpu1"],
            "--name is what a browser's address bar names this machine (gpu1.lan), got 'http://g",
        ),
        (["--port", "0"], "weights none.pyth do not exist"),
        (
            ["--port", "0", "--host", "203.0.113.1"],
            "cannot listen on 203.0.113.1, port 0: Cannot assign requested address",
        ),
    ],
)
def test_what_is_wrong_is_said(run_main, arguments, text):
    assert run_main(TOOL, "--weights", "none.pyth", *arguments, expect=1).stderr.startswith(f"error: {text}")


def test_a_missing_extra_is_named(run_main, monkeypatch):
    real = builtins.__import__

    def without(name, *arguments, **options):
        if name.split(".")[0] == "uvicorn":
            raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
        return real(name, *arguments, **options)

    for name in [name for name in sys.modules if name.startswith("slowfast.inference.serve.run")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", without)
    done = run_main(TOOL, "--weights", "none.pyth", expect=1)
    assert done.stderr == "error: the page needs uvicorn, which is not installed: pip install '.[serve]'\n"
