"""AiiDA's own fixtures, in a configuration of the tests' own: the user's profiles are not even read."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Before torch is imported: several workers would share the cores, and with more than one thread the order in which
# numbers are added, and with it their rounding, is not the same each time.
os.environ["OMP_NUM_THREADS"] = "1"
# Before AiiDA is imported, which looks for its configuration then; removed when Python ends.
_FOLDER = tempfile.TemporaryDirectory(prefix="falsemetal-tests-")
os.environ["AIIDA_PATH"] = _FOLDER.name
os.environ.pop("AIIDA_PROFILE", None)
# The models and environments that the user has added are none of the tests' either.
os.environ["FALSEMETAL_HOME"] = f"{_FOLDER.name}/falsemetal"

_HERE = Path(__file__).parent

pytest_plugins = ["aiida.tools.pytest_fixtures", "tests.fuzz.outcomes"]

LONGEST = ("screen", "docs", "runner")
"""Folders whose files take minutes each. They come first: what several workers end with should be short."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Order the folders; ``make test`` has pytest-xdist keep it (``--no-loadscope-reorder``)."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.path.relative_to(_HERE).parts[0], len(places)))


STORAGE = "FALSEMETAL_TEST_POSTGRES"
"""Environment variable: the JSON of a ``core.psql_dos`` storage to run the tests on instead of SQLite; it is emptied.
``tests/query/test_postgres.py`` sets it."""

if STORAGE in os.environ:

    @pytest.fixture(scope="session", autouse=True)
    def aiida_profile(aiida_config: Any, aiida_profile_factory: Any) -> Iterator[Any]:
        """A profile on PostgreSQL, in place of AiiDA's fixture of that name."""
        storage = json.loads(os.environ[STORAGE])
        with aiida_profile_factory(aiida_config, storage_backend="core.psql_dos", storage_config=storage) as profile:
            yield profile
