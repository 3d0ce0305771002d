"""Rows into the tables of the loaded profile, past AiiDA's store of one node at a time: SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiida.manage import get_manager
from aiida.storage.psql_dos.models.node import DbLink, DbNode
from sqlalchemy import Index, text

from .graph import Batch
from .template import COLUMNS, LINK_COLUMNS

TABLES = {"db_dbnode": COLUMNS, "db_dblink": LINK_COLUMNS, "db_dbgroup_dbnodes": ("id", "dbnode_id", "dbgroup_id")}


class Sink:
    """The tables of the loaded profile; every batch is written whole or not at all."""

    def __init__(self) -> None:
        self._session = get_manager().get_profile_storage().get_session()
        self.postgres = self._session.bind.dialect.name == "postgresql"

    def ask(self, statement: str) -> list[tuple[Any, ...]]:
        """Rows that a statement returns."""
        found = [tuple(row) for row in self._session.execute(text(statement))]
        self._session.commit()
        return found

    def next_id(self, table: str) -> int:
        """First free id of a table."""
        return int(self.ask(f"SELECT COALESCE(MAX(id), 0) + 1 FROM {table}")[0][0])

    def write(self, batch: Batch, group: int) -> None:
        """Write one batch in a transaction."""
        start = self.next_id("db_dbgroup_dbnodes")
        members = [(start + place, pk, group) for place, pk in enumerate(batch.pairs)]
        rows = zip(TABLES, (batch.nodes, batch.links, members), strict=True)
        connection = self._session.connection().connection.dbapi_connection
        assert connection is not None
        try:
            for table, values in rows:
                columns = ", ".join(TABLES[table])
                if self.postgres:
                    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as copy:
                        for row in values:
                            copy.write_row(row)
                else:
                    marks = ", ".join("?" * len(TABLES[table]))
                    connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", values)
            self._session.commit()
        except BaseException:
            self._session.rollback()
            raise

    @contextmanager
    def without_indexes(self, wanted: bool) -> Iterator[None]:
        """PostgreSQL: drop the indexes of nodes and links that no constraint needs, and make them again: faster for
        many rows. A run that was killed in between has to be started again for :meth:`index`."""
        if wanted and self.postgres:
            for index in _indexes():
                index.drop(self._session.connection(), checkfirst=True)
            self._session.commit()
        try:
            yield
        finally:
            self.index()

    def index(self) -> None:
        """PostgreSQL: make the indexes that are missing."""
        if self.postgres:
            for index in _indexes():
                index.create(self._session.connection(), checkfirst=True)
                self._session.commit()

    def multiply(self, campaign: str, copies: int) -> None:
        """PostgreSQL: have the server copy all nodes of a campaign under new ids, as campaigns of other names.

        :param copies: how many there are to be, the first one included; those that are there stay.
        :raises ValueError: on another database.
        """
        if not self.postgres:
            raise ValueError("only PostgreSQL copies campaigns by itself; generate more frames instead.")
        # Of one run of the generator the ids have no gaps: from the oldest pair to the newest conclusion.
        first, last = self.ask(
            f"SELECT MIN(id), MAX(id) + 1 FROM db_dbnode WHERE extras ->> 'falsemetal_campaign' = '{campaign}'"
        )[0]
        there = {name for (name,) in self.ask("SELECT DISTINCT extras ->> 'falsemetal_campaign' FROM db_dbnode")}
        # The copies' foreign keys are right if the originals' are: checking each of millions takes most of the time.
        self._session.connection().exec_driver_sql("SET session_replication_role = replica")
        for number in range(2, copies + 1):
            name = f"{campaign}{number}"
            if name in there:
                continue
            shift = self.next_id("db_dbnode") - first
            extras = f"jsonb_set(extras, '{{falsemetal_campaign}}', '\"{name}\"', false)"
            self._session.connection().exec_driver_sql(
                f"INSERT INTO db_dbnode ({', '.join(COLUMNS)}) SELECT id + {shift}, gen_random_uuid(), node_type, "
                f"process_type, label, description, ctime, mtime, attributes, {extras}, repository_metadata, "
                f"dbcomputer_id, user_id FROM db_dbnode WHERE id BETWEEN {first} AND {last}"
            )
            link = self._session.connection().exec_driver_sql("SELECT MAX(id) FROM db_dblink").scalar()
            self._session.connection().exec_driver_sql(
                f"INSERT INTO db_dblink ({', '.join(LINK_COLUMNS)}) SELECT {link} + row_number() OVER (ORDER BY id), "
                f"CASE WHEN input_id >= {first} THEN input_id + {shift} ELSE input_id END, output_id + {shift}, label, "
                f"type FROM db_dblink WHERE output_id BETWEEN {first} AND {last}"
            )
            self._session.commit()
        self._session.connection().exec_driver_sql("SET session_replication_role = DEFAULT")
        self._session.commit()

    def finish(self) -> None:
        """On PostgreSQL: count on behind the new ids, and do what its autovacuum would have done by and by.

        On SQLite nothing: no AiiDA profile has statistics there, and queries have to do without.
        """
        if self.postgres:
            for table in TABLES:
                self.ask(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), MAX(id)) FROM {table}")
            self._session.connection().exec_driver_sql("ANALYZE")
            self._session.commit()


def _indexes() -> list[Index]:
    return [index for table in (DbNode, DbLink) for index in table.__table__.indexes if not index.unique]
