"""Find people on the key frames of a data set with a person detector in an ONNX file: proposals for the two-stage baseline."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("data.detect_people", sys.argv[1:]))
