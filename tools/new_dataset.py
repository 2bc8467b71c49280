"""Write an example of a data set of one's own: films, a spreadsheet of boxes, CSVs, a label map and a config that trains.

python tools/new_dataset.py mydata
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("data.new_dataset", sys.argv[1:]))
