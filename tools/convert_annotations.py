"""Convert annotations between labelling tools, spreadsheets, pickles and AVA's CSVs, by the times in the videos.

python tools/convert_annotations.py --from cvat --to ava --videos videos --out annotations --every 1 a.xml b.xml

Exit code 1 where an input is wrong (the message says which and where), else 0.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a fresh clone works without being installed
from slowfast.commands.bmvit import run_command

if __name__ == "__main__":
    sys.exit(run_command("data.convert_annotations", sys.argv[1:]))
