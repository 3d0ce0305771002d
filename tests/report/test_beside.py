"""Figures by other processes: the same bytes, whatever becomes of them, and none left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aiida_falsemetal.report.build import build_report
from aiida_falsemetal.report.publication import beside, collect

from .conftest import Campaign

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other processes are forked on Linux only")
HERE = os.getpid()
SVG, PDF = b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.4\n%%EOF\n"


def write(folder: Path, given: Campaign, figures: Any = "all", settings: Any = None) -> dict[str, bytes]:
    arguments = (settings or given.settings, given.cells, given.laws)
    build_report(folder, "water", given.rows, given.pairs, given.series, *arguments, figures=figures)
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def others(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every campaign is large, and the machine has three cores."""
    monkeypatch.setattr(beside, "LARGE", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})


def drawing(monkeypatch: pytest.MonkeyPatch, elsewhere: Callable[[], Any], here: bytes = SVG) -> None:
    """Draw nothing; in another process, do something else."""
    monkeypatch.setattr(collect, "_draw", lambda *_: (here if os.getpid() == HERE else elsewhere(), PDF))


def waited(over: Callable[[], bool], seconds: float = 60.0) -> bool:
    end = time.monotonic() + seconds
    while not over() and time.monotonic() < end:
        time.sleep(0.01)
    return over()


def tidy(folder: Path) -> bool:
    return not multiprocessing.active_children() and not list(folder.glob(".*"))


@pytest.mark.parametrize("figures", ["all", "auto", "none"])
def test_other_processes_write_the_same_bytes(
    tmp_path: Path, campaign: Campaign, figures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    if figures == "all":
        # Of what is really drawn, a few; that all are there, the others see.
        campaign.pairs, campaign.rows = campaign.pairs[:1], campaign.rows[:30]
    else:
        drawing(monkeypatch, lambda: SVG)
    alone = write(tmp_path / "alone", campaign, figures)
    monkeypatch.setattr(beside, "LARGE", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    assert write(tmp_path / "others", campaign, figures) == alone and len(alone) >= 4
    assert tidy(tmp_path / "others")


@pytest.mark.usefixtures("others")
def test_they_are_other_processes(tmp_path: Path, campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    def patient() -> dict[str, Any]:
        assert waited(lambda: bool(list(tmp_path.glob(".figures-*/*.svg"))))
        return campaign.settings

    drawing(monkeypatch, lambda: b"%d" % os.getpid())
    drawn = {data for name, data in write(tmp_path, campaign, settings=patient).items() if name.endswith(".svg")}
    assert drawn - {SVG} and tidy(tmp_path)


def test_a_small_report_has_one_process(tmp_path: Path, campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    drawing(monkeypatch, lambda: b"elsewhere")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    assert write(tmp_path / "small", campaign)["figures/verdicts.svg"] == SVG
    monkeypatch.setattr(beside, "LARGE", 0)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert write(tmp_path / "one core", campaign)["figures/verdicts.svg"] == SVG


def fails() -> bytes:
    raise ValueError("only here")


@pytest.mark.usefixtures("others")
@pytest.mark.parametrize("fate", [fails, lambda: os.kill(os.getpid(), signal.SIGKILL), lambda: os._exit(0)])
def test_what_another_process_does_not_do_is_done_here(
    tmp_path: Path, campaign: Campaign, monkeypatch: pytest.MonkeyPatch, fate: Callable[[], Any]
) -> None:
    def patient() -> dict[str, Any]:
        assert waited(lambda: len(multiprocessing.active_children()) < 3)
        return campaign.settings

    drawing(monkeypatch, fate)
    found = write(tmp_path, campaign, settings=patient)
    drawn = [data for name, data in found.items() if name.endswith(".svg")]
    assert drawn and set(drawn) == {SVG} and tidy(tmp_path)
    assert len([name for name in found if name.endswith(".csv")]) == len(drawn) + 2


@pytest.mark.usefixtures("others")
def test_no_process_to_be_had(tmp_path: Path, campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: Any) -> None:
        raise BlockingIOError("no more processes")

    drawing(monkeypatch, fails)
    monkeypatch.setattr(os, "fork", refused)
    assert write(tmp_path, campaign)["figures/verdicts.svg"] == SVG and tidy(tmp_path)


@pytest.mark.usefixtures("others")
def test_what_fails_here_too_is_told(tmp_path: Path, campaign: Campaign, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collect, "_draw", lambda *_: fails())
    with pytest.raises(ValueError, match="only here"):
        write(tmp_path, campaign)
    assert list(tmp_path.iterdir()) == [] and tidy(tmp_path)


@pytest.mark.usefixtures("others")
def test_an_interrupt_leaves_no_process_and_no_file(
    tmp_path: Path, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def interrupted() -> dict[str, Any]:
        seen.extend(child.pid or 0 for child in multiprocessing.active_children())
        # Ctrl-C reaches the others too.
        for pid in seen:
            os.kill(pid, signal.SIGINT)
        raise KeyboardInterrupt

    drawing(monkeypatch, lambda: time.sleep(600.0))
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, campaign, settings=interrupted)
    assert len(seen) == 3 and tidy(tmp_path) and list(tmp_path.iterdir()) == []
    for pid in seen:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
