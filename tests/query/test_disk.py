"""What a campaign has left on the disk."""

from __future__ import annotations

from pathlib import Path

from aiida import orm

from aiida_falsemetal.query.disk import disk_usage, folder_size
from aiida_falsemetal.workflows.cleaning import clean_jobs
from tests.data import nodes


def test_work_folders_are_found_and_measured(aiida_localhost: orm.Computer, tmp_path: Path) -> None:
    pair = nodes.workchain("falsemetal.pair")
    pair.base.extras.set("falsemetal_campaign", "on-disk")
    gaps = []
    for number, size in enumerate((1000, 500)):
        folder = tmp_path / str(number)
        (folder / "out").mkdir(parents=True)
        (folder / "out" / "wfc1.dat").write_bytes(b"x" * size)
        gap = nodes.workchain("falsemetal.gap", caller=pair)
        remote = orm.RemoteData(remote_path=str(folder), computer=aiida_localhost)
        nodes.calculation("quantumespresso.pw", aiida_localhost, {}, {"remote_folder": remote}, gap, 0, "")
        gaps.append(gap)
    found = disk_usage("on-disk")
    assert (found.folders, found.size, found.emptied, found.elsewhere) == (2, 1500, 0, {})
    assert found.repository is not None and found.repository >= 0
    clean_jobs(gaps[0], "failed")
    found = disk_usage("on-disk")
    assert (found.folders, found.size, found.emptied) == (1, 500, 1)
    assert disk_usage("nothing").folders == 0


def test_a_file_counts_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    (tmp_path / "b").hardlink_to(tmp_path / "a")
    assert folder_size(tmp_path) == 100 and folder_size(tmp_path / "missing") == 0
