"""Parses what a training left: also of one that was killed, whose checkpoint the next job goes on from."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser

from ..runner import training
from .words import last_words


class MaceTrainParser(Parser):
    """See the module."""

    def parse(self, retrieved_temporary_folder: str | None = None, **_: Any) -> ExitCode | None:
        """Outputs appear also with an exit code."""
        folder = Path(str(retrieved_temporary_folder))
        result = self._result()
        epoch = self._emit_checkpoint(folder)
        if result is None:
            if epoch is None:
                return self.exit_codes.ERROR_NO_OUTPUT.format(reason=f"no checkpoint{last_words(self.retrieved)}")
            return self.exit_codes.ERROR_INTERRUPTED.format(epoch=epoch)
        history = np.array(result.pop("history"), dtype=float).reshape(-1, 4)
        node = orm.ArrayData()
        for column, key in enumerate(("epoch", "loss", "energy_rmse", "force_rmse")):
            node.set_array(key, history[:, column])
        self.out("history", node)
        self.out("results", orm.Dict(result))
        status = result["status"]
        if status in ("walltime", "signal"):
            name = "ERROR_WALLTIME" if status == "walltime" else "ERROR_INTERRUPTED"
            code: ExitCode = self.exit_codes[name].format(epoch=epoch)
            return code
        if status != "finished":
            return self.exit_codes.ERROR_TRAINING.format(reason=result.get("message") or self._log_end() or status)
        return self._emit_model(folder)

    def _emit_model(self, folder: Path) -> ExitCode | None:
        model, predictions = folder / training.MODEL, folder / training.PREDICTIONS
        if not (model.is_file() and predictions.is_file()):
            return self.exit_codes.ERROR_NO_OUTPUT.format(reason="no model or no predictions")
        self.out("model", orm.SinglefileData(io.BytesIO(model.read_bytes()), filename=training.MODEL))
        node = orm.ArrayData()
        with np.load(predictions) as arrays:
            for key in ("energy", "forces"):
                node.set_array(key, arrays[key])
        self.out("predictions", node)
        return None

    def _emit_checkpoint(self, folder: Path) -> int | None:
        """Store the newest checkpoint that is whole; returns its epoch."""
        found = {
            int(match[1]): path
            for path in folder.rglob("*_epoch-*.pt")
            if (match := training.CHECKPOINT.search(path.name))
        }
        for epoch in sorted(found, reverse=True):
            if is_whole(found[epoch]):
                content = io.BytesIO(found[epoch].read_bytes())
                self.out("checkpoint", orm.SinglefileData(content, filename=found[epoch].name))
                return epoch
        return None

    def _result(self) -> dict[str, Any] | None:
        try:
            account: dict[str, Any] = json.loads(self._content(training.RESULT))
        except ValueError:
            return None
        return account

    def _content(self, name: str) -> str:
        try:
            return str(self.retrieved.base.repository.get_object_content(name))
        except FileNotFoundError:
            return ""

    def _log_end(self) -> str:
        """The last line of mace-torch's own output."""
        lines = self._content(training.LOG).strip().splitlines()
        return lines[-1].strip()[:300] if lines else ""


def is_whole(path: Path) -> bool:
    """Whether a file of torch's is complete: it is a zip file with checksums; a kill may cut it short."""
    try:
        with zipfile.ZipFile(path) as file:
            return file.testzip() is None
    except (zipfile.BadZipFile, OSError, EOFError):
        return False
