"""Where the MD runs, as far as a machine without a GPU can show it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from aiida_falsemetal.runner import device


def said(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """What Python lines print, in a process of their own."""
    text = f"from aiida_falsemetal.runner import device\n{line}"
    return subprocess.run(
        [sys.executable, "-c", text], env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )


def test_cpu_hides_every_gpu_before_torch_looks() -> None:
    lines = "device.choose('cpu'); import os; print(repr(os.environ['CUDA_VISIBLE_DEVICES']), device.used())"
    assert said(lines, CUDA_VISIBLE_DEVICES="0").stdout.strip() == "'' {'device': 'cpu'}"


def test_auto_leaves_the_choice_to_torch() -> None:
    lines = "device.choose('auto'); import os; print(os.environ['CUDA_VISIBLE_DEVICES'])"
    assert said(lines, CUDA_VISIBLE_DEVICES="7").stdout.strip() == "7"


@pytest.mark.skipif(device.has_gpu(), reason="there is a GPU here, and it is given")
def test_a_gpu_that_is_not_there_ends_the_job_with_a_sentence() -> None:
    done = said("device.choose('cuda')")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "torch finds no GPU here" in done.stderr and "--gres=gpu:1" in done.stderr
