"""Which videos are meant by a file, a folder or a pattern, and what the files about each are called."""

import glob
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from slowfast.inference.written.drawn_video import refuse_to_overwrite
from slowfast.video.reader import VIDEO_EXTENSIONS


@dataclass(frozen=True)
class Job:
    """One video and where the files about it go: `stem` with an ending of each kind."""

    video: Path
    stem: Path

    def file(self, ending: str) -> Path:
        """`ending`: ".jsonl", "_plain.mp4" """
        return self.stem.with_name(self.stem.name + ending)


def find_videos(sources: Sequence[str]) -> list[Path]:
    """Files as they are; the videos in a folder; what a pattern ("clips/**/*.mp4") matches. Each once.

    Raises FileNotFoundError for what is none of these, ValueError for a folder or pattern without a video.
    """
    found: list[Path] = []
    for source in sources:
        path = Path(source)
        if path.is_file():
            found.append(path)
        elif path.is_dir():
            videos = sorted(p for p in path.iterdir() if p.suffix.lower() in VIDEO_EXTENSIONS and p.is_file())
            if not videos:
                raise ValueError(f"{source} holds no video (a file that ends in {' '.join(VIDEO_EXTENSIONS)})")
            found += videos
        elif glob.has_magic(source):
            matched = sorted(Path(name) for name in glob.glob(source, recursive=True) if Path(name).is_file())
            if not matched:
                raise ValueError(f"no file is named like {source}")
            found += matched
        else:
            raise FileNotFoundError(f"{source}: there is no such file or folder")
    return list(dict.fromkeys(found))


# What a job may leave; see docs/PREDICT.md.
ENDINGS = (".jsonl", ".csv", ".mp4", ".html", "_plain.mp4", "_explain.html")


def plan_jobs(videos: Sequence[Path], out: str | Path) -> list[Job]:
    """Files in `out` named after the videos; with their endings, or a number, where two would have one name.

    Raises ValueError where a result would overwrite a video, or where `out` cannot be a folder.
    """
    check_folder(out)
    stems = Counter(video.stem for video in videos)
    jobs: list[Job] = []
    taken: set[Path] = set()
    for video in videos:
        name = video.stem if stems[video.stem] == 1 else video.name.replace(".", "_")
        numbered = (Job(video, Path(out) / (name if n == 1 else f"{name}_{n}")) for n in count(1))
        job = next(job for job in numbered if taken.isdisjoint(map(job.file, ENDINGS)))
        taken.update(map(job.file, ENDINGS))
        jobs.append(job)
    results = {path.resolve(): path for path in taken if path.exists()}
    for video in videos:
        if video.resolve() in results:
            refuse_to_overwrite(video, results[video.resolve()])
    return jobs


def check_folder(out: str | Path) -> None:
    """Raises ValueError where results cannot be written to `out`; makes nothing."""
    folder = Path(out)
    there = next((path for path in (folder, *folder.parents) if path.exists()), Path("."))
    if not there.is_dir():
        raise ValueError(f"--out {out}: {there} is a file, and results need a folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise ValueError(f"--out {out}: {there} cannot be written to; give another folder")
