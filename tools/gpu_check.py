"""Check this project on a GPU, once, within minutes: numbers first, then speed; each step in a process of its own.

python tools/gpu_check.py --out DIR                          about nine minutes on one GPU
python tools/gpu_check.py --out DIR --only depthwise tests   some of the steps
python tools/gpu_check.py --out DIR --wheels FOLDER          small packages that the machine lacks, as wheels
python tools/gpu_check.py --out DIR --device cpu --tiny      proof that every step runs, without a GPU

DIR gets a log and a JSON file of each step as it ends, and table.md for docs/PERFORMANCE.md. Exit code 0 when all
steps passed, 1 when one did not or had no time left.
"""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).resolve().parent), str(Path(__file__).resolve().parents[1])]

from gpu_steps.driver import main  # noqa: E402

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], description=__doc__))
