"""The `bmvit` command: `bmvit NAME ...` runs one of the commands beside this file."""

import importlib
import sys
from collections.abc import Sequence

from slowfast import __version__
from slowfast.utils.processes.cores import sleep_while_waiting

# Name -> module and what it does. A module is imported when it is asked for, so that the list of names comes at once.
COMMANDS = {
    "train": ("runs.run_net", "train and test a model, or test a checkpoint"),
    "predict": ("use.predict", "tell who does what in videos of your own"),
    "serve": ("use.serve", "a page where a video is dropped and the result is watched"),
    "export": ("use.export", "write a trained model for other programs"),
    "evaluate-ava": ("scoring.evaluate_ava", "score a detections CSV against AVA's annotations"),
    "evaluate-scores": ("scoring.evaluate_scores", "recompute the accuracies of a classification test"),
    "evaluate-tubes": ("scoring.evaluate_tubes", "frame-mAP and video-mAP on UCF101-24 or JHMDB-21"),
    "evaluate-tracks": ("scoring.evaluate_tracks", "what tracking adds, on videos whose tracks are known"),
    "validate-data": ("data.validate_data", "check a data set; with detections, tell why the mAP is 0"),
    "prepare-data": ("data.prepare_data", "movies to training data: small videos with a short GOP, or frames"),
    "convert-annotations": (
        "data.convert_annotations",
        "labelling tools, spreadsheets and pickles to AVA's CSVs, and back",
    ),
    "detect-people": ("data.detect_people", "boxes of a person detector in an ONNX file, for the two-stage baseline"),
    "new-dataset": ("data.new_dataset", "write an example folder that validates and trains"),
    "runs": ("runs.runs", "list runs with their state, last and best numbers"),
    "report": ("runs.report", "write the HTML page of a tested run"),
    "convert-weights": ("networks.convert_weights", "turn a checkpoint of another project into this one's format"),
    "verify-checkpoint": ("runs.verify_checkpoint", "tell which checkpoints of a run are whole"),
    "convert-checkpoint": ("runs.convert_checkpoint", "turn a checkpoint in parts into one file, and back"),
    "replay-step": ("runs.replay_step", "run a training step again that was skipped"),
    "print-config": ("runs.print_config", "show every key, its value and where it came from"),
    "make-toy-ava": ("data.make_toy_ava", "make the toy data set of the demo"),
    "make-toy-kinetics": ("data.make_toy_kinetics", "make the toy data set of classifiers"),
    "demo": ("runs.demo", "make the toy data set, train on it on the CPU, test and draw"),
    "models": ("networks.models", "list the networks that can be made by name"),
    "model-table": ("networks.model_table", "parameters and cost of the configured models"),
}


def usage() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {name:<{width}}  {what}" for name, (_, what) in COMMANDS.items()]
    options = "bmvit NAME --help tells the options of one, bmvit --version the version."
    return "\n".join(["usage: bmvit NAME ...", "", *lines, "", options])


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the first word names; returns its exit code, 2 where there is no such command."""
    name, *rest = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        print(usage())
        return 0
    if name == "--version":
        print(f"bmvit {__version__}")
        return 0
    if name not in COMMANDS:
        print(f"bmvit: there is no command {name}\n{usage()}", file=sys.stderr)
        return 2
    return run_command(COMMANDS[name][0], rest, prog=f"bmvit {name}")


def run_command(module: str, argv: Sequence[str], *, prog: str | None = None) -> int:
    """Run a module of this folder; returns its exit code, 130 after Ctrl-C, which its imports may meet too."""
    sleep_while_waiting()  # torch is not imported yet
    try:
        return importlib.import_module(f"slowfast.commands.{module}").main(argv, prog=prog)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
