"""Pickles that are made to harm: refused, and the process that reads them goes on. Each is read in a process of its own, for
what is wrong in one shows as a crash of the interpreter, or as one that never ends."""

import pickle
import struct
import subprocess
import sys

from tests.rules.sources import ROOT

DTYPE = b"cnumpy\ndtype\n(X\x02\x00\x00\x00O8I00\nI01\ntR"
FALSE_FLAGS = b"(I3\nX\x01\x00\x00\x00|NNNI8\nI8\nI0\ntb"  # an object dtype that says it needs no care
RECONSTRUCT = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\n(I0\ntC\x01btR"
ADDRESS = struct.pack("<Q", 0x4141414141414141)

HOSTILE = {
    "objects of raw bytes": RECONSTRUCT + b"(I1\n(I1\nt" + DTYPE + FALSE_FLAGS + b"I00\nC\x08" + ADDRESS + b"tb.",
    "objects of raw bytes, protocol 5": (
        b"\x80\x05cnumpy.core.numeric\n_frombuffer\n(\x96" + struct.pack("<Q", 8) + ADDRESS
        + DTYPE + FALSE_FLAGS + b"(I1\ntX\x01\x00\x00\x00CtR."
    ),
    "an object number of raw bytes": (
        b"cnumpy.core.multiarray\nscalar\n(" + DTYPE + FALSE_FLAGS + b"C\x08" + ADDRESS + b"tR."
    ),
    "an array larger than its bytes": (
        RECONSTRUCT + b"(I1\n(I1000000000\ntcnumpy\ndtype\n(X\x02\x00\x00\x00f8I00\nI01\ntRI00\nC\x08" + ADDRESS + b"tb."
    ),
    "a dtype with fields": b"cnumpy\ndtype\n(X\x02\x00\x00\x00V8I00\nI01\ntR.",
    "numpy's array made by itself": b"cnumpy\nndarray\n((I1\ntX\x01\x00\x00\x00OC\x08" + ADDRESS + b"tR.",
    "a place in the memo that fills the memory": b"I1\nr\xff\xff\xff\x7f.",
    "a terabyte of nothing": b"cbuiltins\nbytearray\n(L1000000000000L\ntR.",
    "a text longer than the file": b"\x8d" + struct.pack("<Q", 1 << 60) + b"a.",
    "a state for a function of ours": b"c_codecs\nencode\n}(X\x01\x00\x00\x00aI1\nub.",
    "lists in lists": b"(" + b"l(" * 5000 + b"l" + b"a" * 5000 + b".",
    "a list that holds itself": b"]q\x00h\x00a.",
}  # fmt: skip
READ = """
import sys
from slowfast.utils.restricted_pickle import read_pickle
try:
    print("read", read_pickle(sys.argv[1]))
except ValueError as error:
    print("refused", error)
"""


def test_what_is_made_to_harm_is_refused(tmp_path):
    """All in one process, which is what would crash; the first that does is found by the names printed before."""
    for number, content in enumerate(HOSTILE.values()):
        (tmp_path / f"{number}.pkl").write_bytes(content)
    each = "for path in sys.argv[1:]:\n    sys.argv[1] = path\n" + "".join(
        f"    {line}\n" for line in READ.split("\n")[3:]
    )
    done = subprocess.run(
        [sys.executable, "-c", READ.split("try:")[0] + each, *(str(tmp_path / f"{n}.pkl") for n in range(len(HOSTILE)))],
        capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert done.returncode == 0, (done.returncode, lines, done.stderr[-500:])
    assert len(lines) == len(HOSTILE)
    for name, line in zip(HOSTILE, lines, strict=True):
        if name == "a place in the memo that fills the memory":  # harmless where a dict keeps the memo
            assert line == "read 1"
        else:
            assert line.startswith("refused") and ".pkl: not a pickle of plain data: " in line, (name, line)


def test_shared_lists_are_walked_once(tmp_path):
    """Twenty lists, each ten times the one before: written out they would be 10^20 numbers."""
    value: list = [1]
    for _ in range(20):
        value = [value] * 10
    (tmp_path / "bomb.pkl").write_bytes(pickle.dumps(value))
    done = subprocess.run(
        [sys.executable, "-c", READ.replace('print("read", read_pickle(sys.argv[1]))', "print(len(read_pickle(sys.argv[1])))"),
         str(tmp_path / "bomb.pkl")],
        capture_output=True, text=True, timeout=60, cwd=ROOT,
    )  # fmt: skip
    assert done.stdout == "10\n", done.stderr[-500:]
