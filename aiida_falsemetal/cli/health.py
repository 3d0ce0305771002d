"""Whether the daemon's worker can still do its work.

A session of SQLAlchemy whose transaction has failed (the disk was full, PostgreSQL was restarted) refuses everything
until somebody rolls it back, and AiiDA's worker does not: it lives on and does nothing, for ever. A new worker goes on
from the last checkpoints. And a worker looks at its jobs again when the clock says so: where that is set back by hours,
hours later.
"""

from __future__ import annotations

import shutil
import time
from pathlib import Path

BROKEN = (
    b"PendingRollbackError",
    b"Can't reconnect until invalid transaction",
    b"no further SQL can be emitted within this transaction",  # a commit that was cut off in its middle
)
"""What a worker writes into the daemon's log then."""
LITTLE = 2**21
"""Bytes; with less left, nothing of use can be written, also into that log."""
SET_BACK = 60.0
"""Seconds; a clock that is set back by less costs less than a new worker."""


class Health:
    """Looked at now and then by who follows.

    :param log: the daemon's log.
    :param storage: folder of the profile's repository, and of its database where that is a file.
    """

    def __init__(self, log: Path, storage: Path) -> None:
        self._log, self._storage, self._full = log, storage, False
        self._offset = 0
        self.renewed()

    def renewed(self) -> None:
        """The worker is a new one."""
        self._offset = self._log.stat().st_size if self._log.exists() else 0
        self._ahead = _ahead()

    def is_broken(self) -> bool:
        """Whether the worker has to be replaced: not while a disk is full, for the next would do no better."""
        if shutil.disk_usage(self._storage).free < LITTLE:
            self._full = True
            return False
        if self._full:
            self._full = False
            return True
        news = self._news()
        return self._is_set_back() or any(words in news for words in BROKEN)

    def _is_set_back(self) -> bool:
        """Whether the clock is behind what it has been while this worker ran."""
        ahead = _ahead()
        self._ahead = max(self._ahead, ahead)
        return ahead < self._ahead - SET_BACK

    def _news(self) -> bytes:
        """What the log has more than at the last look."""
        if not self._log.exists():
            return b""
        with self._log.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(self._offset if self._offset <= size else 0)  # it was rotated
            news = file.read()
            self._offset = file.tell()
        return news


def _ahead() -> float:
    """What the clock is ahead of the one that nobody sets, in seconds."""
    return time.time() - time.monotonic()


def health() -> Health:
    """Of the profile's daemon."""
    from aiida.manage.configuration import get_config, get_profile

    profile = get_profile()
    config = profile.storage_config
    storage = config.get("filepath") or str(config["repository_uri"]).removeprefix("file://")
    return Health(Path(get_config().filepaths(profile)["daemon"]["log"]), Path(storage))
