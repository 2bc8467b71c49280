"""Decoded videos on disk: short videos that are read many times are decoded once and memory-mapped afterwards."""

from __future__ import annotations

import errno
import hashlib
import json
import multiprocessing
import os
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from slowfast.utils.files import open_whole
from slowfast.utils.processes.cores import ignore_ctrl_c
from slowfast.video.decoding.notes import note
from slowfast.video.reader import VideoFiles
from slowfast.video.source import ClipPixels, ClipReadError, Timeline
from slowfast.video.stored.disk_room import ADVICE, check_room
from slowfast.video.stored.whole_decoding import ByPyAV, WholeDecoder

_OPEN_ENTRIES = 256  # memory maps a process keeps open
_WORTH_PROCESSES = 16  # fewer videos are decoded sooner than a process starts
_FORMAT = 3  # count up when the files of the cache change, or what is taken for damage


@dataclass(frozen=True)
class PrefillReport:
    """decoded: videos decoded now; rebuilt: those of them whose entry was stale or broken; reused: good entries."""

    decoded: int
    rebuilt: int
    reused: int
    failed: tuple[ClipReadError, ...]

    @classmethod
    def of_all(cls, reports: Sequence[PrefillReport]) -> PrefillReport:
        """One report of several, each on other videos."""
        failed = sorted((error for report in reports for error in report.failed), key=str)
        decoded, rebuilt, reused = (
            sum(getattr(report, name) for report in reports) for name in ("decoded", "rebuilt", "reused")
        )
        return cls(decoded, rebuilt, reused, tuple(failed))

    def __str__(self) -> str:
        decoded = f"{self.decoded} videos decoded ({self.rebuilt} of them anew: stale or broken entry)"
        line = f"{decoded}, {self.reused} found in the cache, {len(self.failed)} cannot be read"
        return line + "".join(f"\n  {error}" for error in self.failed)


@dataclass(frozen=True)
class _Entry:
    identity: dict[str, object]
    frames: np.ndarray
    timeline: Timeline
    pixel_aspect: float


