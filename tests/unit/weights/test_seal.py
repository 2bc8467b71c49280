"""A file of weights tells when its bytes have changed."""

import os
import random
import zipfile

import numpy as np
import pytest
import torch

from slowfast.weights.checkpoint import Checkpointer, write_atomically
from slowfast.weights.file import read_weight_file
from slowfast.weights.seal import DamagedFileError, check_whole, digest_of, hashing_once


@pytest.fixture
def content():
    rng = torch.Generator().manual_seed(0)
    return {"model_state": {"a.weight": torch.randn(40, 30, generator=rng), "a.bias": torch.zeros(3)}, "epoch": 1}


@pytest.fixture
def sealed(tmp_path, content):
    write_atomically(content, tmp_path / "best.pyth")
    return tmp_path / "best.pyth"


def test_a_sealed_file_is_still_a_zip_archive_that_torch_reads(sealed, content):
    check_whole(sealed)
    assert len(digest_of(sealed)) == 64
    with zipfile.ZipFile(sealed) as archive:
        assert archive.testzip() is None and archive.comment == b"sha256:" + digest_of(sealed).encode()
    for mapped in (False, True):
        found = torch.load(sealed, weights_only=True, mmap=mapped)
        assert torch.equal(found["model_state"]["a.weight"], content["model_state"]["a.weight"])


def test_of_400_flipped_bits_none_is_accepted(sealed):
    whole, rng = sealed.read_bytes(), random.Random(0)
    everywhere = [rng.randrange(8 * len(whole)) for _ in range(300)]
    at_the_end = [8 * (len(whole) - 100) + rng.randrange(800) for _ in range(100)]
    for bit in everywhere + at_the_end:
        changed = bytearray(whole)
        changed[bit // 8] ^= 1 << bit % 8
        sealed.write_bytes(changed)
        with pytest.raises(DamagedFileError):
            check_whole(sealed)


def test_a_file_without_a_checksum_is_compared_by_the_sums_that_zip_has(tmp_path, content):
    path = tmp_path / "theirs.pyth"
    torch.save(content, path)
    assert digest_of(path) is None
    check_whole(path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedFileError, match=r"CRC-32 of .*data/0 differs"):
        check_whole(path)
    with pytest.raises(
        ValueError, match=rf"{path} is cut off, damaged or no PyTorch file .*CRC-32 .*download it again"
    ):
        read_weight_file(path)


def test_old_files_that_are_no_archive_pass(tmp_path, content):
    path = tmp_path / "old.pyth"
    torch.save(content, path, _use_new_zipfile_serialization=False)
    check_whole(path)


def test_a_damaged_or_not_finite_checkpoint_falls_back_to_the_one_before(tmp_path, content, caplog):
    checkpoints = Checkpointer(tmp_path, keep=9)
    for epoch in (1, 2, 3, 4):
        checkpoints.save(epoch, content)
    content["model_state"]["a.bias"][1] = np.nan
    checkpoints.save(5, content)
    damaged = bytearray(checkpoints.path(4).read_bytes())
    damaged[damaged.index(b"a.weight")] ^= 2  # the pickle of names: a KeyError or worse once it is loaded
    checkpoints.path(4).write_bytes(damaged)
    torch.save({"epoch": object}, checkpoints.path(3))
    path, found = checkpoints.newest()
    assert path == checkpoints.path(2) and found["epoch"] == 2
    messages = [record.getMessage() for record in caplog.records]
    assert [str(checkpoints.path(epoch)) in message for epoch, message in zip((5, 4, 3), messages, strict=True)]
    assert "model_state.a.bias holds numbers that are not finite" in messages[0]
    assert "SHA-256 differs" in messages[1] and "cannot be read" in messages[2]


def test_the_bytes_of_a_file_are_read_once_for_its_checksum_while_it_is_the_same_file(sealed, content):
    whole = sealed.read_bytes()
    changed = bytearray(whole)
    changed[len(whole) // 2] ^= 1
    with hashing_once():
        check_whole(sealed)
        stamp = sealed.stat()
        with open(sealed, "r+b") as file:  # in place, and its time of change put back: nobody does that by accident
            file.write(changed)
        os.utime(sealed, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        check_whole(sealed)  # it was not read
        os.utime(sealed, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
        with pytest.raises(DamagedFileError):
            check_whole(sealed)
        write_atomically(content | {"epoch": 2}, sealed)  # another file of this name, and of this size
        check_whole(sealed)
    with open(sealed, "r+b") as file:
        file.write(changed)
    with pytest.raises(DamagedFileError):
        check_whole(sealed)
