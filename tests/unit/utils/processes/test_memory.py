"""slowfast.utils.processes.memory: freed memory is used again, which costs the system nothing."""

import ctypes
import subprocess
import sys

import pytest

from slowfast.utils.processes.memory import keep_freed_memory

PROGRAM = """
import resource
import sys
import numpy as np
from slowfast.utils.processes.memory import keep_freed_memory
assert "keep" not in sys.argv or keep_freed_memory()
faults = []
for _ in range(20):
    np.ones(40_000_000, np.uint8)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[4])
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="the C library has no mallopt")
def test_memory_that_was_freed_needs_no_new_pages():
    def pages(*arguments: str) -> int:
        ran = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], capture_output=True, text=True, check=True)
        return int(ran.stdout)

    kept, given_back = pages("keep"), pages()
    assert kept < 10 < 100 < given_back  # fifteen times 40 MB, in pages of 2 MB at most


def test_other_systems_are_left_alone(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert not keep_freed_memory()
