"""What the C library does with memory that is given back."""

import ctypes
import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's <malloc.h>
_KEEP = 1 << 30


def keep_freed_memory() -> bool:
    """Let glibc keep what is freed for the next allocation instead of giving it back to the system; True where it does.

    A network on a CPU asks for the same few megabytes for every layer. By default each is new memory from the system,
    which clears it page by page: a third of the time of a small network (docs/PERFORMANCE.md, "Prediction"). The process
    stays as large as it was at its largest. Other C libraries, and other systems, are left as they are.
    """
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # musl has none
        return False
    return bool(mallopt(_M_MMAP_THRESHOLD, _KEEP)) and bool(mallopt(_M_TRIM_THRESHOLD, _KEEP))
