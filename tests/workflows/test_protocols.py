"""Protocols, and what of them reaches pw.x."""

from __future__ import annotations

from typing import Any

import pytest

from aiida_falsemetal.workflows.gap import pw_parameters
from aiida_falsemetal.workflows.ladder import check_ladder
from aiida_falsemetal.workflows.options import pw_options
from aiida_falsemetal.workflows.protocols import DftError, load_protocol


def test_default_protocol_is_named_in_the_settings() -> None:
    assert load_protocol("gap")["protocol"] == "fast"
    assert load_protocol("gap", "standard")["ecutwfc"] > load_protocol("gap", "fast")["ecutwfc"]
    assert "description" not in load_protocol("gap")


def test_override_replaces_one_key_and_nothing_is_shared() -> None:
    changed = load_protocol("gap", None, {"ecutwfc": 30.0})
    assert changed == {**load_protocol("gap"), "ecutwfc": 30.0}
    changed["rescues"].append({})
    assert len(load_protocol("gap")["rescues"]) == len(changed["rescues"]) - 1


def test_unknown_protocol_and_key_are_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match="no gap protocol 'quick'; protocols: fast, standard"):
        load_protocol("gap", "quick")
    with pytest.raises(ValueError, match=r"no key 'ecutwf'; keys: .*ecutwfc"):
        load_protocol("gap", "fast", {"ecutwf": 30.0})


def test_every_protocol_has_a_ladder_that_passes_its_own_check() -> None:
    for name in ("fast", "standard"):
        check_ladder(load_protocol("gap", name))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"smearing": []}, r"no list of widths; give"),
        ({"smearing": 0.001}, "no list of widths; give"),
        ({"smearing": [0.001, 0.01]}, "not falling; give"),
        ({"smearing": [0.01, 0.0]}, "above zero; give"),
        ({"smearing": [0.01, True]}, "above zero; give"),
        ({"rescues": {}}, "no list of mappings; give"),
        ({"rescues": [{"mixing_bta": 0.1}]}, "'mixing_bta'; use mixing_beta"),
        ({"rescues": [{"degauss": 0.1}]}, "'degauss'; use"),
        ({"moved_limit": -1}, "no number of electrons; give"),
        ({"moved_limit": "few"}, "no number of electrons; give"),
    ],
)
def test_ladder_that_makes_no_sense_is_refused(changes: dict[str, Any], message: str) -> None:
    (field,) = changes
    with pytest.raises(DftError, match=f"^{field}: .*{message}") as raised:
        check_ladder(load_protocol("gap", "fast", changes))
    assert raised.value.field == field


@pytest.mark.parametrize("field", ["smearing", "rescues", "moved_limit"])
def test_ladder_that_is_not_there_is_refused(field: str) -> None:
    settings = load_protocol("gap")
    del settings[field]
    with pytest.raises(DftError, match=f"^{field}: is missing; give"):
        check_ladder(settings)


def parameters(electrons: int = 64, **changes: Any) -> dict[str, Any]:
    return pw_parameters({**load_protocol("gap"), **changes}, electrons, 0.003)


def test_film_is_isolated_and_nothing_else_is_computed() -> None:
    control, system = parameters()["CONTROL"], parameters()["SYSTEM"]
    assert (control["calculation"], control["tefield"], control["dipfield"]) == ("scf", True, True)
    assert (control["tprnfor"], control["tstress"]) == (False, False)
    assert (system["edir"], system["eamp"]) == (3, 0.0)


@pytest.mark.parametrize("sawtooth", [0.02, 0.06, 0.2])
def test_sawtooth_falls_across_the_cells_face(sawtooth: float) -> None:
    system = parameters(sawtooth=sawtooth)["SYSTEM"]
    assert system["eopreg"] == sawtooth
    # Centred on the face, which a centred film leaves in the middle of its vacuum.
    assert system["emaxpos"] + 0.5 * system["eopreg"] == pytest.approx(1.0)


def test_every_frame_has_smearing_and_an_empty_state() -> None:
    system = parameters(64)["SYSTEM"]
    assert (system["occupations"], system["smearing"], system["degauss"]) == ("smearing", "fermi-dirac", 0.003)
    assert system["nbnd"] == 32 + 8
    # Norm-conserving pseudopotentials: the density holds squares of orbitals, no more.
    assert system["ecutrho"] == 4 * system["ecutwfc"]


def test_electrons_follow_the_settings() -> None:
    electrons = parameters(mixing_beta=0.15, electron_maxstep=150)["ELECTRONS"]
    assert (electrons["mixing_beta"], electrons["electron_maxstep"]) == (0.15, 150)
    assert electrons["conv_thr"] == 1e-6


def test_options_count_ranks() -> None:
    one = pw_options({"slots": 2})
    assert one["withmpi"] is False
    assert one["max_wallclock_seconds"] > 0
    assert "OMP_NUM_THREADS=1" in one["prepend_text"]
    assert "wait for 1 of 2 slots" in one["prepend_text"]
    many = pw_options({"slots": 8, "resources": {"num_machines": 2, "num_mpiprocs_per_machine": 3}, "account": "x"})
    assert (many["withmpi"], many["account"]) == (True, "x")
    assert "wait for 6 of 8 slots" in many["prepend_text"]
    assert "flock" not in pw_options({})["prepend_text"]
    with pytest.raises(ValueError, match="raise `slots`"):
        pw_options({"slots": 1, "resources": {"num_machines": 1, "num_mpiprocs_per_machine": 2}})
