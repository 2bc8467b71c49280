"""Pickles of annotations are read; pickles that ask for anything to be run are not."""

import gzip
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest

from slowfast.utils.restricted_pickle import read_pickle

CONTENT = {
    "arrays": [np.arange(6, dtype=np.uint8).reshape(2, 3), np.array(["a", "b"], dtype=object)],
    "scalars": (np.uint16(7), np.str_("name"), np.float32(0.5), 3, 2.5, True, None),
    "containers": {1, 2},
    "ordered": OrderedDict(a=[1]),
    "bytes": b"\x00\xff",
}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("zipped", [False, True])
def test_plain_data_of_every_protocol_comes_back(tmp_path, protocol, zipped):
    data = pickle.dumps(CONTENT, protocol=protocol)
    (tmp_path / "a.pkl").write_bytes(gzip.compress(data) if zipped else data)
    found = read_pickle(tmp_path / "a.pkl")
    assert found["arrays"][0].dtype == np.uint8 and found["arrays"][0].tolist() == [[0, 1, 2], [3, 4, 5]]
    assert found["arrays"][1].tolist() == ["a", "b"]
    assert {k: v for k, v in found.items() if k != "arrays"} == {k: v for k, v in CONTENT.items() if k != "arrays"}


def test_text_and_arrays_of_python_2_are_read(tmp_path):
    # What cPickle writes: modules of numpy 1, 8-bit strings.
    array = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntS'b'\ntR(I1\n(I1\ntcnumpy\ndtype\n"
    array += b"(S'u1'\nI0\nI1\ntR"
    array += b"(I3\nS'|'\nNNNI-1\nI-1\nI0\ntbI00\nS'\\xfb'\ntb."
    (tmp_path / "a.pkl").write_bytes(array)
    assert read_pickle(tmp_path / "a.pkl").tolist() == [251]


class Command:
    def __reduce__(self):
        return os.system, ("touch executed",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_command_is_named_and_not_run(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"labels": Command()}, protocol=protocol))
    with pytest.raises(
        ValueError, match=r"a\.pkl: not a pickle of plain data: it asks for posix\.system, which is not data"
    ):
        read_pickle(tmp_path / "a.pkl")
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"cbuiltins\neval\n(S'1'\ntR.", r"asks for builtins\.eval"),
        (b"cnumpy\nload\n(S'x'\ntR.", r"asks for numpy\.load"),
        (b"c_codecs\nencode\n(S'x'\nS'zip'\ntR.", "codec 'zip'"),
        (b"Pelsewhere\n.", "object outside the file"),
        (pickle.dumps(CONTENT)[:-20], "not a pickle of plain data"),
        (b"\x1f\x8b broken gzip", "not a pickle of plain data"),
        (b"", "not a pickle of plain data"),
        (b"<html>", "not a pickle of plain data"),
    ],
)
def test_what_else_is_refused(tmp_path, data, message):
    (tmp_path / "a.pkl").write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read_pickle(tmp_path / "a.pkl")


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.pkl: no such file"):
        read_pickle(tmp_path / "none.pkl")
