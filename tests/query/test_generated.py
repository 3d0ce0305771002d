"""The generator of the benchmark makes what real workchains make, so that what is measured on it is true of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from aiida import orm
from aiida.manage import get_manager
from aiida.manage.configuration import Profile
from aiida.tools import delete_nodes

from aiida_falsemetal.query.cells import cell_rows, law_rows
from aiida_falsemetal.query.rows import current_rows
from aiida_falsemetal.query.subjects import table
from benchmarks.query.generate import DEMO, generate

PAIRS, FRAMES = 3, 40


@pytest.fixture(scope="module")
def campaign(aiida_profile: Profile) -> Iterator[str]:
    """Three pairs of 40 frames. No job runs, so that AiiDA's own tables are all there is."""
    get_manager().get_profile_storage()
    # The campaign of other tests that has the demo's name would be taken for it.
    _delete(orm.QueryBuilder().append(orm.Node, filters={"extras.falsemetal_campaign": DEMO}, project="id"))
    before = orm.QueryBuilder().append(orm.Node, project="id").all(flat=True)
    generate("made", PAIRS * FRAMES, FRAMES)
    yield "made"
    # The demo's campaign has the name that examples of other tests have. A profile may have had no node (0 is none).
    _delete(orm.QueryBuilder().append(orm.Node, filters={"id": {"!in": [*before, 0]}}, project="id"))


def _delete(query: orm.QueryBuilder) -> None:
    delete_nodes(query.all(flat=True), dry_run=False)


def kinds(rows: list[dict[str, Any]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.items():
            found.setdefault(key, set()).add(type(value).__name__)
    return found


def test_rows_have_the_keys_and_types_of_real_ones(campaign: str) -> None:
    made, real = current_rows(campaign), current_rows(DEMO)
    assert len(made[0]) == PAIRS * FRAMES and len(made[1]) == PAIRS
    for ours, theirs in zip((*made, cell_rows(campaign), law_rows(campaign)),
                            (*real, cell_rows(DEMO), law_rows(DEMO)), strict=True):  # fmt: skip
        mine, real_kinds = kinds(ours), kinds(theirs)
        assert ours and set(mine) == set(real_kinds)
        for key, names in mine.items():
            known = real_kinds[key] - {"NoneType"}
            # Of a frame that failed or is under way a value is missing; the demo has neither.
            assert not known or names - {"NoneType", *({"str"} if key == "exit_message" else set())} <= known | (
                {"int", "str"} if key in ("stratum", "exit_code") else set()
            ), key


def test_a_second_run_makes_nothing_and_a_longer_one_goes_on(campaign: str) -> None:
    before = orm.QueryBuilder().append(orm.Node).count()
    generate(campaign, PAIRS * FRAMES, FRAMES)
    assert orm.QueryBuilder().append(orm.Node).count() == before
    generate(campaign, (PAIRS + 1) * FRAMES, FRAMES)
    assert len(table("frames", campaign=campaign)[1]) == (PAIRS + 1) * FRAMES
