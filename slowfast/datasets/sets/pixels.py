"""Where the frames of a set come from, as the config says: files as they are, or decoded once into a cache; and files
that a config names."""

from pathlib import Path

from fvcore.common.config import CfgNode

from slowfast.video.cache import CachedVideos
from slowfast.video.reader import VideoFiles
from slowfast.video.source import PixelSource


def video_files(cfg: CfgNode, folder: str) -> VideoFiles:
    """Workers decode with one thread each, the training process with all there are."""
    return VideoFiles(folder, threads=1 if cfg.DATA_LOADER.NUM_WORKERS else 0)


def videos_or_cache(cfg: CfgNode, folder: str) -> PixelSource:
    """The files below `folder`, through DATA.CACHE_DIR where one is named."""
    videos = video_files(cfg, folder)
    if not cfg.DATA.CACHE_DIR:
        return videos
    return CachedVideos(videos, cfg.DATA.CACHE_DIR, short_side=cfg.DATA.CACHE_SHORT_SIDE or None)


def existing_file(path: Path, key: str) -> Path:
    """`path`, where there is a file. Raises FileNotFoundError that names `key`, the one to change."""
    if not path.is_file():
        what = "is a folder, and a file is needed" if path.is_dir() else "no such file"
        raise FileNotFoundError(f"{path}: {what} ({key})")
    return path
