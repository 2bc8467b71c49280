"""Importing the package does nothing: no output, no heavy packages, no torch where none is needed."""

import ast
import importlib.util
import re
import subprocess
import sys

import pytest

from tests.rules.sources import ROOT, name_of, python_files

BLOCK = """
import sys

class Block:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {names}:
            raise ImportError("blocked: " + name)

sys.meta_path.insert(0, Block())
"""


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "", done.stderr
    return done.stdout


def test_the_package_alone_imports_nothing_heavy():
    heavy = ("torch", "matplotlib", "tensorboard", "cv2", "av", "pandas", "scipy")
    assert run(f"import sys, slowfast; print([name for name in {heavy} if name in sys.modules])").strip() == "[]"


# Modules that are imported only where a package is installed that not every machine has.
NEEDS = {"slowfast.layers.kernels.depthwise.by_triton": "triton"}


# What the commands import that never compute with a network; each would wait two seconds for torch, and two for torchvision.
LIGHT = {
    "scoring.evaluate_ava": set(),
    "scoring.evaluate_scores": set(),
    "scoring.evaluate_tubes": set(),
    "runs.runs": set(),
    "runs.print_config": set(),
    "networks.models": set(),
    "data.convert_annotations": {"cv2"},
    "data.new_dataset": {"cv2"},
    "data.prepare_data": {"cv2"},
    "data.make_toy_ava": {"cv2"},
    "data.make_toy_kinetics": {"cv2"},
    "data.validate_data": {"cv2", "torch", "PIL"},
}
HEAVY = (
    "torch",
    "torchvision",
    "scipy",
    "pandas",
    "matplotlib",
    "cv2",
    "PIL",
    "av",
    "onnx",
    "onnxruntime",
    "tensorboard",
)


@pytest.mark.parametrize("command", LIGHT)
def test_a_command_imports_no_package_that_it_does_not_need(command):
    code = (
        f"import importlib, sys; importlib.import_module('slowfast.commands.{command}')\n"
        f"print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert set(ast.literal_eval(run(code))) <= LIGHT[command]


def test_detections_are_scored_with_numpy_alone(tmp_path):
    """A whole run of `evaluate-ava`, which used to spend half of its time on a million rows on importing pandas."""
    files = {
        "gt.csv": "a,0902,0.1,0.1,0.5,0.5,1,0\na,0903,0.1,0.1,0.5,0.5,2,0\n",
        "det.csv": "a,0902,0.1,0.1,0.5,0.5,1,0.9\na,0903,0.1,0.1,0.5,0.5,1,0.8\n",
        "labels.pbtxt": 'item { name: "x" id: 1 }\nitem { name: "y" id: 2 }\n',
        "excluded.csv": "a,0903\n",
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    names = zip(("groundtruth", "detections", "labelmap", "exclusions"), files, strict=True)
    argv = [part for option, name in names for part in (f"--{option}", str(tmp_path / name))]
    code = (
        "import sys; from slowfast.commands.bmvit import main\n"
        f"code = main(['evaluate-ava', *{argv!r}]); found = [name for name in {HEAVY} if name in sys.modules]\n"
        "print(code, found)"
    )
    *table, last = run(code).splitlines()
    assert last == "0 []" and any("mAP" in line for line in table)


@pytest.mark.long
def test_every_module_imports_in_silence_and_without_plotting():
    modules = [name_of(path)[:-3].replace("/", ".").removesuffix(".__init__") for path in python_files("slowfast")]
    assert len(modules) >= 80 and set(NEEDS) <= set(modules)
    modules = [name for name in modules if name not in NEEDS or importlib.util.find_spec(NEEDS[name])]
    code = (
        "import importlib, logging, os, sys\n"
        "import cv2, torch._dynamo\n"  # they set variables of their own when they are imported first
        "traces = lambda: (set(os.environ), len(logging.getLogger().handlers), os.listdir())\n"
        "before = traces()\n"
        f"for name in {modules!r}:\n"
        "    importlib.import_module(name)\n"
        "assert before == traces(), 'an import left a trace'\n"
        "print([name for name in ('matplotlib.pyplot', 'tensorboard') if name in sys.modules])\n"
    )
    assert run(code).strip() == "[]"


def test_the_evaluation_of_detections_needs_no_torch():
    code = BLOCK.format(names="{'torch', 'torchvision', 'fvcore', 'cv2', 'av', 'matplotlib'}") + (
        "import slowfast.evaluation.frames.frame_map, slowfast.utils.ava.tables, slowfast.structures.annotations.label_map\n"
        "print(slowfast.evaluation.frames.frame_map.frame_map.__name__)\n"
    )
    assert run(code).strip() == "frame_map"


def test_pyav_is_needed_only_where_a_video_is_opened():
    """Machines with a GPU often lack it; what computes, and the benchmarks, must run there."""
    code = (
        "import sys; sys.modules['av'] = None; sys.path[:0] = ['tools', '.']\n"
        "import slowfast.engine.run, slowfast.inference, slowfast.preparation.movies.one_movie, benchmark\n"
        "from slowfast.video.decoding.open_video import OpenVideo\n"
        "try:\n    OpenVideo('a.mp4')\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "video files are read and written by PyAV, which is not installed: pip install av\n"


def test_pyav_is_reached_by_one_door():
    """slowfast/video/pyav.py turns off what makes decoding threads and Python wait for each other."""
    direct = re.compile(r"^\s*(import av\b|from av\b)", re.MULTILINE)
    files = python_files("slowfast", "tools")
    others = [name_of(path) for path in files if path.name != "pyav.py" and direct.search(path.read_text())]
    assert not others, f"write from slowfast.video.pyav import av: {others}"
