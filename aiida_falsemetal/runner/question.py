"""Answers what is asked of a model in the environment that can load it: where its file is, and what the file says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ..mlips.family import ModelError
from ..mlips.registry import load_family

FLAG = "--ask"
"""``python runner.pyz --ask request.json answer.json``."""


def answer_file(request: str, answer: str) -> None:
    """Read the request, write the answer, both JSON."""
    Path(answer).write_text(json.dumps(answered(json.loads(Path(request).read_text()))))


def answered(request: dict[str, Any]) -> dict[str, Any]:
    """The answer to one request.

    :param request: ``family``, and ``source`` to be told the ``path`` of the weights of that name, or ``path`` and
        ``kwargs`` to be told the model's ``facts``.
    :return: what was asked for, or ``error`` (a sentence) and whether a package is ``missing``.
    """
    try:
        family = load_family(request["family"])
        if "source" in request:
            return {"path": str(Path(family.locate(request["source"])).absolute())}
        return {"facts": family.inspect(Path(request["path"]), request["kwargs"]).as_dict()}
    except ModelError as error:
        return {"error": str(error), "missing": False}
    except ImportError as error:
        return {"error": str(error), "missing": True}
    except Exception as error:  # a family met a keyword's value that it did not expect, or a package of another version
        return {"error": f"{type(error).__name__}: {error}", "missing": False}
