"""The ladder by itself: it ends, never starts from a density that failed, and stops where smearing is harmless."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiida_falsemetal.workflows.ladder import Run, Rung, is_done, next_rung

SMEARING = [0.01, 0.003, 0.001]
RESCUES = [{"mixing_beta": 0.15}, {"mixing_beta": 0.1}]
LIMIT = 1e-5
ENDINGS = st.one_of(st.none(), st.floats(0, 1))


def climb(endings: list[float | None]) -> list[Run]:
    """Run the ladder; each ending is the number of electrons moved, or None for a failure."""
    runs: list[Run] = []
    while (rung := next_rung(runs, SMEARING, RESCUES, LIMIT)) is not None:
        if len(runs) == len(endings):
            break
        if rung.start is not None:
            assert runs[rung.start].converged
        ending = endings[len(runs)]
        runs.append(Run(rung.degauss, ending is not None, ending))
    return runs


@given(st.lists(ENDINGS, min_size=60, max_size=60))
def test_it_ends_with_a_gap_or_with_all_rescues_spent(endings: list[float | None]) -> None:
    runs = climb(endings)
    assert len(runs) < 60
    if not is_done(runs, SMEARING, LIMIT):
        assert not any(run.converged for run in runs[-len(RESCUES) - 1 :])


def test_a_density_that_cannot_be_read_takes_the_ladder_to_its_top_once() -> None:
    runs = [Run(0.01, True, 0.5), Run(0.003, False, None, began=False)]
    assert next_rung(runs, SMEARING, RESCUES, LIMIT) == Rung(0.01)
    runs.append(Run(0.01, True, 0.5))
    assert next_rung(runs, SMEARING, RESCUES, LIMIT) == Rung(0.003, start=2)
    # Again: that is no matter of one file.
    runs.append(Run(0.003, False, None, began=False))
    again = next_rung(runs, SMEARING, RESCUES, LIMIT)
    assert again is not None and again.start == 2 and again.changes == RESCUES[0]
    runs.append(Run(again.degauss, True, 0.0))
    assert is_done(runs, SMEARING, LIMIT) and next_rung(runs, SMEARING, RESCUES, LIMIT) is None


@given(st.lists(ENDINGS, min_size=60, max_size=60))
def test_smearing_only_falls_once_a_run_has_converged(endings: list[float | None]) -> None:
    held = [run.degauss for run in climb(endings) if run.converged]
    assert all(later < earlier for earlier, later in zip(held, held[1:], strict=False))


def test_metal_is_judged_at_the_last_rung() -> None:
    assert [run.degauss for run in climb([0.5] * 9)] == SMEARING


def test_frame_without_moved_electrons_is_done_at_once() -> None:
    assert len(climb([LIMIT])) == 1


def test_nothing_is_done_before_anything_converged() -> None:
    assert not is_done([Run(0.001, False)], SMEARING, LIMIT)
