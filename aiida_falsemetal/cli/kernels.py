"""Which routines OpenBLAS has chosen for this processor. One that is newer than OpenBLAS may get the oldest of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

OLD = frozenset(
    {
        *("Katmai", "Coppermine", "Northwood", "Prescott", "Banias", "Core2", "Penryn", "Dunnington", "Nehalem"),
        *("Athlon", "Opteron", "Opteron_SSE3", "Barcelona", "Bobcat", "Atom", "Nano"),
    }
)
"""OpenBLAS's names of kernels from before AVX: a quarter of the operations a cycle that AVX2 allows, or less."""

_ASK = """
import ctypes, sys
name = ctypes.CDLL(sys.argv[1]).openblas_get_corename
name.restype = ctypes.c_char_p
print(name().decode())
"""


def blas_kernel(library: str) -> str | None:
    """The kernels that an OpenBLAS takes here, as ``Haswell``; None for other libraries.

    In a process of its own, as pw.x would load it: ``OPENBLAS_CORETYPE`` stays as it is.
    """
    line = [sys.executable, "-I", "-S", "-c", _ASK, library]
    try:
        done = subprocess.run(line, capture_output=True, text=True, timeout=20, check=False, env={**os.environ})
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def has_avx2(cpuinfo: Path = Path("/proc/cpuinfo")) -> bool:
    """Whether this processor has AVX2; False where that cannot be told."""
    try:
        lines = cpuinfo.read_text(errors="replace").splitlines()
    except OSError:
        return False
    return any(line.startswith("flags") and " avx2 " in f"{line} " for line in lines)


def is_too_old(kernel: str | None, avx2: bool) -> bool:
    """Whether OpenBLAS has taken kernels that are much older than the processor."""
    return avx2 and kernel in OLD
