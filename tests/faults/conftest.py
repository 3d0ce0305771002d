"""One workspace and one undisturbed campaign for all faults that need no servers."""

from __future__ import annotations

import getpass
from collections.abc import Iterator

import pytest

from tests.engines.conftest import batch, cluster, ready, servers, short  # noqa: F401  (fixtures)
from tests.screen.conftest import Workspace

pytest.register_assert_rewrite("tests.faults.harness")

from .harness import Census, give_up, undisturbed  # noqa: E402

WORKSPACES = ("space", "servers", "cluster")
"""Fixtures whose workspace the tests of a session share."""


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


@pytest.fixture(autouse=True)
def nothing_left(request: pytest.FixtureRequest) -> Iterator[None]:
    """A test that fails leaves no daemon, job or unfinished process to the next one of its workspace."""
    used = [request.getfixturevalue(name) for name in WORKSPACES if name in request.fixturenames]
    failed = request.session.testsfailed
    yield
    if request.session.testsfailed == failed:
        return
    for workspace in used:
        give_up(workspace)
    if "batch" in request.fixturenames:  # when there is no daemon any more that would submit others
        request.getfixturevalue("batch").ask("scancel", "--user", getpass.getuser())
