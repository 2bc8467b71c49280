"""Where each file of a set of tar shards is: WebDataset's layout, and the index files that NVIDIA DALI reads it by.

A shard is a tar file, uncompressed, whose members are files as they are. SHARD.idx beside SHARD.tar has a first line "v1.2
SAMPLES" and then one for each sample: extension, offset, size and name of each of its members.
"""

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from slowfast.utils.files import write_text
from slowfast.utils.reading import reading

VERSION = "v1.2"
BLOCK = tarfile.BLOCKSIZE  # the header of a member is the block before its data
_LONG_NAME = 100  # bytes; longer names stand elsewhere than in that block
_MOST = 100_000


class Member(NamedTuple):
    """A file in a shard. offset, size: of its data, in bytes."""

    name: str
    offset: int
    size: int


def is_sharded(root: str) -> bool:
    """Whether a folder of videos is named by its shards: .../NAME.tar, .../NAME-{000000..000041}.tar."""
    return root.partition("?")[0].endswith(".tar")


def folder_and_shards(root: str) -> tuple[str, tuple[str, ...]]:
    """ "s3://b/v-{00..02}.tar" -> ("s3://b", ("v-00.tar", "v-01.tar", "v-02.tar")), as WebDataset writes it.

    Raises ValueError for braces that are none of this kind.
    """
    place, mark, query = root.partition("?")
    folder, _, pattern = place.rpartition("/")
    before, brace, rest = pattern.partition("{")
    if not brace:
        return f"{folder or '.'}{mark}{query}", (pattern,)
    numbers, closed, after = rest.partition("}")
    first, dots, last = numbers.partition("..")
    if not (closed and dots and first.isdecimal() and last.isdecimal()) or "{" in after:
        raise ValueError(f"{root}: shards are named as NAME.tar, or NAME-{{000000..000041}}.tar")
    count = int(last) - int(first) + 1
    if not 0 < count <= _MOST:
        raise ValueError(f"{root}: shards count up, from 1 to {_MOST:,} of them")
    names = (f"{before}{number:0{len(first)}d}{after}" for number in range(int(first), int(last) + 1))
    return f"{folder or '.'}{mark}{query}", tuple(names)


def index_name(shard: str) -> str:
    """ "a.tar" -> "a.idx"."""
    return f"{shard.removesuffix('.tar')}.idx"


def write_index(members: Sequence[Member], path: Path) -> None:
    """Of one shard, whole or not at all. Members of one sample, which differ after the first dot, follow one another."""
    samples: list[list[str]] = []
    last = None
    for name, offset, size in members:
        if name.split() != [name]:
            raise ValueError(f"{name!r}: a file in a shard may have no blank in its name; rename it")
        folder, slash, base = name.rpartition("/")
        stem, _, extension = base.partition(".")
        if f"{folder}{slash}{stem}" != last:
            samples.append([])
            last = f"{folder}{slash}{stem}"
        samples[-1].append(f"{extension} {offset} {size} {name}")
    write_text(f"{VERSION} {len(samples)}\n" + "".join(" ".join(sample) + "\n" for sample in samples), path)


def read_index(text: str, path: str | Path) -> Iterator[Member]:
    """path: where it is from, for the ValueError of a text that is no index"""
    with reading(path, "not an index of a shard (v1.2, as of wds2idx)"):
        first, *lines = text.splitlines()
        version, count = first.split()
        if version != VERSION or int(count) != len(lines):
            raise ValueError(f"it begins with {first[:40]!r}, and has {len(lines)} lines after that")
        for number, line in enumerate(lines, start=2):
            words = line.split()
            if not words or len(words) % 4:
                raise ValueError(f"line {number}: extension, offset, size and name of each file are asked for")
            for offset, size, name in zip(words[1::4], words[2::4], words[3::4], strict=True):
                member = Member(name, int(offset), int(size))
                if member.offset < BLOCK or member.offset % BLOCK or member.size < 0:
                    raise ValueError(f"line {number}: {name} cannot be at {offset} with {size} bytes in a tar file")
                yield member


def scan(path: Path) -> list[Member]:
    """The files in a shard, from its headers. Raises ValueError where it is no tar file, or is cut off."""
    with reading(path, "not a tar file"), tarfile.open(path, "r:") as shard:
        members = [Member(info.name, info.offset_data, info.size) for info in shard if info.isreg()]
        if members and members[-1].offset + members[-1].size > path.stat().st_size:
            raise ValueError(f"it is cut off in {members[-1].name}")
        return members


def header_fault(block: bytes, member: Member) -> str:
    """What is wrong with the tar header before a member's data; "" where it is this member's."""
    try:
        info = tarfile.TarInfo.frombuf(block, tarfile.ENCODING, "surrogateescape")
    except tarfile.HeaderError as error:
        return f"there is no tar header before it ({error})"
    same_name = info.name == member.name or len(member.name.encode()) > _LONG_NAME
    if info.size != member.size or not same_name:
        return f"the shard has {info.name} of {info.size} bytes there: the index is of another shard"
    return ""


@dataclass(frozen=True)
class ShardIndex:
    """All files of some shards, sorted by name: arrays, as there may be hundreds of thousands.

    names: (N,) bytes; shard: (N,) which of `shards`; offset, size: (N,) int64
    """

    shards: tuple[str, ...]
    names: np.ndarray
    shard: np.ndarray
    offset: np.ndarray
    size: np.ndarray

    @classmethod
    def of(cls, members: dict[str, list[Member]]) -> "ShardIndex":
        """members: of each shard. Raises ValueError where two files have one name."""
        rows = sorted(
            (member.name.encode(), k, *member[1:]) for k, some in enumerate(members.values()) for member in some
        )
        names, shard, offset, size = zip(*rows, strict=True) if rows else ((), (), (), ())
        found = cls(
            tuple(members),
            np.array(names, dtype="S"),
            *(np.array(part, dtype=np.int64) for part in (shard, offset, size)),
        )
        twice = np.flatnonzero(found.names[1:] == found.names[:-1])
        if len(twice):
            first, second = found.shards[found.shard[twice[0]]], found.shards[found.shard[twice[0] + 1]]
            raise ValueError(f"{found.names[twice[0]].decode()} is in the shards twice: in {first} and in {second}")
        return found

    def __len__(self) -> int:
        return len(self.names)

    def find(self, name: str) -> tuple[str, Member] | None:
        """The shard that has a file, and where."""
        key = name.encode()
        place = int(np.searchsorted(self.names, key)) if len(key) <= self.names.dtype.itemsize else len(self)
        if place == len(self) or self.names[place] != key:
            return None
        return self.shards[self.shard[place]], Member(name, int(self.offset[place]), int(self.size[place]))
