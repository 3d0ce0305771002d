"""The storage and the broker of a profile: what `falsemetal setup` was told of them, tried before anything is made."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import click

SQLITE, POSTGRES = "sqlite", "postgres"
ZEROMQ, RABBITMQ = "zeromq", "rabbitmq"
BACKENDS = {SQLITE: "core.sqlite_dos", POSTGRES: "core.psql_dos", ZEROMQ: "core.zeromq", RABBITMQ: "core.rabbitmq"}
"""AiiDA's name of each."""
CONNECT_SECONDS = 10
DATABASE_FORM = "postgresql://USER:PASSWORD@HOST:PORT/NAME"
DATABASE_LINES = "`sudo -u postgres createuser --pwprompt {user}` and `sudo -u postgres createdb --owner={user} {name}`"
PATIENT_SINCE = (3, 8, 15)
"""Since this version RabbitMQ closes a channel whose task takes longer than ``consumer_timeout``, by default 30 min."""
PATIENCE = "[{rabbit, [{consumer_timeout, undefined}]}]."
"""Content of ``/etc/rabbitmq/advanced.config`` that ends it."""


@dataclass(frozen=True)
class Engines:
    """Storage and broker of a profile that is to be made.

    :param storage: ``sqlite`` or ``postgres``.
    :param broker: ``zeromq`` or ``rabbitmq``.
    :param storage_config: what AiiDA's storage is told, without the folder of its files.
    :param broker_config: what AiiDA's broker is told.
    """

    storage: str = SQLITE
    broker: str = ZEROMQ
    storage_config: dict[str, Any] = field(default_factory=dict)
    broker_config: dict[str, Any] = field(default_factory=dict)

    def check(self, echo: Any) -> None:
        """Try what was named.

        :raises click.ClickException: if it does not answer; the message names the remedy.
        """
        if self.storage == POSTGRES:
            check_database(self.storage_config)
        if self.broker == RABBITMQ:
            note = patience_note(check_rabbitmq(self.broker_config))
            if note is not None:
                echo(note)


def read_engines(storage: str, database: str | None, broker: str, rabbitmq: str | None) -> Engines:
    """What the options of ``setup`` say.

    :param database: address of the PostgreSQL database, see ``DATABASE_FORM``.
    :param rabbitmq: address of RabbitMQ, as in ``amqp://guest:guest@127.0.0.1:5672``.
    :raises click.ClickException: if they do not go together, or an address cannot be read.
    """
    if storage == SQLITE and database is not None:
        raise click.ClickException("--database goes with --storage postgres; add that, or leave --database out.")
    if broker == ZEROMQ and rabbitmq is not None:
        raise click.ClickException("--rabbitmq goes with --broker rabbitmq; add that, or leave --rabbitmq out.")
    if storage == POSTGRES and database is None:
        raise click.ClickException(
            f"--storage postgres needs --database {DATABASE_FORM}, or the same in FALSEMETAL_DATABASE. "
            f"{DATABASE_LINES.format(user='falsemetal', name='falsemetal')} make a user and a database."
        )
    return Engines(
        storage,
        broker,
        {} if storage == SQLITE else read_database(str(database)),
        {} if broker == ZEROMQ else read_rabbitmq(rabbitmq or "amqp://guest:guest@127.0.0.1:5672"),
    )


def read_database(address: str) -> dict[str, Any]:
    """The configuration of AiiDA's ``core.psql_dos`` for an address.

    :raises click.ClickException: if it is not of the form ``DATABASE_FORM``. The password is not repeated.
    """
    wrong = click.ClickException(f"the address of the database is not of the form {DATABASE_FORM}; give it so.")
    parts, port = _split(address, wrong)
    name = parts.path.removeprefix("/")
    if parts.scheme not in ("postgresql", "postgres") or not (parts.username and parts.hostname and name):
        raise wrong
    return {
        "database_hostname": parts.hostname,
        "database_port": port or 5432,
        "database_username": unquote(parts.username),
        "database_password": unquote(parts.password or ""),
        "database_name": unquote(name),
    }


