"""What is dear and never changes is made once, however many processes run the suite."""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path


class Once:
    """Folders below `root`, each made by the first process that asks for it while the others wait.

    It is built under another name and renamed, so that what a failed or killed build left is never taken for it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root / "once"
        self.root.mkdir(exist_ok=True)

    def folder(self, name: str, build: Callable[[Path], None]) -> Path:
        """The folder that `build` fills, given it empty. What it writes must not depend on where the folder is."""
        done, building = self.root / name, self.root / f".{name}"
        with (self.root / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # given back when the file is closed
            if not done.exists():
                shutil.rmtree(building, ignore_errors=True)
                building.mkdir()
                build(building)
                building.rename(done)
        return done
