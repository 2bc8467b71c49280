"""The videos of the page: received, waiting, worked on one at a time, kept for a while, and removed."""

import re
import secrets
import shutil
import sys
import threading
import time
import traceback
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from slowfast.inference.serve.limits import Limits
from slowfast.video.source import ClipReadError

State = Literal["receiving", "waiting", "working", "done", "failed"]
JANITOR_SECONDS = 20.0
_NAME_LETTERS = 80


class QueueFullError(Exception):
    """No further video is taken now."""


class GoneError(Exception):
    """The job was removed, or the page ends, while it was worked on."""


@dataclass
class Wish:
    """What is asked about a video. every: seconds between key frames, None for what suits the model; track: number people"""

    every: float | None = None
    track: bool = False


@dataclass
class Job:
    """One video. folder: of its files, named at random; name: what the user called it, to be shown and never a path."""

    id: str
    name: str
    folder: Path
    wish: Wish
    created: float
    state: State = "receiving"
    share: float = 0.0
    message: str = ""
    ended: float | None = None
    video: Path | None = None
    gone: bool = False


# Does the work on a job and returns what is told of it; calls `watch(share)` now and then.
Work = Callable[[Job, Callable[[float], None]], str]


def clean_name(name: str) -> str:
    """What a user's file is called on the page: its last part, without control characters, not too long."""
    last = re.split(r"[/\\]", name)[-1]
    shown = "".join(letter for letter in last if unicodedata.category(letter)[0] != "C").strip()
    if len(shown) > _NAME_LETTERS:
        shown = f"{shown[: _NAME_LETTERS - 13]}...{shown[-10:]}"
    return shown or "video"


class Jobs:
    """All jobs of a page, below `root`. Its two threads, one that works and one that cleans up, end with `close`."""

    def __init__(self, root: Path, work: Work, limits: Limits, *, clock: Callable[[], float] = time.time) -> None:
        self.root, self.limits = root, limits
        self._work, self._clock = work, clock
        self._jobs: dict[str, Job] = {}
        self._changed = threading.Condition()
        self._closed = threading.Event()
        self._threads = [
            threading.Thread(target=run, name=f"page: {run.__name__}", daemon=True)
            for run in (self._work_on, self._clean_up)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        self._closed.set()
        with self._changed:
            self._changed.notify_all()
        for thread in self._threads:
            thread.join(2.0)

    def reserve(self, name: str, wish: Wish) -> Job:
        """A job whose video is about to come. Raises QueueFullError."""
        with self._changed:
            waiting = sum(job.state in ("receiving", "waiting") for job in self._jobs.values())
            if waiting >= self.limits.waiting:
                raise QueueFullError(f"{waiting} videos wait already; try again when one of them is done")
            key = secrets.token_urlsafe(16)
            job = Job(key, clean_name(name), self.root / secrets.token_hex(16), wish, self._clock())
            job.folder.mkdir(mode=0o700)
            self._jobs[key] = job
            return job

    def submit(self, job: Job, video: Path) -> None:
        """Its video is there, whole."""
        with self._changed:
            job.video, job.state = video, "waiting"
            self._changed.notify_all()

    def find(self, key: str) -> Job | None:
        self.expire()
        with self._changed:
            return self._jobs.get(key)

    def remove(self, key: str) -> bool:
        """Forget a job and delete its files; False where there is none."""
        with self._changed:
            job = self._jobs.pop(key, None)
            if job is None:
                return False
            job.gone = True
        shutil.rmtree(job.folder, ignore_errors=True)
        return True

    def told(self) -> list[dict[str, Any]]:
        """What the page shows of all jobs, the newest first."""
        self.expire()
        with self._changed:
            waiting = [job.id for job in self._jobs.values() if job.state == "waiting"]
            return [
                {
                    "id": job.id,
                    "name": job.name,
                    "state": job.state,
                    "share": round(job.share, 3),
                    "message": job.message,
                    "before": waiting.index(job.id) if job.id in waiting else 0,
                    "minutes_left": self._minutes_left(job),
                }
                for job in reversed(self._jobs.values())
            ]

    def _minutes_left(self, job: Job) -> int | None:
        if job.ended is None:
            return None
        return max(0, round((job.ended + self.limits.keep_seconds - self._clock()) / 60))

    def expire(self) -> None:
        """Remove what has been kept long enough, and the oldest of too many."""
        with self._changed:
            ended = [job for job in self._jobs.values() if job.ended is not None]
            old = [job for job in ended if self._clock() - (job.ended or 0) >= self.limits.keep_seconds]
            old += [job for job in ended if job not in old][: -self.limits.kept]
        for job in old:
            self.remove(job.id)

    # ----------------------------------------------------------------------------------------------------- threads

    def _clean_up(self) -> None:
        while not self._closed.wait(JANITOR_SECONDS):
            self.expire()

    def _work_on(self) -> None:
        while True:
            with self._changed:
                job = next((job for job in self._jobs.values() if job.state == "waiting"), None)
                if job is None:
                    self._changed.wait(1.0)
                else:
                    job.state = "working"
            if self._closed.is_set():
                return
            if job is not None:
                self._work_at(job)

    def _work_at(self, job: Job) -> None:
        def watch(share: float) -> None:
            if job.gone or self._closed.is_set():
                raise GoneError
            job.share = min(max(share, 0.0), 1.0)

        try:
            state, message = "done", self._work(job, watch)
        except GoneError:
            return self._forget_files(job)
        except ClipReadError as error:
            state, message = "failed", f"the video could not be read: {error.reason}"
        except (ValueError, OSError) as error:
            state, message = "failed", str(error).replace(str(job.folder), "")
        except Exception:  # the page goes on, and whoever started it sees what happened
            traceback.print_exc(file=sys.stderr)
            state, message = "failed", "an error of the program, told on the terminal where it runs"
        with self._changed:
            job.state, job.message, job.ended = state, message, self._clock()  # type: ignore[assignment]
        if job.gone:
            self._forget_files(job)
        return None

    def _forget_files(self, job: Job) -> None:
        """Once more, as the work may have written after they were removed."""
        shutil.rmtree(job.folder, ignore_errors=True)
