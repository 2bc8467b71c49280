"""Files of which it is known that each frame can be decoded: prepare-data did so, and they have not changed since."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from slowfast.video.decoding.notes import note
from slowfast.video.stored.kept_index import records_above
from slowfast.video.stored.manifest import read_record


def is_known_whole(path: str | Path) -> bool:
    """The record of the video says that it is whole and plain (VideoRecord.whole_at), of the file as it is now."""
    try:
        stat = Path(path).stat()
    except OSError:
        return False  # opening it says what is wrong
    return _is_known(Path(path), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=4096)
def _is_known(path: Path, size: int, changed: int) -> bool:
    root = records_above(path.parent)
    if root is None:
        return False
    file = path.relative_to(root)
    try:
        record = read_record(root, file.with_suffix("").as_posix())
    except ValueError as error:
        note("record", str(path), f"its record cannot be read, and is not used: {error}")
        return False
    return record is not None and (record.file, record.bytes, record.whole_at) == (file.as_posix(), size, changed)


def forget_known() -> None:
    """Look at all records again; for tests."""
    _is_known.cache_clear()
