"""Write the report of a tested run: one HTML page that needs nothing beside it, and its plots as PNG.

python tools/report.py runs/toy
python tools/report.py runs/toy --compare runs/other --out page.html
python tools/report.py runs/toy AVA.VIDEO_DIR /elsewhere/videos

Exit code 0 on success, 2 when an input is wrong (the message says which and where).
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("runs.report", sys.argv[1:]))
