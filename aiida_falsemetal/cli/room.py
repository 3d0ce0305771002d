"""How many pairs of a campaign may be under way at once.

A worker of the daemon takes a limited number of processes (``daemon.worker_process_slots``), and those that wait for
others count. A worker that is full of them starts nothing that they wait for: it would wait for ever. So what is
submitted is bounded by what fits, in the worst case, beside the campaigns that are under way.
"""

from __future__ import annotations

import click

from ..names import ENDED

OPTION = "daemon.worker_process_slots"


def worker_room() -> int:
    """How many processes one worker of the profile's daemon takes."""
    from aiida.manage.configuration import get_config_option

    return int(get_config_option(OPTION))


def pairs_that_fit() -> int:
    """Pairs that one worker has room for.

    :raises click.ClickException: if there is none for a single one, saying what gives it.
    """
    from aiida.manage.configuration import get_profile

    from ..workflows.pair import PROCESSES, pairs_at_once

    room, others = worker_room(), _under_way()
    taken = sum(1 + pairs * PROCESSES for pairs in others)
    fit = pairs_at_once(room - taken)
    if fit:
        return fit
    wanted = taken + 1 + PROCESSES
    name = get_profile().name
    beside = f", beside the {len(others)} campaigns that are under way" * bool(others)
    raise click.ClickException(
        f"a worker of the daemon takes {room} processes ({OPTION}), and a pair may need {1 + PROCESSES}{beside}: full "
        f"of processes that wait for each other, it would wait for ever. Give it room with `verdi -p {name} "
        f"config set {OPTION} {max(wanted, 2000)}` and start the daemon anew{', or wait for them' * bool(others)}."
    )


def _under_way() -> list[int]:
    """Of every campaign that is under way, how many of its pairs may be at once."""
    from aiida import orm

    from ..query.graph import SCREEN, named

    active = {"process_type": SCREEN, "attributes.process_state": {"!in": list(ENDED)}}
    query = orm.QueryBuilder()
    query.append(orm.WorkChainNode, filters=active, tag="screen")
    query.append(orm.Int, with_outgoing="screen", edge_filters=named("max_pairs"), project=["attributes.value"])
    return [int(pairs) for (pairs,) in query.iterall()]
