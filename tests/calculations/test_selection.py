"""Frames are chosen with what the series knows of them, and later ones with what the earlier ones have shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from aiida import orm

from aiida_falsemetal.calculations.sampling import Sample, batches_of
from aiida_falsemetal.calculations.selection import draw_frames, select_frames
from aiida_falsemetal.physics.constants import EPS0
from aiida_falsemetal.physics.dipoles import SCREENED_CHARGES, charges_for
from aiida_falsemetal.physics.inside import potential_range
from tests.data import nodes

AREA = 6.5**2
PARAMETERS = {"stratified": 4, "uniform": 2, "strata": 2, "start": 0.2, "seed": 11}


INFO = {"area": AREA, "molecules": nodes.film()[1]["molecules"]}


def run(count: int = 60) -> tuple[orm.TrajectoryData, orm.ArrayData]:
    """Frames every 20 steps, samples every 10."""
    last = 20 * (count - 1)
    return nodes.trajectory(list(range(0, last + 1, 20))), nodes.series(list(range(0, last + 1, 10)))


def select(trajectory: orm.TrajectoryData, series: orm.ArrayData, **changes: Any) -> dict[str, Any]:
    info = orm.Dict(INFO)
    chosen: dict[str, Any] = select_frames(trajectory, series, info, orm.Dict({**PARAMETERS, **changes}))
    return chosen


def records(chosen: dict[str, Any]) -> list[dict[str, Any]]:
    return [chosen[key].get_dict() for key in sorted(chosen) if key.startswith("record_")]


def test_records_are_those_of_the_series() -> None:
    trajectory, series = run()
    chosen = select(trajectory, series)
    moments = dict(zip(series.get_array("step"), series.get_array("dipole_z"), strict=True))
    found = records(chosen)
    assert len(found) == 6
    assert chosen["selection"]["frames"] == found
    for record in found:
        assert record["time_ps"] == pytest.approx(record["step"] * 1e-3)
        assert record["time_ps"] >= 0.2
        assert record["Mz"] == pytest.approx(moments[record["step"]])
        assert record["Mz_per_area"] == pytest.approx(record["Mz"] / AREA)
        assert record["expected_drop"] == pytest.approx(record["Mz"] / (EPS0 * AREA))


def test_records_have_the_energy_of_their_frame() -> None:
    trajectory, series = run()
    series.set_array("potential_energy", -100.0 - 1e-3 * series.get_array("step"))
    for record in records(select(trajectory, series)):
        assert record["energy_mlip"] == pytest.approx(-100.0 - 1e-3 * record["step"], abs=1e-12)


def test_a_series_without_energies_gives_none() -> None:
    trajectory, series = run()
    bare = orm.ArrayData({name: series.get_array(name) for name in ("step", "time_ps", "dipole_z")})
    assert {record["energy_mlip"] for record in records(select(trajectory, bare))} == {None}


def test_structures_are_the_frames_of_their_records() -> None:
    chosen = select(*run())
    atoms, _ = nodes.film()
    for record in records(chosen):
        frame = chosen[f"frame_{record['step']:08d}"].get_ase()
        assert frame.get_positions()[:, 0] == pytest.approx(atoms.get_positions()[:, 0] + 1e-3 * record["step"])
        assert frame.get_chemical_symbols() == atoms.get_chemical_symbols()
        assert frame.cell.array == pytest.approx(atoms.cell.array)
        assert all(frame.pbc)


def test_probabilities_count_the_candidates() -> None:
    # White noise: one correlation time is one sample, so every frame from 0.2 ps on is a candidate.
    trajectory, series = run()
    chosen = select(trajectory, series)
    size = chosen["selection"]["candidates"]
    assert size == 50
    found = records(chosen)
    uniform = [record for record in found if record["stratum"] == "uniform"]
    assert [record["probability"] for record in uniform] == pytest.approx([2 / size] * 2)
    strata = [record for record in found if record["stratum"] != "uniform"]
    assert sorted(record["stratum"] for record in strata) == [0, 0, 1, 1]
    # Horvitz and Thompson: the weights of the drawn ones add up to all they stand for.
    assert sum(1 / record["probability"] for record in strata) == pytest.approx(size - 2)


def test_same_seed_same_frames() -> None:
    steps = [[r["step"] for r in records(select(*run(), seed=seed))] for seed in (1, 1, 2)]
    assert steps[0] == steps[1] != steps[2]


def test_frames_keep_a_correlation_time_apart() -> None:
    trajectory, _ = run()
    steps = list(range(0, 1181, 10))
    # A period of 400 steps: correlated over many frames, which lie 20 steps apart.
    series = nodes.series(steps, np.sin(2 * np.pi * np.array(steps) / 400))
    found = records(select(trajectory, series))
    assert found
    assert all(b["step"] - a["step"] > 20 for a, b in zip(found, found[1:], strict=False))


def test_start_beyond_the_end_selects_nothing() -> None:
    chosen = select(*run(), start=5.0)
    assert set(chosen) == {"selection"}
    assert (chosen["selection"]["candidates"], chosen["selection"]["selected"]) == (0, 0)


def test_short_run_gives_all_its_frames() -> None:
    trajectory, series = run(4)
    chosen = select(trajectory, series, start=0.0)
    assert {record["probability"] for record in records(chosen)} == {1.0}


# --- batches ---


@pytest.mark.parametrize(("stratified", "uniform"), [(4, 2), (0, 3), (5, 0)])
def test_first_batches_are_the_design(stratified: int, uniform: int) -> None:
    """Labels count what the probabilities say: n_h of the N_h frames of a stratum, u of all for the control."""
    chosen = select(*run(), stratified=stratified, uniform=uniform)
    batches, population = batches_of(chosen), chosen["population"]
    assert len(batches) == bool(stratified) + bool(uniform)
    steps, of_step = population.get_array("step"), {record["step"]: record for record in records(chosen)}
    assert len(steps) == 50 and population.get_array("drop") == pytest.approx(population.get_array("Mz") / EPS0 / AREA)
    drawn: set[int] = set()
    for batch in batches:
        for index, stratum, probability in zip(batch.index, batch.stratum, batch.probability, strict=True):
            record = of_step[int(steps[index])]
            assert record["probability"] == pytest.approx(probability)
            assert record["stratum"] in ("uniform", stratum)
            assert batch.label[index] == stratum
            share = np.sum(batch.stratum == stratum) / np.sum(batch.label == stratum)
            assert probability == pytest.approx(share)
        assert {int(i) for i in np.flatnonzero(batch.label == -1)} == drawn
        drawn |= set(batch.index.tolist())
    assert len(drawn) == stratified + uniform


def test_strata_of_a_batch_are_ranks_of_the_range_inside() -> None:
    chosen = select(*wide(60), stratified=6, uniform=1, strata=3)
    batch, inside = batches_of(chosen)[1], chosen["population"].get_array("potential_range")
    tops = [inside[batch.label == k].max() for k in range(3)]
    bottoms = [inside[batch.label == k].min() for k in range(3)]
    assert tops[0] < bottoms[1] and tops[1] < bottoms[2]


def test_the_range_inside_is_that_of_the_frames_own_charges() -> None:
    trajectory, series = wide(60)
    chosen = select(trajectory, series)
    positions = dict(zip(trajectory.get_stepids().tolist(), trajectory.get_positions(), strict=True))
    charges = charges_for(trajectory.symbols, SCREENED_CHARGES)
    for record in records(chosen):
        heights = positions[record["step"]][None, :, 2]
        expected = potential_range(heights, charges, INFO["molecules"], AREA)[0]
        assert record["potential_range"] == pytest.approx(expected)
        assert record["potential_range"] < abs(record["expected_drop"]) + 1.0
    # Charges that M_z was taken with in place of the interface's own.
    md = orm.Dict({"dipole_charges": {"O": 0.0, "H": 0.0}})
    bare = select_frames(trajectory, series, orm.Dict(INFO), orm.Dict(PARAMETERS), md)
    assert [record["potential_range"] for record in records(bare)] == pytest.approx([0.0] * 6)


def test_frames_that_may_be_added_are_not_thinned() -> None:
    trajectory, _ = run()
    steps = list(range(0, 1181, 10))
    series = nodes.series(steps, np.sin(2 * np.pi * np.array(steps) / 400))
    assert len(select(trajectory, series)["population"].get_array("step")) < 20
    assert len(select(trajectory, series, most=20)["population"].get_array("step")) == 50
    assert len(select(trajectory, series, most=6)["population"].get_array("step")) < 20


def answer(chosen: dict[str, Any], intercept: float = 4.4, lost: set[int] | None = None) -> dict[str, orm.Dict]:
    """Results on a law of the range inside, for the records in ``chosen``; failed ones where ``lost`` has the step."""
    found = {}
    for record in records(chosen):
        gap = max(intercept - record["potential_range"], 0.0)
        result = {**record, "gap": gap, "metallic": gap < 0.2, "exit_code": 0}
        if lost and record["step"] in lost:
            result.update(gap=None, metallic=None, exit_code=410, gap_bound=1.0)
        found[f"result_{record['step']:08d}"] = orm.Dict(result)
    return found


def wide(count: int = 200, sd: float = 7.0) -> tuple[orm.TrajectoryData, orm.ArrayData]:
    """A trajectory with a spread of the drop of ``sd`` (V), by hydrogens moved along z.

    The range inside is beyond 4.2 V in 20 % of its frames where ``sd`` is 7 V.
    """
    steps = list(range(0, 20 * count, 20))
    moments = np.random.default_rng(5).normal(scale=sd * EPS0 * AREA, size=count)
    return nodes.polarised(steps, moments), nodes.series(steps, moments)


def draw(trajectory: Any, series: Any, nodes_: dict[str, Any], **changes: Any) -> dict[str, Any]:
    settings = {**PARAMETERS, "most": 60, "batch": 8, "half_width": 0.02, "acceptable": 0.01, **changes}
    info = orm.Dict(INFO)
    found: dict[str, Any] = draw_frames(trajectory, series, info, orm.Dict(settings), **nodes_)
    return found


def begin(trajectory: Any, series: Any, **changes: Any) -> dict[str, Any]:
    """Population, batches and results after the first frames."""
    chosen = select(trajectory, series, most=60, start=0.0, **changes)
    kept = {name: node for name, node in chosen.items() if name == "population" or name.startswith("batch_")}
    return {**kept, **answer(chosen)}


def test_a_batch_goes_where_the_answer_is_open() -> None:
    trajectory, series = wide()
    known = begin(trajectory, series)
    chosen = draw(trajectory, series, known, batch=20, acceptable=0.3)
    found = records(chosen)
    assert len(found) == 20 and chosen["selection"]["reason"] == ""
    assert {f"result_{record['step']:08d}" for record in found}.isdisjoint(known)
    # Half of all frames are below this, where nothing is open; they get the defensive share and little more.
    middle = float(np.median(known["population"].get_array("potential_range")))
    calm = sum(record["potential_range"] < middle for record in found)
    assert calm < 8
    batch = batches_of({**known, **chosen})[-1]
    weights = 1.0 / batch.probability
    assert weights.sum() == pytest.approx(np.sum(batch.label >= 0))
    for record in found:
        frame = chosen[f"frame_{record['step']:08d}"].get_ase()
        assert frame.positions[:, 0] == pytest.approx(nodes.film()[0].positions[:, 0] + 1e-3 * record["step"])


def test_drawing_ends_when_the_answer_is_known_or_the_frames_are_spent() -> None:
    trajectory, series = wide()
    known, rounds, reason = begin(trajectory, series), 0, ""
    while not reason:
        chosen = draw(trajectory, series, known)
        reason = chosen["selection"]["reason"]
        known.update({name: node for name, node in chosen.items() if name.startswith("batch_")})
        known.update(answer(chosen))
        rounds += 1
        assert rounds < 20
    sample = Sample.of(known["population"], known)
    low, high = sample.fraction(0.95).low, sample.fraction(0.95).high
    true = float(np.mean(sample.predictor > 4.2))
    assert low <= true <= high
    assert "lies above 0.01" in reason and low > 0.01
    few = draw(trajectory, series, begin(trajectory, series), most=7, acceptable=0.3)
    assert "less than two" in few["selection"]["reason"] and not records(few)


def test_same_seed_same_batch() -> None:
    trajectory, series = wide()
    known = begin(trajectory, series)
    found = [
        [record["step"] for record in records(draw(trajectory, series, known, seed=seed, acceptable=0.3))]
        for seed in (1, 1, 2)
    ]
    assert found[0] == found[1] != found[2]


def test_failed_frames_count_as_drawn_and_are_bounded() -> None:
    trajectory, series = wide()
    chosen = select(trajectory, series, most=60, start=0.0)
    first = records(chosen)[0]["step"]
    known = {name: node for name, node in chosen.items() if name == "population" or name.startswith("batch_")}
    sample = Sample.of(known["population"], {**known, **answer(chosen, lost={first})})
    assert (sample.drawn, len(sample.known), sample.failed) == (6, 5, 1)
    whole = Sample.of(known["population"], {**known, **answer(chosen)})
    assert sample.fraction(0.95).high >= whole.fraction(0.95).high
    assert sample.highest[0 if first == 0 else first // 20] == 1.0
    # A frame whose workchain left nothing at all is drawn, too.
    results = answer(chosen)
    results.pop(f"result_{first:08d}")
    assert Sample.of(known["population"], {**known, **results}).failed == 1


def test_drawing_ends_where_the_law_shows_that_no_frame_closes() -> None:
    """A spread of 0.5 V: six open frames of 200 would bound the fraction to 40 % only."""
    trajectory, series = wide(sd=0.5)
    known = begin(trajectory, series)
    settled = draw(trajectory, series, known, equilibration=0.0)
    assert "By the gap law" in settled["selection"]["reason"] and not records(settled)
    # Not where a frame failed.
    lost = {**known, **answer(select(trajectory, series, most=60, start=0.0), lost=set())}
    gone = next(name for name in lost if name.startswith("result_"))
    lost.pop(gone)
    assert records(draw(trajectory, series, lost, equilibration=0.0))


def test_a_selection_of_an_older_version_goes_by_the_drop() -> None:
    chosen = select(*wide(60), most=60)
    old = orm.ArrayData({name: chosen["population"].get_array(name) for name in ("step", "time_ps", "Mz", "drop")})
    sample = Sample.of(old, {**chosen, **answer(chosen)})
    assert sample.predictor == pytest.approx(np.abs(sample.drop))
    assert (sample.model.intercept, sample.model.slope) == (sample.law.intercept, sample.law.slope)
