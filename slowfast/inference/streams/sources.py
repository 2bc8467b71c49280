"""Which videos are meant by a file, a folder or a pattern, and what the files about each are called."""

import glob
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
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


def plan_jobs(videos: Sequence[Path], out: str | Path) -> list[Job]:
    """Files in `out` named after the videos; with their endings, or a number, where two would have one name.

    Raises ValueError where a result would overwrite a video.
    """
    stems = Counter(video.stem for video in videos)
    jobs: list[Job] = []
    taken: Counter[str] = Counter()
    for video in videos:
        name = video.stem if stems[video.stem] == 1 else video.name.replace(".", "_")
        taken[name] += 1
        jobs.append(Job(video, Path(out) / (name if taken[name] == 1 else f"{name}_{taken[name]}")))
    for job in jobs:
        for other in videos:
            refuse_to_overwrite(other, job.file(".mp4"))
            refuse_to_overwrite(other, job.file("_plain.mp4"))
    return jobs
