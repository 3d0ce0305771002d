"""What every fuzz needs: two tests of one check, bounds on a case's time and memory, what counts as a refusal."""

from __future__ import annotations

import os
import resource
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import SearchStrategy

from aiida_falsemetal.cli.main import main

from .outcomes import OUTCOMES

SECONDS = 10
"""CPU time that one case may take. The slowest ones, which load a model, take a second or two."""
MEMORY = 3 * 2**30
"""Bytes of address space that one case may add. Importing torch takes the most of them."""
LONGEST = 2000
"""Characters of a refusal. Those that list all columns of a table are the longest."""
SCALE = float(os.environ.get("FALSEMETAL_FUZZ_SCALE", "1"))
"""The long runs have so many times their usual number of cases."""

_COMMON = {
    "deadline": None,  # `bounded` has one of CPU time, for the machine may have other work
    "database": None,
    "print_blob": True,
    "suppress_health_check": list(HealthCheck),
}
settings.register_profile("fuzz-quick", derandomize=True, phases=[Phase.generate, Phase.shrink], **_COMMON)
settings.register_profile("fuzz-long", phases=[Phase.generate], **_COMMON)  # shrinking takes minutes; the blob repeats


class Hang(BaseException):
    """A case took too long. No ``Exception``, so that nothing that is fuzzed takes it for one of its own."""


def fuzzed(
    check: Callable[[Any], str], cases: SearchStrategy[Any], quick: int, long: int
) -> tuple[Callable[[], None], Callable[[], None]]:
    """A test of few cases, the same ones every time, and a slow one of many, others every time.

    :param check: raises on a fault; gives a word on what became of the case, as ``refused``.
    :param quick: number of cases of the first.
    """
    kind = check.__name__.removeprefix("check_").replace("_", " ")

    def one(case: Any) -> None:
        with bounded():
            OUTCOMES[kind, check(case)] += 1

    few = settings(settings.get_profile("fuzz-quick"), max_examples=quick)
    many = settings(settings.get_profile("fuzz-long"), max_examples=max(1, round(long * SCALE)))

    @few
    @given(cases)
    def test(case: Any) -> None:
        one(case)

    @pytest.mark.slow
    @many
    @given(cases)
    def test_long(case: Any) -> None:
        one(case)

    return test, test_long


@contextmanager
def bounded() -> Iterator[None]:
    """Raise where a case takes more than ``SECONDS`` of CPU time, or ``MEMORY``."""

    def stop(*_: Any) -> None:
        raise Hang(f"a case took more than {SECONDS} s")

    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    before = signal.signal(signal.SIGPROF, stop)
    limits = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, limits[1]))
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        resource.setrlimit(resource.RLIMIT_AS, limits)
        signal.signal(signal.SIGPROF, before)


def sentence(text: str) -> str:
    """``text``, which must be one line that a terminal shows as it is."""
    assert text.strip() and text.isprintable(), repr(text)
    assert text.endswith((".", "?")) and len(text) < LONGEST, text
    return text


def run(*arguments: str | Path) -> str:
    """Run ``falsemetal`` in this process; what it printed, or ``refused`` where it ended with a sentence."""
    with warnings.catch_warnings(record=True):
        done = CliRunner().invoke(main, [str(argument) for argument in arguments])
    if done.exit_code == 0:
        return done.stdout
    if done.exc_info is not None and not isinstance(done.exception, SystemExit):
        raise AssertionError(f"falsemetal {arguments} raised") from done.exception
    lines = done.stderr.rstrip("\n").split("\n")
    if done.exit_code == 2:  # click's own: usage, a blank line, and the sentence
        lines = lines[-1:]
    assert done.exit_code in (1, 2) and lines[-1].startswith("Error: "), done.output
    assert len(lines) == 1, done.stderr
    sentence(lines[-1])
    return "refused"
