"""One workspace and one undisturbed campaign for all faults that need no servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.engines.conftest import batch, cluster, ready, servers, short  # noqa: F401  (fixtures)
from tests.screen.conftest import Workspace

pytest.register_assert_rewrite("tests.faults.harness")

from .harness import Census, undisturbed  # noqa: E402


@pytest.fixture(scope="session")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """A workspace that `falsemetal setup` has made ready.

    Its user has a home without start-up files: a login shell of a job that is killed in the middle of the real ones may
    leave a lock of theirs behind (pyenv's, for which every later login shell waits 60 s).
    """
    with ready(tmp_path_factory.mktemp("faults"), home=tmp_path_factory.mktemp("home")) as made:
        yield made


@pytest.fixture(scope="session")
def reference(space: Workspace) -> Census:
    """The campaign without a disturbance."""
    return undisturbed(space)
