"""The slots at work: real shells, real locks, in a folder of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from aiida_falsemetal.workflows.slots import gpu_prepend, slots_prepend

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """``start(name, slots, needed, seconds)``: a job of ``seconds`` as AiiDA's direct scheduler starts it."""
    running: list[subprocess.Popen[bytes]] = []
    (tmp_path / "locks").mkdir()

    def start(name: str, slots: int, needed: int, seconds: float) -> subprocess.Popen[bytes]:
        folder = tmp_path / name
        folder.mkdir()
        script = f"{slots_prepend(slots, needed)}\nsleep {seconds}\ndate +%s.%N > ended\n"
        (folder / "job.sh").write_text(script)
        process = subprocess.Popen(
            ["bash", "job.sh"],
            cwd=folder,
            env={**os.environ, "TMPDIR": str(tmp_path / "locks")},
            start_new_session=True,
        )
        running.append(process)
        return process

    yield start
    for process in running:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def times(folder: Path) -> tuple[float, float]:
    return float((folder / "falsemetal-started").read_text()), float((folder / "ended").read_text())


def most_at_once(folders: list[Path], weights: list[int]) -> int:
    """Largest sum of weights that was ever under way."""
    events = []
    for folder, weight in zip(folders, weights, strict=True):
        begin, end = times(folder)
        events += [(begin, weight), (end, -weight)]
    # At equal times an end comes first: its slot may be taken again at once.
    running, most = 0, 0
    for _, change in sorted(events):
        running += change
        most = max(most, running)
    return most


def wait_for(path: Path, seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not (path.exists() and path.read_text()):
        assert time.monotonic() < deadline, f"{path.parent.name} did not start"
        time.sleep(0.02)


def test_never_more_than_two_at_once(tmp_path: Path, start: Start) -> None:
    names = [f"job{number}" for number in range(6)]
    processes = [start(name, 2, 1, 0.4) for name in names]
    assert [process.wait(timeout=120) for process in processes] == [0] * 6
    # Two, not one: the slots are there to be used.
    assert most_at_once([tmp_path / name for name in names], [1] * 6) == 2


def test_jobs_of_two_sizes_share_the_slots(tmp_path: Path, start: Start) -> None:
    weights = [1, 2, 1, 3, 2]
    names = [f"job{number}" for number in range(len(weights))]
    processes = [start(name, 3, weight, 0.3) for name, weight in zip(names, weights, strict=True)]
    assert [process.wait(timeout=120) for process in processes] == [0] * 5
    assert most_at_once([tmp_path / name for name in names], weights) <= 3


def test_killed_job_frees_its_slot(tmp_path: Path, start: Start) -> None:
    killed = start("killed", 1, 1, 600)
    wait_for(tmp_path / "killed" / "falsemetal-started")
    waiting = start("waiting", 1, 1, 0)
    time.sleep(1.0)
    assert not (tmp_path / "waiting" / "falsemetal-started").exists()
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    assert waiting.wait(timeout=60) == 0


def test_slot_is_held_until_the_jobs_last_process_ends(tmp_path: Path, start: Start) -> None:
    shell = start("shell", 1, 1, 1.5)
    wait_for(tmp_path / "shell" / "falsemetal-started")
    begun = time.time()
    time.sleep(0.2)
    shell.kill()  # only the shell: what it had started computes on
    shell.wait()
    waiting = start("waiting", 1, 1, 0)
    assert waiting.wait(timeout=60) == 0
    assert times(tmp_path / "waiting")[0] - begun > 1.0


def test_killed_while_waiting_lets_the_next_one_wait(tmp_path: Path, start: Start) -> None:
    first = start("first", 1, 1, 1.5)
    wait_for(tmp_path / "first" / "falsemetal-started")
    gate = start("gate", 1, 1, 0)
    time.sleep(0.3)
    os.killpg(gate.pid, signal.SIGKILL)
    gate.wait()
    last = start("last", 1, 1, 0)
    assert last.wait(timeout=60) == 0
    assert first.wait(timeout=60) == 0
    assert most_at_once([tmp_path / "first", tmp_path / "last"], [1, 1]) == 1


def test_cluster_needs_no_slots() -> None:
    assert slots_prepend(0, 64) == ""


def test_job_that_never_fits_is_refused() -> None:
    with pytest.raises(ValueError, match="3 ranks x threads cannot run in 2 slots; raise `slots`"):
        slots_prepend(2, 3)
    assert "wait for 2 of 2 slots" in slots_prepend(2, 2)


def on_gpus(tmp_path: Path, jobs: int, count: int, environment: dict[str, str]) -> list[tuple[str, float, float]]:
    """``count`` jobs with ``jobs`` on a GPU: what each saw of the GPUs, its begin and its end."""
    (tmp_path / "locks").mkdir(exist_ok=True)
    line = 'echo "${CUDA_VISIBLE_DEVICES-unset} $(date +%s.%N)" > begun; sleep 0.5; date +%s.%N > ended'
    inherited = {key: value for key, value in os.environ.items() if key != "CUDA_VISIBLE_DEVICES"}
    processes = []
    for number in range(count):
        folder = tmp_path / f"job{number}"
        folder.mkdir()
        (folder / "job.sh").write_text(f"{gpu_prepend(jobs)}\n{line}\n")
        here = {**inherited, "TMPDIR": str(tmp_path / "locks"), **environment}
        processes.append(subprocess.Popen(["bash", "job.sh"], cwd=folder, env=here))
    assert [process.wait(timeout=120) for process in processes] == [0] * count
    told = []
    for number in range(count):
        gpu, begun = (tmp_path / f"job{number}" / "begun").read_text().split()
        told.append((gpu, float(begun), float((tmp_path / f"job{number}" / "ended").read_text())))
    return told


@pytest.mark.parametrize("way", ["variable", "nvidia-smi"])
def test_jobs_share_gpus(tmp_path: Path, way: str) -> None:
    """Two GPUs with two places each: never more than two jobs on one, and each job sees one GPU."""
    environment = {"CUDA_VISIBLE_DEVICES": "0,1"}
    if way == "nvidia-smi":
        program = tmp_path / "bin" / "nvidia-smi"
        program.parent.mkdir()
        program.write_text("#!/bin/sh\necho 0\necho 1\n")  # what the real one prints for the options given
        program.chmod(0o755)
        environment = {"PATH": f"{program.parent}:{os.environ['PATH']}"}
    told = on_gpus(tmp_path, 2, 7, environment)
    assert {gpu for gpu, _, _ in told} == {"0", "1"}
    for gpu in ("0", "1"):
        events = sorted(pair for g, begin, end in told if g == gpu for pair in ((begin, 1), (end, -1)))
        sums = [sum(change for _, change in events[: n + 1]) for n in range(len(events))]
        assert max(sums) == 2


def test_without_a_gpu_nothing_is_waited_for(tmp_path: Path) -> None:
    nothing = tmp_path / "bin"
    nothing.mkdir()
    program = nothing / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'no devices' >&2\nexit 9\n")
    program.chmod(0o755)
    told = on_gpus(tmp_path, 1, 3, {"PATH": f"{nothing}:{os.environ['PATH']}"})
    assert [gpu for gpu, _, _ in told] == ["unset"] * 3
    assert max(begin for _, begin, _ in told) < min(end for _, _, end in told)


def test_no_limit_no_lines() -> None:
    assert gpu_prepend(0) == ""
