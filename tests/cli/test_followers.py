"""Who starts and stops the daemon. Circus does not run: a process that looks like it and writes its process id does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from aiida_falsemetal.cli import daemon, family
from aiida_falsemetal.cli.followers import STARTING, _files, following

LIKE_CIRCUS = "import os, sys, time; time.sleep(float(sys.argv[1]));"
LIKE_CIRCUS += "open(sys.argv[2], 'w').write(str(os.getpid())); time.sleep(600)"


class Circus:
    """In place of the daemon: the processes that were started, how many there have been, and how many at once."""

    def __init__(self, profile: str, pid_file: Path) -> None:
        self.profile, self.pid_file, self.made, self.most = profile, pid_file, 0, 0
        self.processes: list[subprocess.Popen[bytes]] = []

    def begin(self, after: float = 0.0) -> None:
        """Start one that writes its process id after some seconds."""
        line = [sys.executable, "-c", LIKE_CIRCUS, str(after), str(self.pid_file), "verdi", "-p", self.profile]
        self.processes.append(subprocess.Popen([*line, "daemon", "start-circus", "1"]))
        self.made += 1
        self.most = max(self.most, sum(process.poll() is None for process in self.processes))

    def start(self) -> bool:
        """Start one and wait for it."""
        self.begin()
        while not self.runs():
            time.sleep(0.05)
        return True

    def pid(self) -> int | None:
        """As AiiDA reads it."""
        text = self.pid_file.read_text() if self.pid_file.exists() else ""
        return int(text) if text else None

    def runs(self) -> bool:
        """Whether it lives and has said so."""
        pid = self.pid()
        return pid is not None and family.is_daemon(pid)

    def kill(self) -> None:
        """kill -9 of the one that runs. Its file stays."""
        os.kill(self.pid() or 0, signal.SIGKILL)
        self.processes[-1].wait()

    def stop(self) -> None:
        """End all."""
        for process in self.processes:
            process.kill()
            process.wait()
        self.processes.clear()
        self.pid_file.unlink(missing_ok=True)


@pytest.fixture
def circus(aiida_profile_clean: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Circus]:
    """No daemon runs, and none of those of the tests before is known."""
    from aiida.engine.daemon.client import get_daemon_client
    from aiida.manage.configuration import get_profile

    made = Circus(get_profile().name, Path(get_daemon_client().circus_pid_file))
    monkeypatch.setattr(daemon, "daemon_runs", made.runs)
    monkeypatch.setattr(daemon, "ensure_daemon", made.start)
    monkeypatch.setattr(daemon, "stop_daemon", made.stop)
    _files()[1].unlink(missing_ok=True)
    yield made
    made.stop()


def test_the_last_command_stops_the_daemon_that_it_started(circus: Circus) -> None:
    with following():
        assert circus.runs()
    assert not circus.runs() and circus.made == 1


def test_a_daemon_of_theirs_that_is_killed_is_started_again(circus: Circus) -> None:
    with following() as keep:
        circus.kill()
        keep()
        assert circus.runs() and circus.made == 2
        keep()
        assert circus.made == 2


def test_a_daemon_of_the_user_is_left_alone_and_its_end_is_told(circus: Circus) -> None:
    circus.start()
    with following() as keep:
        keep()
    assert circus.runs() and circus.made == 1
    with pytest.raises(click.ClickException, match="the daemon was stopped"), following() as keep:
        circus.kill()
        keep()


def test_a_daemon_that_a_killed_command_was_starting_is_theirs(circus: Circus) -> None:
    """It has no process id yet when the next command comes. Taken for the user's, its end would end the command."""
    _files()[1].write_text(STARTING)
    circus.begin(after=2.0)
    with following() as keep:
        assert circus.runs() and circus.made == 2  # the first is not trusted to know what the killed command stored
        circus.kill()
        keep()
        assert circus.runs() and circus.made == 3
    assert not circus.runs() and circus.most == 1  # a second one beside it would give its tasks out twice


def test_a_daemon_that_is_starting_is_waited_for(circus: Circus) -> None:
    circus.begin(after=1.0)
    assert daemon.daemon_settles() and circus.made == 1


def test_a_daemon_that_never_answers_is_found(circus: Circus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(daemon, "START_SECONDS", 1.0)
    circus.begin(after=600.0)
    assert not daemon.daemon_settles()
    assert [process.pid for process in family.daemons()] == [circus.processes[0].pid]
    family.end(family.daemons())
    assert family.daemons() == []
