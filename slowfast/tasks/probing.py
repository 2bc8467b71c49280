"""Before a run starts, its videos are opened once: those that cannot be are named, and with DATA.STRICT stop it."""

from collections.abc import Sequence

from fvcore.common.config import CfgNode

from slowfast.utils import distributed
from slowfast.utils.logging import get_logger
from slowfast.video.probe import ProbeReport, probe
from slowfast.video.reader import VideoFiles


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
