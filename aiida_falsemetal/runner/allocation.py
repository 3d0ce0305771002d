"""What the C library does with memory that is freed."""

from __future__ import annotations

import ctypes
import platform

M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_THRESHOLD = -1, -2, -3
"""Of glibc's malloc.h; see mallopt(3)."""
KEPT = 2**31 - 1
"""Bytes of freed memory that are kept; an int has no more room."""
PIECE = 2**25
"""Bytes: the largest piece that glibc lets be taken from what is kept, rather than from the kernel."""
AHEAD = 2**24
"""Bytes that are asked for at a time beyond what is needed."""


def keep_freed() -> bool:
    """Have the process keep the memory that it frees, and take later pieces from it. Returns whether that could be set.

    A model's force call makes hundreds of tensors and frees them. By default glibc gives the larger ones back to the
    kernel each time, which hands them out filled with zeros at the next call: a sixth of the time of MD of a small
    film. The process's memory then stays what it was at its most.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    options = {M_MMAP_THRESHOLD: PIECE, M_TRIM_THRESHOLD: KEPT, M_TOP_PAD: AHEAD}
    return all(mallopt(name, value) == 1 for name, value in options.items())
