import io
import tarfile

import numpy as np
import pytest

from slowfast.video.shards.shard_index import (
    Member,
    ShardIndex,
    folder_and_shards,
    header_fault,
    index_name,
    is_sharded,
    read_index,
    scan,
    write_index,
)


def test_how_shards_are_named():
    assert is_sharded("data/a.tar") and is_sharded("https://h/s-{0..1}.tar?sig=$S") and not is_sharded("data/tars")
    assert folder_and_shards("s3://b/v-{08..10}.tar") == ("s3://b", ("v-08.tar", "v-09.tar", "v-10.tar"))
    assert folder_and_shards("a.tar") == (".", ("a.tar",)) and index_name("a.tar") == "a.idx"
    assert folder_and_shards("https://h/d/a.tar?sig=$S") == ("https://h/d?sig=$S", ("a.tar",))
    for wrong in ("a-{0..x}.tar", "a-{0,1}.tar", "a-{0..1.tar", "a-{0..1}-{0..1}.tar"):
        with pytest.raises(ValueError, match="shards are named as"):
            folder_and_shards(wrong)
    for wrong in ("a-{3..1}.tar", "a-{0..99999999}.tar"):
        with pytest.raises(ValueError, match="shards count up, from 1 to 100,000"):
            folder_and_shards(wrong)


def test_the_index_is_that_of_wds2idx(tmp_path):
    """A sample a line: what comes before the first dot of a name is the sample."""
    members = [Member("c/a.mp4", 512, 7), Member("c/a.json", 1536, 2), Member("b.x.mkv", 2560, 9)]
    write_index(members, tmp_path / "s.idx")
    text = (tmp_path / "s.idx").read_text()
    assert text == "v1.2 2\nmp4 512 7 c/a.mp4 json 1536 2 c/a.json\nx.mkv 2560 9 b.x.mkv\n"
    assert list(read_index(text, "s.idx")) == members
    with pytest.raises(ValueError, match="no blank in its name"):
        write_index([Member("a b.mp4", 512, 1)], tmp_path / "t.idx")
    assert not (tmp_path / "t.idx").exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not an index of a shard"),
        ("v1.1 0\n", "it begins with 'v1.1 0'"),
        ("v1.2 2\nmp4 512 7 a.mp4\n", "and has 1 lines"),
        ("v1.2 1\nmp4 512 7\n", "line 2: extension, offset, size and name"),
        ("v1.2 1\nmp4 510 7 a.mp4\n", "line 2: a.mp4 cannot be at 510"),
        ("v1.2 1\nmp4 0 7 a.mp4\n", "cannot be at 0"),
        ("v1.2 1\nmp4 512 -7 a.mp4\n", "with -7 bytes"),
        ("v1.2 1\nmp4 x 7 a.mp4\n", "invalid literal"),
    ],
)
def test_damaged_indices(text, told):
    with pytest.raises(ValueError, match=f"^s.idx: not an index.*{told}|^s.idx: {told}"):
        list(read_index(text, "s.idx"))


def make_tar(path, files, format=tarfile.PAX_FORMAT):
    with tarfile.open(path, "w", format=format) as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


@pytest.mark.parametrize("format", [tarfile.PAX_FORMAT, tarfile.GNU_FORMAT, tarfile.USTAR_FORMAT])
def test_headers(tmp_path, format):
    files = {"a.mp4": b"1" * 700, "c/b.mp4": b"22", ("n" * 90) + "/" + "m" * 60 + ".mp4": b"333", "z.mp4": b""}
    make_tar(tmp_path / "s.tar", files, format)
    data = (tmp_path / "s.tar").read_bytes()
    members = scan(tmp_path / "s.tar")
    assert [member.name for member in members] == list(files)
    for member in members:
        assert data[member.offset : member.offset + member.size] == files[member.name]
        assert header_fault(data[member.offset - 512 : member.offset], member) == ""
    block = data[:512]
    assert "has a.mp4 of 700 bytes there" in header_fault(block, Member("b.mp4", 512, 700))
    assert "the index is of another shard" in header_fault(block, Member("a.mp4", 512, 699))
    changed = bytearray(block)
    changed[3] ^= 1
    for bad in (bytes(changed), b"", bytes(512), block[:100]):
        assert header_fault(bad, Member("a.mp4", 512, 700)).startswith("there is no tar header before it")


def test_scanning_what_is_no_shard(tmp_path):
    make_tar(tmp_path / "s.tar", {"a.mp4": b"1" * 2000})
    (tmp_path / "cut.tar").write_bytes((tmp_path / "s.tar").read_bytes()[:1500])
    (tmp_path / "no.tar").write_bytes(b"x" * 2000)
    with pytest.raises(ValueError, match=r"cut.tar: .*(cut off|unexpected end)"):
        scan(tmp_path / "cut.tar")
    with pytest.raises(ValueError, match=r"no.tar: not a tar file"):
        scan(tmp_path / "no.tar")


def test_looking_for_names():
    rng = np.random.default_rng(0)
    names = [f"v{number:05d}.mp4" for number in rng.permutation(500)]
    members = {f"s{k}.tar": [Member(name, 512 * (i + 1), i) for i, name in enumerate(names[k::3])] for k in range(3)}
    index = ShardIndex.of(members)
    assert len(index) == 500
    for k, name in ((0, names[0]), (1, names[301]), (2, names[8])):
        shard, member = index.find(name)
        assert shard == f"s{[n in names[j::3] for j in range(3)].index(True) if (n := name) else k}.tar"
        assert member in members[shard] and member.name == name
    assert index.find("v99999.mp4") is None and index.find("v") is None and index.find("v00000.mp4x" * 9) is None
    assert ShardIndex.of({"s.tar": []}).find("a") is None
    with pytest.raises(ValueError, match=r"^a.mp4 is in the shards twice: in s0.tar and in s1.tar"):
        ShardIndex.of({f"s{k}.tar": [Member("a.mp4", 512, 1)] for k in range(2)})
