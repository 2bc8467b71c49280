"""What is known of prepared videos: a record each, below `.manifest` beside them, which a training checks at its start.

A record is written once its video is whole, so a video with a record is one that was finished.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from slowfast.utils.files import write_text
from slowfast.utils.reading import reading
from slowfast.utils.text import read_json

FOLDER = ".manifest"
VERSION = 1
_SHOWN = 5


@dataclass(frozen=True)
class VideoRecord:
    """One video of a prepared folder.

    video:         its name; file: its file or folder, below the prepared folder
    source, source_bytes, source_time: what it was made of: path, size, time of the last change (seconds, rounded)
    done:          {"mode": "index", "encode" or "frames", and what else it was asked to be}
    starts_at:     second of the source that is second 0 of the video
    frames, fps, seconds, height, width, codec: of the video; fps: in the mean
    bytes, sha256: of the file; of a folder of frames the sum of its files, and ""
    decoder:       versions of what decoded it
    whole_at:      when the file was last changed, in nanoseconds, as every frame of it was decoded, found whole, and in the
                   order of its timestamps (decoding/plain_video.py); 0 where that was not looked at, or is not so
    """

    video: str
    file: str
    source: str
    source_bytes: int
    source_time: int
    done: dict[str, Any]
    starts_at: float
    frames: int
    fps: float
    seconds: float
    height: int
    width: int
    codec: str
    bytes: int
    sha256: str
    decoder: str
    whole_at: int = 0
    version: int = VERSION


def record_path(folder: Path, video: str) -> Path:
    return folder / FOLDER / f"{video}.json"


def write_record(record: VideoRecord, folder: Path) -> None:
    """Keep it, whole or not at all."""
    path = record_path(folder, record.video)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_text(json.dumps(asdict(record), indent=1) + "\n", path)


def read_record(folder: Path, video: str) -> VideoRecord | None:
    """None where there is none, or one of another version. Raises ValueError for a file that is none."""
    path = record_path(folder, video)
    if not path.is_file():
        return None
    content = read_json(path)
    if not isinstance(content, dict) or content.get("version") != VERSION:
        return None
    with reading(path, "not the record of a video; delete it and prepare the video again"):
        return VideoRecord(**content)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    return sum(file.stat().st_size for file in path.iterdir()) if path.is_dir() else path.stat().st_size


def check_manifest(folder: str | Path, videos: Sequence[str]) -> tuple[str, ...]:
    """Compare the videos of a training with their records; notes for the log, none for a folder that was not prepared.

    Raises ValueError where a file is not the one that was finished: it has another size.
    """
    folder = Path(folder)
    if not (folder / FOLDER).is_dir():
        return ()
    records = records_of(folder, videos)
    changed = []
    for record in records:
        path = folder / record.file
        if record.done.get("mode") != "frames" and path.exists() and size_of(path) != record.bytes:
            changed.append(f"{record.file} has {size_of(path)} bytes, and had {record.bytes} when it was finished")
    if changed:
        more = f"; and {len(changed) - _SHOWN} more" if len(changed) > _SHOWN else ""
        raise ValueError(
            f"{folder}: {'; '.join(changed[:_SHOWN])}{more}: prepare them again (bmvit prepare-data), or delete their "
            f"records below {folder / FOLDER}"
        )
    unknown = len(videos) - len(records)
    note = f"{folder}: {len(records)} of {len(videos)} videos are as they were prepared"
    return (note + (f"; {unknown} have no record" if unknown else "") + _moved(folder, records),)


def _moved(folder: Path, records: Sequence[VideoRecord]) -> str:
    """Says of how many videos it is not known any more that they are whole: their time is another one; "" of none."""
    looked_at = [(folder / record.file, record.whole_at) for record in records if record.whole_at]
    count = sum(path.exists() and path.stat().st_mtime_ns != changed for path, changed in looked_at)
    if not count:
        return ""
    return (
        f"; {count} were written again since they were looked at (copied without their times?), so frames that no clip "
        "shows are decoded too: cp -p and rsync -t keep the times"
    )


def records_of(folder: Path, videos: Sequence[str]) -> list[VideoRecord]:
    """Those that there are."""
    return [record for record in (read_record(folder, _plain(folder, video)) for video in videos) if record]


def _plain(folder: Path, video: str) -> str:
    """The name of a record: without the extension, which annotations may have."""
    return video if record_path(folder, video).is_file() else str(Path(video).with_suffix("")).replace("\\", "/")


def check_whole(folder: str | Path, videos: Sequence[str]) -> None:
    """Raises ValueError where videos were cut out of their movies: annotations that count frames count those of the whole."""
    cut = [record for record in records_of(Path(folder), videos) if record.done.get("window")]
    if cut:
        raise ValueError(
            f"{folder}: {len(cut)} videos are a window of their movies (such as {cut[0].file}, from second "
            f"{cut[0].starts_at:g} on), and the annotations count frames from the start of each movie; prepare them again "
            "without --window"
        )


def check_starts(folder: str | Path, videos: Sequence[str], first_second: float) -> None:
    """Raises ValueError where videos were cut to start at another second of their movies than AVA.FIRST_SECOND says."""
    records = [record for record in records_of(Path(folder), videos) if record.starts_at]
    wrong = [record for record in records if record.starts_at != first_second]
    if wrong:
        raise ValueError(
            f"{folder}: {len(wrong)} videos were cut to start at second {wrong[0].starts_at:g} of their movies (such as "
            f"{wrong[0].file}), and AVA.FIRST_SECOND is {first_second:g}; set it to {wrong[0].starts_at:g}"
        )
