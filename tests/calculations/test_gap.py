"""A pw.x run becomes a result: units, the metal's two signs, and a failed run that keeps its place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_falsemetal.calculations.gap import UNKNOWN, failed_result, frame_result, read_dipole
from aiida_falsemetal.physics.constants import BOHR, DEBYE, EPS0
from tests.data import nodes

RECORD = {"step": 100, "time_ps": 0.1, "Mz": -0.4, "stratum": "uniform", "probability": 0.25}
OUTPUT = {
    "number_of_electrons": 64.0,
    "fermi_energy": -1.5,
    "energy": -3750.25,
    "total_number_of_scf_iterations": 13,
    "wall_time_seconds": 42.5,
}
COST = {"attempt": 2, "wall_seconds": 55.0, "scf_iterations": 24, "degauss": 0.003}
LIMITS = {"metallic_gap": 0.2, "metallic_witness": 0.01, **COST}


def xml(dipole: float | None) -> str:
    """The part of pw.x's data-file-schema.xml that matters, dipole in e bohr."""
    info = "" if dipole is None else f"<dipoleInfo><idir>3</idir><dipole>{dipole:.12e}</dipole></dipoleInfo>"
    return (
        '<?xml version="1.0"?><qes:espresso xmlns:qes="http://www.quantum-espresso.org/ns/qes/qes-1.0"><output>'
        f"<electric_field>{info}</electric_field></output></qes:espresso>"
    )


def result(gap: float = 4.0, moved: float = 0.0, dipole: float = 0.5, scale: float = 2.0) -> dict[str, Any]:
    """The result of 64 electrons in 40 states: 32 filled ones, ``gap`` above -2 eV, ``moved`` electrons above it.

    :param scale: occupation of a full state: 1 or 2, depending on who parsed it.
    """
    energies = np.concatenate([np.linspace(-20.0, -2.0, 32), -2.0 + gap + np.arange(8)])
    occupations = np.concatenate([np.full(32, 1.0), np.zeros(8)])
    occupations[31] -= moved / 2
    occupations[32] += moved / 2
    bands = orm.BandsData()
    bands.set_kpoints([[0.0, 0.0, 0.0]])
    bands.set_bands(energies[None, :], units="eV", occupations=scale * occupations[None, :])
    retrieved = orm.FolderData()
    retrieved.base.repository.put_object_from_bytes(xml(dipole).encode(), "data-file-schema.xml")
    structure, _ = nodes.film_nodes()
    node = frame_result(bands, orm.Dict(OUTPUT), retrieved, structure, orm.Dict(RECORD), orm.Dict(LIMITS))
    content: dict[str, Any] = node.get_dict()
    return content


def test_result_holds_the_record_and_the_run() -> None:
    found = result()
    assert found.items() >= RECORD.items()
    assert (found["gap"], found["vbm"], found["cbm"]) == pytest.approx((4.0, -2.0, 2.0))
    assert (found["fermi"], found["energy"]) == (-1.5, -3750.25)
    assert found.items() >= COST.items()
    assert (found["exit_code"], found["exit_message"]) == (0, "")
    assert found["metallic"] is False


def test_dipole_is_in_electron_angstrom_and_the_drop_in_volts() -> None:
    found = result(dipole=2.0)
    assert found["dipole"] == pytest.approx(2.0 * 0.529177, rel=1e-6)
    # The formula for a film, 42.25 Å^2: 1 V is 5.526e-3 e/Å.
    assert found["drop"] == pytest.approx(2.0 * 0.529177 / 42.25 / 5.526349e-3, rel=1e-6)


@pytest.mark.parametrize("scale", [1.0, 2.0])
@pytest.mark.parametrize(
    ("gap", "moved", "metallic"),
    [(0.21, 0.0, False), (0.19, 0.0, True), (3.0, 0.009, False), (3.0, 0.011, True)],
)
def test_either_sign_makes_a_metal(gap: float, moved: float, metallic: bool, scale: float) -> None:
    found = result(gap=gap, moved=moved, scale=scale)
    assert found["witness"] == pytest.approx(moved, abs=1e-9)
    assert found["metallic"] is metallic


def test_read_dipole_converts_bohr() -> None:
    # 1 D is 0.3934 e bohr.
    assert read_dipole(xml(0.393430)) == pytest.approx(DEBYE, rel=1e-4)
    assert read_dipole(xml(-1.0)) == pytest.approx(-BOHR)


@pytest.mark.parametrize("content", [xml(None), "<a><dipoleInfo><dipole/></dipoleInfo></a>"])
def test_run_without_dipole_correction_is_refused(content: str) -> None:
    with pytest.raises(ValueError, match="dipfield"):
        read_dipole(content)


def test_failed_result_has_the_same_keys_and_no_values() -> None:
    failure = {"exit_code": 410, "exit_message": "not converged", **COST, "gap_bound": 0.4, "functional": "PBE"}
    failed = failed_result(orm.Dict(RECORD), orm.Dict(failure)).get_dict()
    assert set(failed) == set(result())
    assert all(failed[key] is None for key in (*UNKNOWN, "energy"))
    assert failed.items() >= {**RECORD, **failure}.items()


def test_eps0_is_that_of_the_physics_page() -> None:
    assert pytest.approx(5.526349e-3, rel=1e-6) == EPS0
