"""Which routines OpenBLAS has chosen for this processor. One that is newer than OpenBLAS may get the oldest of them."""

from __future__ import annotations

from pathlib import Path

from .environment import ask_library

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
    """The kernels that an OpenBLAS takes here, as ``Haswell``; None for other libraries."""
    return (ask_library(_ASK, library) or "").strip() or None


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
