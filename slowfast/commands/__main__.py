"""`python -m slowfast.commands NAME ...`, the same as `bmvit NAME ...`."""

import sys

from slowfast.commands.bmvit import main

if __name__ == "__main__":
    sys.exit(main())
