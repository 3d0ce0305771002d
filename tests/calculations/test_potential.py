"""What the job that averages the potential gives to pp.x and average.x."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import CalculationFactory

from aiida_falsemetal.calculations.potential import AVERAGED, CUBE, average_input
from tests.data import nodes


@pytest.fixture
def inputs(aiida_code_installed: Any, aiida_localhost: orm.Computer) -> dict[str, Any]:
    structure, _ = nodes.film_nodes()
    return {
        "code": aiida_code_installed(label="pp", default_calc_job_plugin="falsemetal.potential"),
        "average_code": aiida_code_installed(label="average", default_calc_job_plugin="falsemetal.potential"),
        "parent_folder": orm.RemoteData(remote_path="/there", computer=aiida_localhost),
        "structure": structure,
        "parameters": orm.Dict({"sawtooth": 0.06}),
        "metadata": {"options": {"resources": {"num_machines": 1, "num_mpiprocs_per_machine": 2}, "withmpi": True}},
    }


def process(inputs: dict[str, Any]) -> Any:
    return instantiate_process(get_manager().get_runner(), CalculationFactory("falsemetal.potential"), **inputs)


def test_both_programs_run_in_one_job(inputs: dict[str, Any], tmp_path: Path) -> None:
    with SandboxFolder(tmp_path / "sandbox") as folder:
        info = process(inputs).prepare_for_submission(folder)
        contents = {name: Path(folder.get_abs_path(name)).read_text() for name in ("pp.in", "average.in")}
    first, second = info.codes_info
    assert (first.code_uuid, second.code_uuid) == (inputs["code"].uuid, inputs["average_code"].uuid)
    # average.x is serial, whatever pp.x is given.
    assert (first.withmpi, second.withmpi) == (True, False)
    assert "plot_num = 11" in contents["pp.in"] and f"filplot = '{CUBE}'" in contents["pp.in"]
    assert contents["average.in"].splitlines()[1] == CUBE
    ((computer, source, target),) = info.remote_symlink_list
    assert (computer, source) == (inputs["parent_folder"].computer.uuid, "/there/out")
    assert Path(target) == Path("out") and f"outdir = '{target}'" in contents["pp.in"]


def test_only_the_small_file_comes_back(inputs: dict[str, Any], tmp_path: Path) -> None:
    with SandboxFolder(tmp_path / "sandbox") as folder:
        info = process(inputs).prepare_for_submission(folder)
    assert AVERAGED in info.retrieve_list and CUBE not in info.retrieve_list
    assert info.append_text == f"rm -f {CUBE}"


def test_points_follow_the_cell() -> None:
    lines = average_input(25.0).splitlines()
    assert lines == ["1", CUBE, "1.0", "500", "3", "1.0"]


@pytest.mark.parametrize("given", [{}, {"sawtooth": 2.0}, {"sawtooth": 1}, {"sawtooth": 0.06, "more": 1}])
def test_wrong_parameters_are_refused(inputs: dict[str, Any], given: dict[str, Any]) -> None:
    inputs["parameters"] = orm.Dict(given)
    with pytest.raises(ValueError, match="give `sawtooth`"):
        process(inputs)
