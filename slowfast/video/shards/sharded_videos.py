"""Videos in tar shards, each read by itself: from the shard where it lies, or fetched alone from a store."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path, PurePosixPath

from slowfast.video.reader import VIDEO_EXTENSIONS, VideoFiles
from slowfast.video.remote.kept_files import KeptFiles
from slowfast.video.remote.remote_videos import RemoteVideos
from slowfast.video.remote.store import FetchError, RemoteFile, Store, StoreError
from slowfast.video.shards.shard_index import BLOCK, Member, ShardIndex, header_fault, index_name, read_index, scan
from slowfast.video.source import ClipReadError


class LocalShards(VideoFiles):
    """Videos in shards on this machine. FFmpeg opens a video as the part of the shard that it is (its protocol `subfile`).

    folder, shards: where the shards are, and their names; one without an index file is looked through
    Raises FileNotFoundError where a shard is missing, ValueError where one is damaged.
    """

    def __init__(
        self,
        folder: str | Path,
        shards: tuple[str, ...],
        *,
        extensions: tuple[str, ...] = VIDEO_EXTENSIONS,
        threads: int = 0,
    ) -> None:
        super().__init__(folder, extensions=extensions, threads=threads)
        self.index = ShardIndex.of({shard: self._members(shard) for shard in shards})

    def _members(self, shard: str) -> list[Member]:
        path, index = self.root / shard, self.root / index_name(shard)
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such shard")
        return list(read_index(index.read_text(encoding="utf-8"), index)) if index.is_file() else scan(path)

    def path(self, video: str) -> Path:
        """FFmpeg's name of the part of the shard that is the video; no path to open otherwise."""
        shard, member = find_member(self.index, video, self.extensions, str(self.root))
        path = self.root / shard
        where = f"{path}, member {member.name}"
        try:
            with open(path, "rb") as file:
                file.seek(member.offset - BLOCK)
                block = file.read(BLOCK)
                end = file.seek(0, 2)
        except OSError as error:
            raise ClipReadError(where, None, error.strerror or str(error)) from error
        if end < member.offset + member.size:
            raise ClipReadError(where, None, f"the shard is cut off: it has {end} bytes")
        fault = header_fault(block, member)
        if fault:
            raise ClipReadError(where, None, fault)
        return Path(f"subfile,,start,{member.offset},end,{member.offset + member.size},,:{path.absolute()}")

    def check(self, video: str) -> None:
        find_member(self.index, video, self.extensions, str(self.root))

    def identity(self, video: str) -> dict[str, object]:
        shard, member = find_member(self.index, video, self.extensions, str(self.root))
        path = self.root / shard
        try:
            changed = path.stat().st_mtime_ns
        except OSError as error:
            raise ClipReadError(f"{path}, member {member.name}", None, error.strerror or str(error)) from error
        place = f"{path.resolve()}, member {member.name} at {member.offset}"
        return {"path": place, "size": member.size, "mtime_ns": changed}

    @contextmanager
    def held(self, video: str) -> Iterator[Path]:
        shard, member = find_member(self.index, video, self.extensions, str(self.root))
        path = self.path(video)
        where = f"{self.root / shard}, member {member.name}"
        try:
            yield path
        except ClipReadError as error:
            raise ClipReadError(where, error.at, error.reason.replace(str(path), where), error.unit) from error


class RemoteShards(RemoteVideos):
    """Videos in shards of a store. A video is fetched alone, by its place in the shard, and kept as any fetched file."""

    def __init__(
        self,
        store: Store,
        shards: tuple[str, ...],
        kept: KeptFiles,
        *,
        extensions: tuple[str, ...] = VIDEO_EXTENSIONS,
        threads: int = 0,
    ) -> None:
        super().__init__(store, kept, extensions=extensions, threads=threads)
        self._shards: dict[str, RemoteFile] = {}
        self.index = ShardIndex.of({shard: self._members(shard) for shard in shards})

    def _members(self, shard: str) -> list[Member]:
        index = index_name(shard)
        url = self.store.address.of(index)
        try:
            return list(read_index(self.store.read(index).decode(), url))
        except FetchError as error:
            told = f"{url}: {error}; shards in a store need their index files (bmvit prepare-data --mode shards)"
            raise StoreError(told) from error

    def _look_for(self, video: str) -> RemoteFile:
        shard, member = find_member(self.index, video, self.extensions, self.store.address.shown)
        where = f"{self.store.address.of(shard)}, member {member.name}"
        if shard not in self._shards:
            file = self.store.info(shard)
            if file is None:
                raise ClipReadError(where, None, "no such shard")
            self._shards[shard] = file
        whole = self._shards[shard]
        if whole.size is not None and whole.size < member.offset + member.size:
            raise ClipReadError(where, None, f"the shard is cut off: it has {whole.size} bytes")
        fault = header_fault(self.store.read(shard, member.offset - BLOCK, member.offset), member)
        if fault:
            raise ClipReadError(where, None, fault)
        return replace(whole, size=member.size, md5="", start=member.offset, member=member.name)


def find_member(index: ShardIndex, video: str, extensions: tuple[str, ...], root: str) -> tuple[str, Member]:
    """The shard and the place of a video, named with or without extension. Raises ClipReadError: none, or several."""
    exact = index.find(video)
    if exact is not None:
        return exact
    names = dict.fromkeys(f"{video}{e}" for lower in extensions for e in (lower, lower.upper()))
    found = [place for place in map(index.find, names) if place is not None]
    if len(found) == 1:
        return found[0]
    if found:
        told = ", ".join(f"{PurePosixPath(member.name).name} in {shard}" for shard, member in found)
        raise ClipReadError(f"{root}, member {video}", None, f"several files have this name: {told}; keep one")
    tried = " ".join(extensions)
    reason = (
        f"none of {len(index.shards)} shards has it, with none of the extensions {tried} (they have {len(index)} files)"
    )
    raise ClipReadError(f"{root}, member {video}", None, reason)
