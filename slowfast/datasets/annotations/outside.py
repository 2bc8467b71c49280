"""Names in annotations that lead out of the folder of the videos: an absolute path, or one that climbs with `../`."""

import posixpath
import re
from collections.abc import Iterable

from slowfast.utils.text import printable

KEY = "DATA.NAMES_MAY_LEAVE"
_DRIVE = re.compile(r"[A-Za-z]:")


def leaves(name: str) -> bool:
    """Whether a name, of a video or a file below a folder, leads out of it, on any system. `a/../b` does not."""
    plain = name.replace("\\", "/")
    return plain.startswith("/") or _DRIVE.match(plain) is not None or posixpath.normpath(plain).split("/")[0] == ".."


def refuse_outside(names: Iterable[str], source: str) -> None:
    """Raises ValueError where a name leads out of its folder. source: whose names these are, for the message."""
    wrong = [name for name in names if leaves(name)]
    if wrong:
        raise ValueError(
            f"{source}: {len(wrong)} names lead out of the folder of the videos, the first is {printable(wrong[0][:200])!r}. "
            f"Files that others wrote should not choose what is read: name them from the folder on, or set {KEY} True"
        )
