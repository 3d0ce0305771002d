"""Where a job computes: on the CPU, on how many of its cores, or on a GPU."""

from __future__ import annotations

import importlib
import os
import sys

DEVICES = ("auto", "cpu", "cuda")
"""``auto`` is a GPU where torch finds one."""
VISIBLE = "CUDA_VISIBLE_DEVICES"
"""What CUDA's libraries, torch's and TensorFlow's among them, see of the machine's GPUs; empty for none."""


def choose(device: str) -> None:
    """Keep to a device. To be called before a model's package is imported.

    :param device: one of ``DEVICES``.
    :raises SystemExit: if a GPU is asked for and there is none that torch can use.
    """
    if device == "cpu":
        os.environ[VISIBLE] = ""
    elif device == "cuda" and not has_gpu():
        sys.exit(
            "the device cuda was asked for, and torch finds no GPU here: ask the scheduler for one (`falsemetal setup "
            "--line-md '#SBATCH --gres=gpu:1'`), install torch with CUDA, or give `device: auto` or `cpu`."
        )


def thread_variables(threads: int) -> dict[str, str]:
    """What libraries that are not imported yet, and child processes, take their number of threads from."""
    return dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))


def limit_threads(threads: int) -> int:
    """One core, one task: without this, torch takes every core of the machine.

    :return: how many torch says that it takes.
    """
    os.environ.update(thread_variables(threads))
    try:
        torch = importlib.import_module("torch")
    except ImportError:
        return threads
    torch.set_num_threads(threads)
    return int(torch.get_num_threads())


def has_gpu() -> bool:
    """Whether torch can use one."""
    try:
        return bool(importlib.import_module("torch").cuda.is_available())
    except ImportError:
        return False


def used() -> dict[str, str]:
    """What ran: ``device``, and on a GPU its name. Never imports torch, which would take its time."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return {"device": "cpu"}
    return {"device": "cuda", "gpu": str(torch.cuda.get_device_name())}
