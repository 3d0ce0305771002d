"""One campaign file on SQLite with ZeroMQ, on PostgreSQL with RabbitMQ, and with its jobs in SLURM over ssh."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.screen.conftest import Workspace
from tests.screen.test_campaign import assert_same

from .conftest import HOST
from .slurm import Slurm

pytestmark = [pytest.mark.slow, pytest.mark.qe]

NAME = "everywhere"
CHANGES: dict[str, Any] = {"mlips": {"spcfw-ewald": None}}
"""Of the tiny campaign: one control, two gaps."""
SCF = 2e-3
"""eV. Ranks sum in another order, and the density is converged to a limit only: 0.3 meV were seen."""
PROFILE = (
    "from aiida.manage.configuration import get_profile\np = get_profile()\n"
    "print(json.dumps([p.storage_backend, p.process_control_backend]))"
)
FINGERPRINTS = (
    "q = orm.QueryBuilder().append(orm.WorkChainNode, filters={'process_type': {'like': '%falsemetal.pair'}},"
    " project=['extras.falsemetal_fingerprint', 'attributes.exit_status'])\nprint(json.dumps(q.all()))"
)
JOBS = (
    "q = orm.QueryBuilder().append(orm.CalcJobNode, tag='job',"
    " project=['attributes.process_label', 'attributes.job_id', 'attributes.exit_status'])\n"
    "q.append(orm.Computer, with_node='job', project=['label'])\nprint(json.dumps(q.all()))"
)


def run(space: Workspace, *options: str) -> list[dict[str, Any]]:
    """Run the campaign in a workspace; its rows."""
    file = space.campaign(NAME, **CHANGES)
    output = space.run("screen", file.name, "--follow", *options, timeout=1500)
    assert "1 pairs, 0 in the graph already, 1 to submit" in output
    return space.rows(NAME)


@pytest.fixture(scope="session")
def reference(laptop: Workspace) -> list[dict[str, Any]]:
    """Rows on SQLite and ZeroMQ."""
    rows = run(laptop)
    assert len(rows) == 2 and all(row["exit_code"] == 0 for row in rows)
    return rows


def assert_known(space: Workspace, laptop: Workspace, *options: str) -> None:
    """The pair has the laptop's fingerprint, and is not computed again, wherever its jobs would run."""
    found = space.python(FINGERPRINTS)
    assert found == laptop.python(FINGERPRINTS) and len(found) == 1 and found[0][1] == 0
    assert "nothing to compute" in space.run("screen", f"{NAME}.yaml", "--follow", *options)
    assert space.python(FINGERPRINTS) == found


def test_postgresql_and_rabbitmq(laptop: Workspace, servers: Workspace, reference: list[dict[str, Any]]) -> None:
    assert servers.python(PROFILE) == ["core.psql_dos", "core.rabbitmq"]
    assert_same(run(servers), reference)
    assert_known(servers, laptop)
    assert "PostgreSQL" not in servers.run("setup")  # again, with nothing said: what is there stays
    assert servers.python(PROFILE) == ["core.psql_dos", "core.rabbitmq"]


def test_slurm_over_ssh(laptop: Workspace, cluster: Workspace, batch: Slurm, reference: list[dict[str, Any]]) -> None:
    assert_same(run(cluster, "--computer", HOST), reference)
    jobs = cluster.python(JOBS)
    assert sorted(label for label, *_ in jobs) == ["MlipMdCalculation", "PwCalculation", "PwCalculation"]
    # Every one of them was a job of SLURM's, in the partition that was named, and ended well.
    told = [batch.ask("scontrol", "-o", "show", "job", job) for _, job, _, _ in jobs]
    assert all("JobState=COMPLETED" in line and "Partition=debug" in line for line in told)
    assert {computer for *_, computer in jobs} == {HOST}
    assert_known(cluster, laptop, "--computer", HOST)
    assert_known(cluster, laptop)


def test_ranks_of_one_job_in_slurm(cluster: Workspace, batch: Slurm, reference: list[dict[str, Any]]) -> None:
    """Two ranks of pw.x in one allocation give the gaps of one."""
    file = cluster.campaign("ranks", **CHANGES, gap={"protocol": "fast", "overrides": {"ecutwfc": 30.0}, "ranks": 2})
    cluster.run("screen", file.name, "--follow", "--computer", HOST, timeout=1500)
    rows = cluster.rows("ranks")
    assert [row["gap"] for row in rows] == pytest.approx([row["gap"] for row in reference], abs=SCF)
    last = batch.ask("scontrol", "-o", "show", "job").splitlines()[-1]
    assert "NumCPUs=2" in last and "JobState=COMPLETED" in last
    assert json.loads(cluster.run("query", "pairs", "--campaign", "ranks", "--format", "json"))[0]["state"]
