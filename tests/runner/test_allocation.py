"""Freed memory stays with the process: what is used again is not asked of the kernel again."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

SCRIPT = """
import resource, sys
import numpy as np
from aiida_falsemetal.runner.allocation import keep_freed

assert keep_freed() if sys.argv[1] == "kept" else True
# As a force call does: some pieces at a time, of sizes that are never the same.
def call(number):
    return [np.ones(200_000 + 1000 * number + 10 * place) for place in range(5)]
for number in range(10):
    call(number)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for number in range(10):
    call(number)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(how: str) -> int:
    """Pages that the kernel had to hand out for ten calls, of 2000 pages each."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, how], check=True, capture_output=True, text=True)
    return int(done.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="a setting of glibc's")
def test_freed_memory_is_used_again() -> None:
    assert faults("returned") > 10_000
    assert faults("kept") < 100


def test_another_library_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    from aiida_falsemetal.runner import allocation

    monkeypatch.setattr(platform, "libc_ver", lambda: ("", ""))
    assert not allocation.keep_freed()
