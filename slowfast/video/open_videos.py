"""The one door to videos: a folder of this machine, the URL of a folder, or shards of either."""

from dataclasses import dataclass

from slowfast.video.reader import VideoFiles
from slowfast.video.remote.address import is_url
from slowfast.video.remote.kept_files import KeptFiles
from slowfast.video.remote.remote_videos import RemoteVideos
from slowfast.video.remote.store import Store, StoreError
from slowfast.video.shards.shard_index import folder_and_shards, is_sharded
from slowfast.video.shards.sharded_videos import LocalShards, RemoteShards


@dataclass(frozen=True)
class Fetching:
    """How files of URLs are fetched.

    folder:  where they lie while they are read, "" where nobody said it; gigabytes: 10^9 bytes that all may take there
    tries, seconds: see Store
    """

    folder: str = ""
    gigabytes: float = 100.0
    tries: int = 4
    seconds: float = 60.0


def open_videos(root: str, *, fetching: Fetching | None = None, threads: int = 0) -> VideoFiles:
    """The videos below `root`: a path, or a URL that fsspec knows (s3://, gs://, https://, file://, ...), of a folder or
    of shards in it (.../NAME-{000000..000041}.tar).

    Raises StoreError where a store does not answer, or no folder is named for what is fetched; MissingPackageError that
    tells what to install for a store.
    """
    fetching = fetching or Fetching()
    folder, shards = folder_and_shards(root) if is_sharded(root) else (root, None)
    if not is_url(folder):
        return VideoFiles(folder, threads=threads) if shards is None else LocalShards(folder, shards, threads=threads)
    store = Store(folder, tries=fetching.tries, seconds=fetching.seconds)
    if not fetching.folder:
        raise StoreError(
            f"{folder}: name a folder on a disk of this machine for the files that are fetched (DATA.REMOTE_CACHE_DIR), "
            f"with room for DATA.REMOTE_CACHE_GB ({fetching.gigabytes:g})"
        )
    store.connect()
    kept = KeptFiles(fetching.folder, limit=int(fetching.gigabytes * 1e9), patience=fetching.seconds)
    return (
        RemoteVideos(store, kept, threads=threads)
        if shards is None
        else RemoteShards(store, shards, kept, threads=threads)
    )
