"""What the CalcJob hands to the compute machine: everything the driver needs, the same bytes for the same inputs."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.folders import SandboxFolder
from aiida.engine.utils import instantiate_process
from aiida.manage import get_manager
from aiida.plugins import CalculationFactory

from aiida_falsemetal.calculations.md import DEFAULTS, GEOMETRY, validate_parameters
from aiida_falsemetal.runner import files
from aiida_falsemetal.runner.driver import Settings
from tests.data import nodes

Inputs = dict[str, Any]
Prepare = Callable[[Inputs, SandboxFolder], Any]


@pytest.fixture
def inputs(aiida_code_installed: Any) -> Inputs:
    structure, info = nodes.film_nodes()
    return {
        "code": aiida_code_installed(default_calc_job_plugin="falsemetal.md"),
        "structure": structure,
        "info": info,
        "mlip": nodes.mlip(),
        "parameters": orm.Dict({"steps": 1000, "seed": 5, "temperature": 330.0}),
        "metadata": {"options": {"max_wallclock_seconds": 200}},
    }


@pytest.fixture
def prepare() -> Prepare:
    def prepare(inputs: Inputs, folder: SandboxFolder) -> Any:
        process = instantiate_process(get_manager().get_runner(), CalculationFactory("falsemetal.md"), **inputs)
        return process.prepare_for_submission(folder)

    return prepare


@pytest.fixture
def folder(tmp_path: Path) -> Any:
    with SandboxFolder(tmp_path / "sandbox") as sandbox:
        yield sandbox


def content(folder: SandboxFolder, name: str) -> bytes:
    with folder.open(name, "rb") as handle:
        return bytes(handle.read())


def test_files_that_travel_and_return(inputs: Inputs, folder: SandboxFolder, prepare: Prepare) -> None:
    info = prepare(inputs, folder)
    assert sorted(folder.get_content_list()) == sorted([files.ARCHIVE, files.INPUT])
    mlip = inputs["mlip"]
    assert info.local_copy_list == [(mlip.uuid, "spcfw.xml", "model-spcfw.xml")]
    assert info.retrieve_list == ["driver.log", files.RESULT, files.SERIES]
    # Parsed into nodes; a second copy in the retrieved folder would double the repository.
    assert info.retrieve_temporary_list == [files.FRAMES, files.CHECKPOINT]
    (code,) = info.codes_info
    assert (code.code_uuid, code.cmdline_params) == (inputs["code"].uuid, [files.ARCHIVE])
    assert not code.withmpi
    names = zipfile.ZipFile(io.BytesIO(content(folder, files.ARCHIVE))).namelist()
    assert "aiida_falsemetal/runner/main.py" in names


def test_checkpoint_is_copied_under_the_drivers_name(inputs: Inputs, folder: SandboxFolder, prepare: Prepare) -> None:
    checkpoint = orm.SinglefileData(io.BytesIO(b"state"), filename=files.CHECKPOINT).store()
    info = prepare({**inputs, "checkpoint": checkpoint}, folder)
    assert (checkpoint.uuid, files.CHECKPOINT, files.RESTART) in info.local_copy_list


def test_input_is_what_the_driver_reads(inputs: Inputs, folder: SandboxFolder, prepare: Prepare) -> None:
    info = prepare(inputs, folder)
    given = json.loads(content(folder, files.INPUT))
    settings = Settings(**given["settings"])
    assert (settings.steps, settings.seed, settings.temperature) == (1000, 5, 330.0)
    assert settings.timestep == DEFAULTS["timestep"]
    # The driver stops itself before the scheduler does.
    assert settings.max_seconds == pytest.approx(190.0)
    atoms, geometry = nodes.film()
    assert given["model"] == info.local_copy_list[0][2]
    assert (given["family"], given["kwargs"], given["threads"]) == ("openmm", inputs["mlip"].kwargs, 1)
    assert given["atoms"]["symbols"] == atoms.get_chemical_symbols()
    # AiiDA keeps 14 digits of a float.
    assert np.array(given["atoms"]["positions"]) == pytest.approx(atoms.get_positions(), abs=1e-12)
    assert np.array(given["atoms"]["cell"]) == pytest.approx(atoms.cell.array, abs=1e-12)
    # Charges, held atoms and substrate too, where the recipe gave them.
    assert given["info"] == {key: geometry[key] for key in GEOMETRY if key in geometry}
    assert {"molecules", "axis", "fixed_indices"} <= set(given["info"])


def test_same_inputs_give_same_bytes(inputs: Inputs, tmp_path: Path, prepare: Prepare) -> None:
    made = []
    for number in range(2):
        with SandboxFolder(tmp_path / str(number)) as folder:
            prepare(inputs, folder)
            made.append([content(folder, name) for name in (files.ARCHIVE, files.INPUT)])
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"steps": None}, "steps is missing"),
        ({"seed": None}, "seed is missing"),
        ({"temprature": 300.0}, "'temprature' is not known; known: .*temperature"),
        ({"steps": 0}, "steps must be a positive number, not 0"),
        ({"steps": "many"}, "steps must be a positive number, not 'many'"),
        ({"timestep": -1.0}, "timestep must be a positive"),
        ({"temperature": 0.0}, "temperature must be a positive"),
        ({"threads": 0}, "threads must be a positive"),
        ({"stride": 30, "frame_stride": 100}, r"frame_stride \(100\) must be a multiple of stride \(30\)"),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_bad_parameters_are_refused_with_a_sentence(inputs: Inputs, change: Inputs, sentence: str) -> None:
    given = {key: value for key, value in {"steps": 10, "seed": 1, **change}.items() if value is not None}
    with pytest.raises(ValueError, match=sentence):
        instantiate_process(
            get_manager().get_runner(),
            CalculationFactory("falsemetal.md"),
            **{**inputs, "parameters": orm.Dict(given)},
        )


def test_every_default_is_accepted() -> None:
    assert validate_parameters(orm.Dict({**DEFAULTS, "steps": 1, "seed": 1}), None) is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"molecules": None}, "info: molecules is missing"),
        ({"molecules": [[0, 1, 24]]}, "info: molecules holds indices that are of no atom; they go from 0 to 23"),
        ({"fixed_indices": [-1]}, "info: fixed_indices holds indices that are of no atom"),
        ({"fixed_indices": list(range(24))}, "fixed_indices holds every atom"),
        ({"charges": [0.0] * 23}, "info holds 23 charges for 24 atoms"),
    ],
    ids=str,
)
def test_info_that_does_not_fit_is_refused_with_a_sentence(inputs: Inputs, change: Inputs, sentence: str) -> None:
    info = {key: value for key, value in {**nodes.film()[1], **change}.items() if value is not None}
    with pytest.raises(ValueError, match=sentence):
        instantiate_process(
            get_manager().get_runner(), CalculationFactory("falsemetal.md"), **{**inputs, "info": orm.Dict(info)}
        )


def test_missing_charge_is_refused_before_the_run(inputs: Inputs) -> None:
    info = {key: value for key, value in nodes.film()[1].items() if key != "charges"}
    parameters = orm.Dict({"steps": 10, "seed": 1, "dipole_charges": {"O": -0.5}})
    with pytest.raises(ValueError, match="no charge for H"):
        instantiate_process(
            get_manager().get_runner(),
            CalculationFactory("falsemetal.md"),
            **{**inputs, "info": orm.Dict(info), "parameters": parameters},
        )
