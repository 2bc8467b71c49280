"""Before a run starts, its videos are opened once: those that cannot be are named, and with DATA.STRICT stop it. A few
clips are read, too: where none can be, the run ends there and says the likeliest reason."""

from collections.abc import Callable, Sequence

import numpy as np
from fvcore.common.config import CfgNode

from slowfast.datasets.clips.key_frame_clips import ClipShape
from slowfast.datasets.split import KeyFrameSplit, Split
from slowfast.structures.annotations.box_table import plain_time
from slowfast.utils.logging import get_logger
from slowfast.utils.processes import distributed
from slowfast.video.probe import ProbeReport, probe
from slowfast.video.reader import VideoFiles
from slowfast.video.source import ClipReadError
from slowfast.video.why_unreadable import likeliest_cause

CLIPS_TRIED = 16  # with one in two readable, all of them fail in one run of 65,000
_SHOWN = 3


def name_broken_videos(cfg: CfgNode, split: str, pixels: object, videos: Sequence[str]) -> None:
    """Each process tries its share of the videos; the log tells which cannot be opened. Nothing for other sources:
    a cache decodes what it lacks before the run, frames and images have no header worth a look, and videos of another
    machine would all have to be fetched.

    Raises ValueError with DATA.STRICT where there is one.
    """
    if not isinstance(pixels, VideoFiles) or not pixels.near or not cfg.DATA.PROBE_SECONDS:
        return
    share = list(dict.fromkeys(videos))[distributed.rank() :: distributed.world_size()]
    report = ProbeReport.of_all(distributed.gather_objects(probe(pixels, share, seconds=float(cfg.DATA.PROBE_SECONDS))))
    if report.failed and cfg.DATA.STRICT:
        raise ValueError(f"{split}: {report}\nMend or remove them, or set DATA.STRICT False to go on without them")
    consequence = "\nTheir clips are left out and counted (DATA.STRICT True would stop here)" if report.failed else ""
    log = get_logger().warning if report.failed else get_logger().info
    log("%s: %s%s", split, report, consequence)


def try_some_clips(cfg: CfgNode, split: str, data: Split) -> None:
    """Read one frame of clips in a random order that is always the same, until one can be read.

    Raises ValueError, on all processes, where none of CLIPS_TRIED can be on one of them, unless DATA.MAX_UNREADABLE is 1.
    """
    if cfg.DATA.MAX_UNREADABLE >= 1:
        return
    failed: list[str] = []
    count, read = _reader_of(data)
    for index in np.random.default_rng(0).permutation(count)[:CLIPS_TRIED].tolist():
        try:
            read(index)
        except ClipReadError as error:
            failed.append(str(error))
        else:
            failed = []
            break
    for errors in distributed.gather_objects(failed):
        if errors:
            cause = likeliest_cause(errors)
            shown = "".join(f"\n  - {error}" for error in errors[:_SHOWN]) + ("\n  - ..." if errors[_SHOWN:] else "")
            raise ValueError(
                f"{split}: none of {len(errors)} clips that were tried, of {count}, can be read, so the run ends before it "
                f"starts{'; ' if cause else ''}{cause}{shown}"
            )


def _reader_of(data: Split) -> tuple[int, Callable[[int], object]]:
    """How many clips there are, and what reads a frame of one: of a key frame, or from the middle of a video."""
    if isinstance(data, KeyFrameSplit):
        key_frames = data.annotated.key_frames

        def on_key_frame(index: int) -> object:
            moment = plain_time(key_frames.timestamp[index].item())
            return data.clock.read(data.pixels, key_frames.video_name(index), moment, ClipShape(1, 1))

        return len(key_frames), on_key_frame

    def in_the_middle(index: int) -> object:
        name = data.videos.names[index]
        return data.pixels.read_positions(name, np.array([len(data.pixels.length(name)) // 2]))

    return len(data.videos.names), in_the_middle
