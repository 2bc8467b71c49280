"""Write a trained detector or classifier for other programs: torch.export, ONNX, or safetensors with a config.json.

python tools/export.py --weights best.pyth --format onnx
python tools/export.py --weights best.pyth --format onnx --int8 --out small.onnx
python tools/export.py --weights best.pyth --format safetensors --out my-model

What is written is compared with the network of the checkpoint, with 1 and 3 clips. Exit code 0 on success, 1 when an input
is wrong or the numbers differ; nothing is overwritten, and nothing half-written is left. docs/PREDICT.md tells what is in
the files.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("use.export", sys.argv[1:]))
