"""Serve a page where a video is dropped and the result is watched, on this machine only unless told otherwise.

python tools/serve.py --weights best.pyth
python tools/serve.py --weights best.pyth --port 8080 --most-minutes 2

Open the address that it prints. Videos go to a temporary folder and are removed with their results after an hour, and when
Ctrl-C ends the page. Exit code 0 after Ctrl-C, 1 when an input is wrong.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("use.serve", sys.argv[1:]))
