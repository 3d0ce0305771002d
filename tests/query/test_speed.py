"""What a question costs, counted instead of timed: statements, and rows that leave the database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy
from aiida.manage import get_manager
from aiida.manage.configuration import Profile

from aiida_falsemetal.query import frame_query, plans
from aiida_falsemetal.query.failures import find_failures
from aiida_falsemetal.query.methods import recorded_methods
from aiida_falsemetal.query.progress import overview
from aiida_falsemetal.query.rows import current_rows, frame_rows, pair_series
from aiida_falsemetal.query.structures import frame_layers, frame_structures
from aiida_falsemetal.query.subjects import table
from aiida_falsemetal.query.versions import recorded_versions

from .test_rows import several_pairs


@contextmanager
def watched() -> Iterator[list[tuple[str, Any]]]:
    """The SELECTs that are sent meanwhile, with their parameters."""
    engine = get_manager().get_profile_storage().get_session().get_bind()
    sent: list[tuple[str, Any]] = []

    def listen(_connection: Any, _cursor: Any, statement: str, parameters: Any, *_more: Any) -> None:
        if statement.startswith("SELECT"):
            sent.append((statement, parameters))

    sqlalchemy.event.listen(engine, "before_cursor_execute", listen)
    try:
        yield sent
    finally:
        sqlalchemy.event.remove(engine, "before_cursor_execute", listen)


@pytest.fixture(scope="module")
def campaign(aiida_profile: Profile) -> str:
    """Three pairs, each with four frames of gaps 0, 0.5, 1 and 1.5 eV, and one without a result."""
    return several_pairs(pairs=3, frames=4)


@pytest.mark.parametrize(
    ("where", "columns", "statements"),
    [
        ("gap < 0.7", "step,gap", 2),  # pairs, results; a frame without a result has no gap
        ("gap < 0.7", "step,gap,pw_pk", 3),  # and runs
        ("gap < 0.7 and mlip = 'none'", "step", 1),  # no pair is left
        ("gap < -1", "step,pw_pk", 2),  # no row is left to look up the run of
        ("step = 3", "step", 3),  # frames without a result too: there is none of that step
        ("step = 100", "step", 4),  # there are some: whether any of them has a result after all
        (None, None, 5),
    ],
)
def test_statements_do_not_depend_on_the_number_of_frames(
    campaign: str, where: str | None, columns: str | None, statements: int
) -> None:
    with watched() as sent:
        table("frames", where, columns, campaign=campaign)
    assert len(sent) == statements


def test_the_database_leaves_out_what_does_not_fit(campaign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    row = frame_query._row
    monkeypatch.setattr(frame_query, "_row", lambda *given: [made.append(given[2]), row(*given)][1])
    shown = table("frames", "gap < 0.7 and seed != 0", campaign=campaign)[1]
    assert len(shown) == len(made) == 4
    made.clear()
    assert len(frame_rows(campaign)) == len(made) == 15


def test_no_statement_reads_all_nodes_or_all_links(campaign: str) -> None:
    """On SQLite, which has no statistics: from the pairs on, every step is by a key or a link's ends."""
    session = get_manager().get_profile_storage().get_session()
    if session.get_bind().dialect.name != "sqlite":
        pytest.skip("reads SQLite's plans; PostgreSQL chooses them by what the tables hold")
    with watched() as sent:
        table("frames", "step < 5 and gap is not null and mlip like '%'", campaign=campaign)
        frame_rows(campaign)
    assert len(sent) == 8
    for statement, parameters in sent:
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
        steps = [step[-1] for step in plan if "db_db" in step[-1]]
        assert steps and all(step.startswith("SEARCH") for step in steps), steps
        keys = {step.partition("USING ")[2].partition(" (")[0] for step in steps[1:]}
        ends = {f"INDEX ix_db_dblink_db_dblink_{end}_id" for end in ("input", "output")}
        assert keys <= {"INTEGER PRIMARY KEY", *ends}, steps


def test_postgresql_goes_from_few_pairs_along_their_links(campaign: str) -> None:
    """Whatever it expects of the links' number; and its settings are as before when the query is over."""
    session = get_manager().get_profile_storage().get_session()
    if session.get_bind().dialect.name != "postgresql":
        pytest.skip("reads PostgreSQL's plans; of SQLite's is the test before")

    def settings() -> list[Any]:
        return [session.connection().exec_driver_sql(f"SHOW {name}").scalar() for name in plans.AS_WRITTEN]

    before = settings()
    pks = [pair["pair_pk"] for pair in current_rows(campaign)[1]]
    with watched() as sent:
        table("frames", "gap < 0.7 or step = 100", campaign=campaign)
    assert settings() == before
    assert len(sent) == 5
    for statement, parameters in sent[1:]:
        with plans.from_few(pks):
            assert settings() == list(plans.AS_WRITTEN.values())
            plan = session.connection().exec_driver_sql(f"EXPLAIN {statement}", parameters).scalars().all()
        steps = [line.strip(" ->").partition("  (cost")[0] for line in plan if "(cost=" in line]
        joins = [step for step in steps if "Join" in step or "Nested Loop" in step]
        assert joins and set(joins) == {"Nested Loop"}, plan


def test_no_statement_of_the_report_or_of_the_status_starts_at_the_links_of_a_label(campaign: str) -> None:
    """There is one a frame of nearly every label: a batch of structures or a look at a campaign would read them all."""
    session = get_manager().get_profile_storage().get_session()
    if session.get_bind().dialect.name != "sqlite":
        pytest.skip("reads SQLite's plans; PostgreSQL chooses them by what the tables hold")
    rows, pairs = current_rows(campaign)
    with watched() as sent:
        pks = [pair["pair_pk"] for pair in pairs]
        recorded_methods(pks), recorded_versions(pks), pair_series(pks)
        list(frame_structures([row["gap_pk"] for row in rows]))
        list(frame_layers([row["gap_pk"] for row in rows]))
        overview(campaign)
        find_failures(campaign)
    assert len(sent) > 20
    for statement, parameters in sent:
        plan = session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).fetchall()
        assert not [step[-1] for step in plan if "label" in step[-1] or "SCAN db_" in step[-1]], statement
