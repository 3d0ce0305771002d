"""How PostgreSQL goes through the links: for a few nodes from their ends, whatever it believes of the links' number.

Some nodes, as codes and pseudopotentials, have as many links as there are frames. From a sample of the links PostgreSQL
then expects thousands at every node, and would rather read all links of the profile than look up those of 300 pairs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from aiida.manage import get_manager
from sqlalchemy import text

FEW = 500
"""Nodes that a query may start from for their links to be looked up one by one."""
AS_WRITTEN = {"join_collapse_limit": "1", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}
"""Settings of PostgreSQL's planner: joins in the order in which the query has them, each by the index of a link's end
or of the pk. They look dear to it, and what is dear it would compile first, which takes longer than the query."""


def on_postgresql() -> bool:
    """Whether the profile's storage is a PostgreSQL database."""
    bind = get_manager().get_profile_storage().get_session().get_bind()
    return bool(bind.dialect.name == "postgresql")


@contextmanager
def from_few(pks: Sequence[int]) -> Iterator[None]:
    """The one query meanwhile starts from these nodes, by :func:`among`.

    With more than ``FEW``, and on SQLite, which goes by the indexes anyway, nothing is changed. What is changed ends
    with the transaction: the server and its tables stay as they are.
    """
    if not 0 < len(pks) <= FEW or not on_postgresql():
        yield
        return
    storage = get_manager().get_profile_storage()
    with storage.transaction():
        for name, value in AS_WRITTEN.items():
            storage.get_session().execute(text(f"SET LOCAL {name} = {value}"))
        yield


def among(pks: Sequence[int]) -> dict[str, Any]:
    """Filter for the nodes of these pks, at least one.

    Few of them one by one: for PostgreSQL a list is a table, which comes last in the order of :func:`from_few`.
    """
    if len(pks) > FEW or not on_postgresql():
        return {"id": {"in": list(pks)}}
    return {"or": [{"id": pk} for pk in pks]}