class CachedVideos:
    """`source` with every video decoded whole on its first read and kept in `cache_dir`. A PixelSource.

    short_side: shrink the frames so that their short side is this many pixels; None keeps them, and reads equal those
                of `source` bit for bit
    decoder:    what fills it. Where that is not installed, entries are taken whatever they were decoded by, with a warning
    `built` and `rebuilt` count what this process decoded, and how many of these replaced a stale or broken entry.
    """

    def __init__(
        self,
        source: VideoFiles,
        cache_dir: str | Path,
        *,
        short_side: int | None = None,
        decoder: WholeDecoder | None = None,
    ) -> None:
        self.source = source
        self.decoder = ByPyAV() if decoder is None else decoder
        self.cache_dir = Path(cache_dir)
        self.short_side = short_side
        self.built = 0
        self.rebuilt = 0
        self._open: OrderedDict[str, _Entry] = OrderedDict()  # by the name of the entry

    def __getstate__(self) -> dict[str, object]:
        return self.__dict__ | {"_open": OrderedDict()}  # a pickled memory map would carry the pixels

    def read(self, video: str, times: np.ndarray, *, center: int) -> ClipPixels:
        entry = self._entry(video, self.source.threads)
        indices, clamped = entry.timeline.at_times(np.asarray(times), center=center)
        return ClipPixels(np.asarray(entry.frames[indices]), clamped, entry.pixel_aspect)

    def read_frames(self, video: str, numbers: np.ndarray, *, center: int) -> ClipPixels:
        entry = self._entry(video, self.source.threads)
        indices, clamped = entry.timeline.at_numbers(numbers, center=center)
        return ClipPixels(np.asarray(entry.frames[indices]), clamped, entry.pixel_aspect)

    def prefill(self, videos: Sequence[str], *, num_workers: int = 0, shares: int = 1) -> PrefillReport:
        """Decode the videos that the cache lacks, in `num_workers` processes (0: in this one), with a progress bar.

        shares: processes that do so with other videos at the same time, on the same disk
        What they will take is logged. Raises OSError where the disk has not that much, before it is full.
        """
        from slowfast.utils.progress import progress  # it needs torch, which the spawned workers do without

        names = list(dict.fromkeys(videos))
        outcomes: list[str | ClipReadError] = []
        with progress(what="decoding videos", total=len(names), unit="video") as bar:
            ready = [name for name in names if self._is_cached(name)]
            outcomes += ["reused"] * len(ready)
            bar.update(len(ready))
            names = [name for name in names if name not in set(ready)]
            check_room(self._there(names), self.cache_dir, short_side=self.short_side, shares=shares)
            if num_workers == 0 or len(names) < _WORTH_PROCESSES:
                for name in names:
                    outcomes.append(self._prepare(name, self.source.threads))
                    bar.update()
            else:
                # spawn: a fork would copy the threads' locks of the decoder and of torch in whatever state they are
                context = multiprocessing.get_context("spawn")
                with ProcessPoolExecutor(num_workers, mp_context=context, initializer=ignore_ctrl_c) as pool:
                    try:
                        for done in as_completed([pool.submit(self._prepare, name, 1) for name in names]):
                            outcomes.append(done.result())
                            bar.update()
                    except BaseException:  # a full disk, Ctrl-C: the videos still waiting would only fail too
                        pool.shutdown(cancel_futures=True)
                        raise
        failed = sorted((o for o in outcomes if isinstance(o, ClipReadError)), key=str)
        rebuilt = outcomes.count("rebuilt")
        return PrefillReport(outcomes.count("built") + rebuilt, rebuilt, outcomes.count("reused"), tuple(failed))

    def _there(self, videos: Sequence[str]) -> list[Path]:
        """The files of those that have one on this machine."""
        found: list[Path] = []
        if not self.source.near:  # what they will take would only be known once they were fetched
            return found
        for video in videos:
            try:
                found.append(self.source.path(video))
            except ClipReadError:
                continue  # decoding it says so
        return found

    def _is_cached(self, video: str) -> bool:
        try:
            identity = self._identity(video)
            return self._load(self._name(identity), identity) is not None
        except ClipReadError:
            return False

    def _name(self, identity: dict[str, object]) -> str:
        return hashlib.sha256(f"{identity['path']}|{self.short_side}".encode()).hexdigest()[:32]

    def _prepare(self, video: str, threads: int) -> str | ClipReadError:
        before = (self.built, self.rebuilt)
        try:
            self._entry(video, threads)
        except ClipReadError as error:
            return error
        if self.rebuilt > before[1]:
            return "rebuilt"
        return "built" if self.built > before[0] else "reused"

    def _entry(self, video: str, threads: int) -> _Entry:
        identity = self._identity(video)
        name = self._name(identity)
        entry = self._open.get(name)
        if entry is None or entry.identity != identity:
            entry = self._load(name, identity)
        if entry is None:
            stale = (self.cache_dir / f"{name}.json").exists()
            with self.source.held(video) as path:
                self._build(path, name, identity, threads)
            self.built += 1
            self.rebuilt += stale
            entry = self._load(name, identity)
            if entry is None:
                raise OSError(f"{self.cache_dir}: the entry just written for {video} cannot be read back")
        self._open[name] = entry
        self._open.move_to_end(name)
        while len(self._open) > _OPEN_ENTRIES:
            self._open.popitem(last=False)
        return entry

    def _identity(self, video: str) -> dict[str, object]:
        """What the decoded pixels depend on; another identity makes an entry stale."""
        return {
            "format": _FORMAT,
            **self.source.identity(video),
            "short_side": self.short_side,
            "decoder": self.decoder.name(),
        }

    def _load(self, name: str, identity: dict[str, object]) -> _Entry | None:
        """The entry, or None where it is missing, stale, or not what was written."""
        try:
            meta = json.loads((self.cache_dir / f"{name}.json").read_text(encoding="utf-8"))
            if not self._is_of(meta.get("identity"), identity):
                return None
            frames = np.load(self.cache_dir / f"{name}.npy", mmap_mode="r")
            line = meta["timeline"]
            damaged = tuple((float(low), float(high)) for low, high in line["damaged"])
            times = np.asarray(line["times"], dtype=np.float64)
            if frames.dtype != np.uint8 or frames.shape != tuple(meta["shape"]) or len(frames) != len(times):
                return None
            pixel_aspect, seconds, end = (
                float(number) for number in (meta["pixel_aspect"], line["frame_seconds"], line["end"])
            )
            if not pixel_aspect > 0 or not seconds > 0 or not np.isfinite(times).all() or (np.diff(times) < 0).any():
                return None
        except Exception:  # whatever a damaged file makes json and numpy throw: the caller decodes again and counts it
            return None
        timeline = Timeline(str(identity["path"]), times, seconds, end, damaged)
        return _Entry(identity, frames, timeline, pixel_aspect)

    def _is_of(self, kept: dict[str, object], identity: dict[str, object]) -> bool:
        if identity["decoder"] or kept == identity:
            return kept == identity
        if kept | {"decoder": ""} != identity:
            return False
        note(
            "decoder",
            str(self.cache_dir),
            f"PyAV is not installed, so entries are taken as {kept['decoder']} decoded them",
        )
        return True

    def _build(self, path: Path, name: str, identity: dict[str, object], threads: int) -> None:
        """Decode and write both files; the .json appears last and makes the entry valid."""
        pixels, meta = (self.cache_dir / f"{name}.{kind}" for kind in ("npy", "json"))
        try:
            self.cache_dir.mkdir(parents=True, exist_ok=True)
            with open_whole(meta) as described, open_whole(pixels, "wb") as sink:
                shape, timeline, aspect = self.decoder.write(path, sink, short_side=self.short_side, threads=threads)
                line = {
                    "times": timeline.times.tolist(),
                    "frame_seconds": timeline.frame_seconds,
                    "end": timeline.end,
                    "damaged": timeline.damaged,
                }
                entry = {"identity": identity, "shape": shape, "timeline": line, "pixel_aspect": aspect}
                described.write(json.dumps(entry))
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else str(error)
            message = f"{reason} while writing the decoded frames of {path} to {self.cache_dir} (DATA.CACHE_DIR)"
            if error.errno == errno.ENOSPC:
                message += f": {ADVICE}"
            raise OSError(error.errno, message) from error