def read_rabbitmq(address: str) -> dict[str, Any]:
    """The configuration of AiiDA's ``core.rabbitmq`` for an address.

    :raises click.ClickException: if it is none. The password is not repeated.
    """
    form = "amqp://USER:PASSWORD@HOST:PORT"
    wrong = click.ClickException(f"the address of RabbitMQ is not of the form {form}, or amqps; give it so.")
    parts, port = _split(address, wrong)
    if parts.scheme not in ("amqp", "amqps") or not parts.hostname:
        raise wrong
    return {
        "broker_protocol": parts.scheme,
        "broker_username": unquote(parts.username or "guest"),
        "broker_password": unquote(parts.password or "guest"),
        "broker_host": parts.hostname,
        "broker_port": port or (5671 if parts.scheme == "amqps" else 5672),
        "broker_virtual_host": unquote(parts.path.removeprefix("/")),
    }


def _split(address: str, wrong: click.ClickException) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(address)
        return parts, parts.port
    except ValueError:
        raise wrong from None  # the cause would repeat the password


def check_database(config: dict[str, Any]) -> None:
    """Whether the database answers, takes this user, and is empty.

    :raises click.ClickException: if not.
    """
    import psycopg

    where = f"{config['database_hostname']}:{config['database_port']}"
    user, name = config["database_username"], config["database_name"]
    try:
        with psycopg.connect(
            host=config["database_hostname"],
            port=config["database_port"],
            user=user,
            password=config["database_password"],
            dbname=name,
            connect_timeout=CONNECT_SECONDS,
        ) as connection:
            row = connection.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone()
    except psycopg.OperationalError as error:
        raise click.ClickException(
            f"the PostgreSQL database {name} at {where} cannot be opened as {user} ({_last_line(error)}). Start "
            "PostgreSQL (`apt-get install postgresql`), correct --database, or make user and database: "
            f"{DATABASE_LINES.format(user=user, name=name)}."
        ) from error
    if row is not None and row[0]:
        raise click.ClickException(
            f"the PostgreSQL database {name} at {where} holds {row[0]} tables already, and a profile needs one of its "
            f"own; make an empty one: `sudo -u postgres createdb --owner={user} ANOTHER_NAME`."
        )


def check_rabbitmq(config: dict[str, Any]) -> str:
    """Whether RabbitMQ answers and takes this user; returns its version.

    :raises click.ClickException: if not.
    """
    import asyncio

    where = f"{config['broker_host']}:{config['broker_port']}"
    try:
        return asyncio.run(asyncio.wait_for(_rabbitmq_version(config), CONNECT_SECONDS))
    except Exception as error:  # aiormq, asyncio and ssl raise many kinds
        raise click.ClickException(
            f"RabbitMQ at {where} cannot be used as {config['broker_username']} ({_last_line(error)}). Start it "
            "(`apt-get install rabbitmq-server`), correct --rabbitmq, or take --broker zeromq, which needs no server."
        ) from error


async def _rabbitmq_version(config: dict[str, Any]) -> str:
    import logging

    import aiormq
    from aiida.brokers.rabbitmq.utils import get_rmq_url

    logging.getLogger("aiormq.connection").setLevel(logging.CRITICAL + 1)  # the error is told once, below
    connection = await aiormq.connect(get_rmq_url(**{k.removeprefix("broker_"): v for k, v in config.items()}))
    try:
        version = connection.server_properties["version"]
        return version.decode() if isinstance(version, bytes) else str(version)
    finally:
        await connection.close()


def patience_note(version: str) -> str | None:
    """A sentence on a RabbitMQ that closes channels of long tasks unless told otherwise; None for one that does not."""
    numbers = tuple(int(part) for part in version.split(".")[:3] if part.isdigit())
    if numbers < PATIENT_SINCE:
        return None
    return (
        f"RabbitMQ {version} hands a task out again that takes more than 30 minutes, unless its file "
        f"/etc/rabbitmq/advanced.config holds `{PATIENCE}`; see to that, and restart it."
    )


def _last_line(error: Exception) -> str:
    """The end of an error's text, where drivers say what is wrong."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:200]
