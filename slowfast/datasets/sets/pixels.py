"""Where the frames of a set come from, as the config says: files as they are, or decoded once into a cache; and files
that a config names."""

from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.video.open_videos import Fetching, open_videos
from slowfast.video.reader import VideoFiles
from slowfast.video.source import PixelSource
from slowfast.video.stored.cache import CachedVideos


def video_files(cfg: CfgNode, folder: str, *, threads: int | None = None) -> VideoFiles:
    """Those below a path or a URL. threads: None: workers decode with one each, the training process with all there are"""
    d = cfg.DATA
    fetching = Fetching(
        folder=d.REMOTE_CACHE_DIR, gigabytes=d.REMOTE_CACHE_GB, tries=d.REMOTE_TRIES, seconds=d.REMOTE_TIMEOUT
    )
    if threads is not None:
        return open_videos(folder, fetching=fetching, threads=threads)
    return open_videos(folder, fetching=fetching, threads=1 if cfg.DATA_LOADER.NUM_WORKERS else 0)


def videos_or_cache(cfg: CfgNode, folder: str, videos: VideoFiles | None = None) -> PixelSource:
    """The files below `folder`, or `videos`, through DATA.CACHE_DIR where one is named."""
    videos = video_files(cfg, folder) if videos is None else videos
    if not cfg.DATA.CACHE_DIR:
        return videos
    return CachedVideos(videos, cfg.DATA.CACHE_DIR, short_side=cfg.DATA.CACHE_SHORT_SIDE or None)


def existing_file(path: Path, key: str) -> Path:
    """`path`, where there is a file. Raises FileNotFoundError that names `key`, the one to change."""
    if not path.is_file():
        what = "is a folder, and a file is needed" if path.is_dir() else "no such file"
        raise FileNotFoundError(f"{path}: {what} ({key})")
    return path
