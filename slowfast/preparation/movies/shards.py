"""Videos packed into tar shards with index files: WebDataset's layout, written with Python's tarfile."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from slowfast.utils.files import whole_file
from slowfast.utils.progress import progress
from slowfast.video.shards.shard_index import Member, index_name, write_index

_NAME = "shard-{:06d}.tar"


@dataclass(frozen=True)
class ShardReport:
    """written, kept: shards made now, and those that were ready; root: how a config names all of them"""

    videos: int
    written: int
    kept: int
    root: str

    def __str__(self) -> str:
        total = self.written + self.kept
        return (
            f"{self.videos} videos in {total} shards: {self.written} written, {self.kept} were ready\n"
            f"as a folder of videos (AVA.VIDEO_DIR, DATA.PATH_PREFIX, ...): {self.root}"
        )


def write_shards(videos: dict[str, Path], out: Path, *, shard_bytes: int) -> ShardReport:
    """Pack `videos`, {name: file}, in the order of their names; a shard is begun before one would exceed `shard_bytes`.

    A shard that was finished, of the same files with the same sizes and times, is kept; of one that was not, nothing is.
    Shards beyond the last that a former call left are removed. Raises ValueError for names that cannot be in an index.
    """
    if shard_bytes < 1:
        raise ValueError(f"a shard has a size, got {shard_bytes} bytes (--shard-gb)")
    files = {f"{name}{path.suffix}": path for name, path in sorted(videos.items())}
    for name in files:
        if name.split() != [name]:
            raise ValueError(f"{files[name]}: a file in a shard may have no blank in its name; rename it")
    out.mkdir(parents=True, exist_ok=True)
    groups, written = list(_groups(files, shard_bytes)), 0
    for number, group in enumerate(progress(groups, what="packing", total=len(groups), unit="shard")):
        path = out / _NAME.format(number)
        if not _is_ready(path, group):
            path.with_name(index_name(path.name)).unlink(missing_ok=True)  # a shard with an index is a finished one
            _write(path, group)
            written += 1
    _remove_from(out, len(groups))
    last = f"{len(groups) - 1:06d}"
    root = f"{out}/shard-{{000000..{last}}}.tar" if len(groups) > 1 else f"{out}/{_NAME.format(0)}"
    return ShardReport(len(files), written, len(groups) - written, root)


def _groups(files: dict[str, Path], shard_bytes: int) -> Iterator[dict[str, Path]]:
    group: dict[str, Path] = {}
    total = 0
    for name, path in files.items():
        size = path.stat().st_size
        if group and total + size > shard_bytes:
            yield group
            group, total = {}, 0
        group[name] = path
        total += size
    if group:
        yield group


def _is_ready(path: Path, group: dict[str, Path]) -> bool:
    if not path.with_name(index_name(path.name)).is_file() or not path.is_file():
        return False
    try:
        with tarfile.open(path, "r:") as shard:
            there = [(info.name, info.size, int(info.mtime)) for info in shard]
    except tarfile.TarError:
        return False
    stats = ((name, file.stat()) for name, file in group.items())
    return there == [(name, stat.st_size, int(stat.st_mtime)) for name, stat in stats]


def _write(path: Path, group: dict[str, Path]) -> None:
    """The shard, then its index."""
    members = []
    with whole_file(path) as temporary, tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as shard:
        for name, file in group.items():
            with open(file, "rb") as content:
                info = shard.gettarinfo(arcname=name, fileobj=content)
                info.mtime, info.uid, info.gid, info.uname, info.gname = int(info.mtime), 0, 0, "", ""
                info.mode = 0o644
                shard.addfile(info, content)
            blocks = -(-info.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
            members.append(Member(name, shard.offset - blocks, info.size))
    write_index(members, path.with_name(index_name(path.name)))


def _remove_from(out: Path, number: int) -> None:
    while (path := out / _NAME.format(number)).exists():
        path.with_name(index_name(path.name)).unlink(missing_ok=True)
        path.unlink()
        number += 1
