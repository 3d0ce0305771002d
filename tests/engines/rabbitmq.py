"""A RabbitMQ of Debian's packages in a folder and on ports of its own, as any user."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from .base import daemon, free_port, program, wait_until

ADVANCED = "[{rabbit, [{consumer_timeout, undefined}]}].\n"
"""Channels are not closed while a task takes long: AiiDA's take hours."""


@dataclass(frozen=True)
class RabbitMq:
    """One that runs, with its user ``guest``."""

    port: int

    @property
    def url(self) -> str:
        """What `falsemetal setup --rabbitmq` takes."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}"


@contextmanager
def rabbitmq(folder: Path) -> Iterator[RabbitMq]:
    """A RabbitMQ that has started, until the end of the block.

    :param folder: empty.
    """
    # Not the one on PATH: Debian's wrapper takes nobody but root and its own user, and a folder of its own.
    folders = ("/usr/lib/rabbitmq/bin",)
    server, control = (program(name, "rabbitmq-server", folders) for name in ("rabbitmq-server", "rabbitmqctl"))
    port, mapper, nodes = free_port(), free_port(), free_port()
    (folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    (folder / "advanced.config").write_text(ADVANCED)
    (folder / "enabled_plugins").write_text("[].\n")
    environment = {
        **os.environ,
        "HOME": str(folder),  # Erlang's cookie
        "RABBITMQ_NODENAME": f"falsemetal{port}@localhost",
        "RABBITMQ_DIST_PORT": str(nodes),
        "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq"),
        "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
        "RABBITMQ_CONF_ENV_FILE": str(folder / "none"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
        "RABBITMQ_LOG_BASE": str(folder),
        "RABBITMQ_PID_FILE": str(folder / "pid"),
        "ERL_EPMD_PORT": str(mapper),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "ERL_MAX_PORTS": "4096",
        # Without it the emulator takes a thread for every core, and spins for a while where there is nothing to do.
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1 +sbwt none",
    }
    ready = [control, "-q", "await_startup", "--timeout", "5"]

    def up() -> bool:
        return subprocess.run(ready, env=environment, capture_output=True, check=False, cwd="/").returncode == 0

    try:
        with daemon([server], folder / "server.out", environment):
            wait_until(up, "RabbitMQ", folder / "server.out", 120.0)
            yield RabbitMq(port)
    finally:
        # The emulator started a name server of its own, which nobody else would end.
        with suppress(FileNotFoundError):
            subprocess.run(["epmd", "-port", str(mapper), "-kill"], env=environment, capture_output=True, check=False)
