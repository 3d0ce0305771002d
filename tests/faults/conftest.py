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
    """A workspace that `falsemetal setup` has made ready."""
    with ready(tmp_path_factory.mktemp("faults")) as made:
        yield made


@pytest.fixture(scope="session")
def reference(space: Workspace) -> Census:
    """The campaign without a disturbance."""
    return undisturbed(space)
