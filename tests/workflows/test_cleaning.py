"""Work folders are emptied when a result is in the graph, and only those that are to be."""

from __future__ import annotations

from pathlib import Path

import pytest
from aiida import orm

from aiida_falsemetal.workflows.cleaning import clean_jobs, is_gone
from tests.data import nodes


def ended(computer: orm.Computer, folder: Path, status: int = 0) -> tuple[orm.WorkChainNode, orm.CalcJobNode, Path]:
    """A workchain that has called a job, which left a file."""
    folder.mkdir(parents=True)
    file = folder / "wfc1.dat"
    file.write_text("waves")
    chain = nodes.workchain("falsemetal.gap", exit_status=status)
    remote = orm.RemoteData(remote_path=str(folder), computer=computer)
    job = nodes.calculation("quantumespresso.pw", computer, {}, {"remote_folder": remote}, chain, status, "")
    return chain, job, file


@pytest.mark.parametrize(
    ("keep", "status", "stays"),
    [("all", 0, True), ("failed", 0, False), ("failed", 401, True), ("none", 0, False), ("none", 401, False)],
)
def test_what_stays(aiida_localhost: orm.Computer, tmp_path: Path, keep: str, status: int, stays: bool) -> None:
    chain, job, file = ended(aiida_localhost, tmp_path / "work", status)
    assert clean_jobs(chain, keep) == ([] if stays else [job.pk])
    assert file.exists() is stays
    assert is_gone(job.outputs.remote_folder) is not stays
    assert clean_jobs(chain, keep) == []


def test_a_folder_that_the_cache_shares_stays(aiida_localhost: orm.Computer, tmp_path: Path) -> None:
    chain, job, file = ended(aiida_localhost, tmp_path / "work")
    job.base.extras.set("_aiida_cached_from", "another")
    assert clean_jobs(chain, "none") == [] and file.exists()
    assert not is_gone(job.outputs.remote_folder)
    file.unlink()
    assert is_gone(job.outputs.remote_folder)


def test_a_folder_that_cannot_be_reached_is_no_fault(aiida_localhost: orm.Computer, tmp_path: Path) -> None:
    chain, job, file = ended(aiida_localhost, tmp_path / "work")
    file.unlink()
    file.parent.rmdir()
    assert set(clean_jobs(chain, "failed")) <= {job.pk}
