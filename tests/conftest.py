"""AiiDA's own fixtures, in a configuration of the tests' own: the user's profiles are not even read."""

from __future__ import annotations

import os
import tempfile

# Before AiiDA is imported, which looks for its configuration then; removed when Python ends.
_FOLDER = tempfile.TemporaryDirectory(prefix="falsemetal-tests-")
os.environ["AIIDA_PATH"] = _FOLDER.name
os.environ.pop("AIIDA_PROFILE", None)
# The models and environments that the user has added are none of the tests' either.
os.environ["FALSEMETAL_HOME"] = f"{_FOLDER.name}/falsemetal"

pytest_plugins = ["aiida.tools.pytest_fixtures"]
