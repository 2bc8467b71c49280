"""What each command waits for before it begins: its imports, in a fresh process; and their share of scoring a CSV file."""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np
from bench.evaluator import make_tables

from slowfast.commands.bmvit import COMMANDS
from slowfast.structures.annotations.label_map import LabelMap
from slowfast.utils.ava.tables import write_detections_csv
from slowfast.utils.files import write_text

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("torch", "torchvision", "scipy", "pandas", "cv2", "PIL", "av", "matplotlib", "onnx", "onnxruntime")
_IMPORT = """
import importlib, sys, time
start = time.process_time()
importlib.import_module("slowfast.commands.bmvit")
importlib.import_module("slowfast.commands.{module}")
print(time.process_time() - start, *[name for name in {heavy} if name in sys.modules])
"""
BOXES = 2  # of a key frame, as in `evaluator`


def main(*, rows: int, repeats: int) -> None:
    """Print CPU seconds of the imports of every command, then of `evaluate-ava` on about `rows` detections."""
    print(f"{'command':<20}{'imports, CPU s':>15}  packages")
    for name, (module, _) in COMMANDS.items():
        seconds, packages = imports(module, repeats)
        print(f"{name:<20}{seconds:>15.2f}  {' '.join(packages)}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        argv = write_files(Path(folder), rows)
        whole = _median([sys.executable, "-m", "slowfast.commands", "evaluate-ava", *argv], repeats)
        imported = _median([sys.executable, "-c", "import slowfast.commands.scoring.evaluate_ava"], repeats)
        python = _median([sys.executable, "-c", ""], repeats)
    print(
        f"evaluate-ava, {rows:,} rows: {whole:.2f} s of CPU; Python itself {python:.2f} s, imports {imported - python:.2f} s"
    )
    print(f"share of the imports: {(imported - python) / whole:.0%}")


def imports(module: str, repeats: int = 1) -> tuple[float, list[str]]:
    """Median CPU seconds to import a module of `slowfast.commands` in a fresh process, and which of HEAVY came along."""
    code = _IMPORT.format(module=module, heavy=HEAVY)
    done = [_run([sys.executable, "-c", code]).split() for _ in range(repeats)]
    return statistics.median(float(words[0]) for words in done), done[0][1:]


def write_files(folder: Path, rows: int) -> list[str]:
    """Synthetic ground truth with person ids, detections and a label map; the arguments of `evaluate-ava` that name them."""
    truth, detections, labels = make_tables(rows, boxes_per_frame=BOXES)
    files = {name: folder / f"{name}.csv" for name in ("groundtruth", "detections")}
    write_detections_csv(replace(truth, score=np.zeros(len(truth), dtype=np.float32)), files["groundtruth"])
    write_detections_csv(detections, files["detections"])
    files["labelmap"] = folder / "labels.pbtxt"
    write_text(_label_map_text(labels), files["labelmap"])
    return [part for name, file in files.items() for part in (f"--{name}", str(file))]


def _label_map_text(labels: LabelMap) -> str:
    return "".join(f'item {{ name: "{name}" id: {id_} }}\n' for id_, name in zip(labels.ids, labels.names, strict=True))


def _median(command: list[str], repeats: int) -> float:
    seconds = []
    for _ in range(repeats):
        before = _cpu_of_children()
        _run(command)
        seconds.append(_cpu_of_children() - before)
    return statistics.median(seconds)


def _cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _run(command: list[str]) -> str:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout
