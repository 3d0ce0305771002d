"""Rows into the tables of the loaded profile, past AiiDA's store of one node at a time: SQLite or PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aiida.manage import get_manager
from sqlalchemy import text

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
        """Drop the indexes of nodes and links that no constraint needs, and make them again: faster for many rows.

        Made again also where the writing was cut short, so that the profile is always whole.
        """
        if not (wanted and self.postgres):
            yield
            return
        statement = (
            "SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ('db_dbnode', 'db_dblink') "
            "AND indexdef NOT LIKE 'CREATE UNIQUE%'"
        )
        indexes = self.ask(statement)
        for name, _ in indexes:
            self._session.execute(text(f'DROP INDEX "{name}"'))
        self._session.commit()
        try:
            yield
        finally:
            for _, definition in indexes:
                self._session.execute(text(definition.replace("CREATE INDEX", "CREATE INDEX IF NOT EXISTS")))
                self._session.commit()

    def finish(self) -> None:
        """Have the database go on counting behind the new ids, and look at what its tables hold."""
        if self.postgres:
            for table in TABLES:
                self.ask(f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), MAX(id)) FROM {table}")
        self._session.commit()
        self._session.connection().exec_driver_sql("ANALYZE")
        self._session.commit()
