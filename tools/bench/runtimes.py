"""One network in PyTorch, compiled, in ONNX Runtime and with 8-bit weights there: numbers, speed and, with weights, mAP."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from bench.detector import Setup
from bench.rows import Row
from bench.timing import interleaved, made, print_timings
from torch import Tensor

from slowfast.config.classes import num_classes
from slowfast.engine.test import evaluate
from slowfast.inference.build import CLASSIFIES, Loaded, load_model
from slowfast.inference.export import facts as told
from slowfast.inference.export.build import TRACED_BATCH, Exportable, build_exportable, in_float32, load_onnx
from slowfast.inference.export.onnx_file import DEFAULT_OPSET, onnx_bytes, open_onnx
from slowfast.inference.export.quantise import int8_bytes
from slowfast.models.build import build_model
from slowfast.tasks.build import build_task
from slowfast.utils.files import write_bytes
from slowfast.weights.checkpoint import write_atomically

EAGER, COMPILED, ONNX, INT8 = "eager", "compiled", "onnx", "int8"
NAMES = (EAGER, COMPILED, ONNX, INT8)
AGREEMENT = 1e-4
Case = Callable[[], object]


def checkpoint_of(setup: Setup, folder: Path) -> Path:
    """The network of a config with random weights, positions and last layers of heads included."""
    cfg, path = setup.cfg, folder / "random.pyth"
    torch.manual_seed(0)
    state = build_model(cfg).state_dict()  # a counter of batches, which is no weight, stays as it is
    state = {n: v + 0.02 * torch.randn_like(v) if v.is_floating_point() else v for n, v in state.items()}
    names = [f"class {i}" for i in range(num_classes(cfg))]
    write_atomically({"model_state": state, "cfg": cfg.dump(), "class_names": names, "class_ids": []}, path)
    return path


def exportable_of(weights: Path, setup: Setup, *, own_config: bool) -> Exportable:
    return build_exportable(in_float32(load_model(weights, cfg=None if own_config else setup.cfg, device="cpu")))


def eager_case(weights: Path, setup: Setup, own_config: bool) -> Case:
    exportable = exportable_of(weights, setup, own_config=own_config)
    clips = exportable.example(setup.clips)
    return lambda: exportable.outputs(clips)


def compiled_case(weights: Path, setup: Setup, own_config: bool) -> Case:
    exportable = exportable_of(weights, setup, own_config=own_config)
    exportable.graph.compile(dynamic=False)
    clips = exportable.example(setup.clips)
    return lambda: exportable.outputs(clips)


def onnx_case(file: Path, clips: Tensor) -> Case:
    session, _ = open_onnx(file, threads=torch.get_num_threads())
    given = {"clips": clips.numpy()}
    return lambda: session.run(None, given)


def write_files(exportable: Exportable, folder: Path) -> dict[str, Path]:
    facts = exportable.facts(opset=DEFAULT_OPSET)
    files = {ONNX: folder / "float.onnx", INT8: folder / "int8.onnx"}
    content = onnx_bytes(exportable.program(), exportable.example(TRACED_BATCH), facts)
    write_bytes(content, files[ONNX])
    write_bytes(int8_bytes(content, told.written(facts)), files[INT8])
    for name, file in files.items():
        print(f"{name} file: {file.stat().st_size / 1e6:.1f} MB")
    return files


def check(exportable: Exportable, files: dict[str, Path]) -> None:
    """Raises RuntimeError where ONNX Runtime gives other numbers than eager; of INT8 the difference is told only."""
    clips = exportable.example(1)
    expected = exportable.outputs(clips)
    for name, file in files.items():
        session, _ = open_onnx(file, threads=torch.get_num_threads())
        given = session.run(None, {"clips": clips.numpy()})
        worst = {
            output: (torch.from_numpy(ours) - theirs).abs().max().item()
            for output, ours, theirs in zip(exportable.graph.outputs, given, expected, strict=True)
            if output != "logits"
        }
        print(f"checked: {name} against eager: " + ", ".join(f"{what} {off:.1e}" for what, off in worst.items()))
        if name == ONNX and not max(worst.values()) < AGREEMENT:
            raise RuntimeError(
                f"ONNX Runtime differs by more than {AGREEMENT}; speeds of different numbers mean nothing"
            )


def test_of(loaded: Loaded, setup: Setup) -> float:
    """The headline of a test on the TEST.DATASET of the config."""
    task = build_task(setup.cfg)
    (trial,) = task.trials()
    tested = evaluate(loaded.model, trial.loader, trial.evaluator, inputs=loaded.inputs, postprocess=task.postprocess())
    return float(tested.result.headline.value)


def main(setup: Setup, *, repeats: int, names: Sequence[str], weights: Path | None) -> list[Row]:
    """names: of NAMES; weights: a checkpoint whose data set the config names, to tell what each way loses in a test."""
    own_config = weights is None
    if COMPILED in names and shutil.which("g++") is None:
        print("compiled: left out, torch.compile needs the compiler g++ on a CPU")
        names = [name for name in names if name != COMPILED]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        weights = weights or checkpoint_of(setup, folder)
        exportable = exportable_of(weights, setup, own_config=own_config)
        files = write_files(exportable, folder)
        check(exportable, files)
        clips = exportable.example(setup.clips)
        makers: dict[str, tuple] = {EAGER: (eager_case, weights, setup, own_config)}
        if COMPILED in names:
            makers[COMPILED] = (compiled_case, weights, setup, own_config)
        makers |= {name: (onnx_case, file, clips) for name, file in files.items() if name in names}
        with made(makers, torch.device("cpu")) as cases:
            timings = interleaved(cases, repeats=repeats, device=torch.device("cpu"))
        print_timings(timings, baseline=EAGER, clips=setup.clips)
        scores = {} if own_config else _scores(exportable.loaded, files, setup, names)
    base = timings[EAGER].cpu_median
    title = setup.cfg_path.rsplit("/", 1)[-1].removesuffix(".yaml")
    return [
        Row(
            f"{title}, {name}, batch {setup.clips}" + (f", test {scores[name]:.4f}" if name in scores else ""),
            f"{timing.cpu_median * 1e3:.1f} ms CPU",
            f"eager {base * 1e3:.1f} ms",
            f"{base / timing.cpu_median:.2f}x",
            "1x" if name == ONNX else "",
        )
        for name, timing in timings.items()
    ]


def _scores(loaded: Loaded, files: dict[str, Path], setup: Setup, names: Sequence[str]) -> dict[str, float]:
    if loaded.task == CLASSIFIES:
        print("the test of a classifier has several trials, which this does not run; see tools/run_net.py")
        return {}
    scores = {EAGER: test_of(loaded, setup)}
    scores |= {name: test_of(load_onnx(file), setup) for name, file in files.items() if name in names}
    for name, score in scores.items():
        print(f"test {name:<10}{score:.4f}   against eager {score - scores[EAGER]:+.4f}")
    return scores
