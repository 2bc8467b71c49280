"""Video files that are called like one that is missing: in another folder, in upper case, in another spelling of an umlaut."""

import unicodedata
from functools import cached_property
from pathlib import Path

from slowfast.video.reader import VIDEO_EXTENSIONS

_SHOWN = 4


class FilesBelow:
    """The video files below a folder, listed once when the first is asked for."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def _files(self) -> dict[str, list[str]]:
        """{plain name, with and without extension: paths from the folder on}."""
        found: dict[str, list[str]] = {}
        for path in sorted(self._folder.rglob("*")):
            if path.suffix.lower() in VIDEO_EXTENSIONS:
                for name in {_plain(path.stem), _plain(path.name)}:
                    found.setdefault(name, []).append(path.relative_to(self._folder).as_posix())
        return found

    def hint(self, video: str) -> str:
        """What to add to the message that there is no such video; "" where nothing is called alike.

        video: its name, with or without folders (of any system) and extension
        """
        last = _plain(video.replace("\\", "/").rsplit("/", 1)[-1])
        named = self._files.get(last, [])
        if not named:
            return ""
        more = f" and {len(named) - _SHOWN} more" if len(named) > _SHOWN else ""
        return (
            f"; there is {', '.join(named[:_SHOWN])}{more}: write its name with its folder, and as the file is called"
        )


def _plain(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
