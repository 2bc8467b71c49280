"""Make the toy Kinetics set: python tools/make_toy_kinetics.py --out DIR [--videos N] [--seconds S] [--seed K]"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.make_toy_kinetics import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
