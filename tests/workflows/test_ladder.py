"""The ladder by itself: it ends, never starts from a density that failed, and stops where smearing is harmless."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aiida_falsemetal.workflows.ladder import Run, is_done, next_rung

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
