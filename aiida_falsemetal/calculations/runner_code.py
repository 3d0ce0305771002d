"""How a CalcJob runs the zipapp that travels with it."""

from __future__ import annotations

import io

from aiida.common import CodeInfo
from aiida.common.folders import Folder
from aiida.engine import CalcJob

from ..runner import archive, files


def runner_code(process: CalcJob, folder: Folder, *arguments: str) -> CodeInfo:
    """Put the zipapp into the job's folder; returns the line that runs it with the process's Code, a Python."""
    folder.create_file_from_filelike(io.BytesIO(archive.build()), files.ARCHIVE, mode="wb")
    codeinfo = CodeInfo()
    codeinfo.code_uuid = process.inputs.code.uuid
    codeinfo.cmdline_params = [files.ARCHIVE, *arguments]
    codeinfo.stdout_name = files.LOG
    codeinfo.withmpi = False
    return codeinfo
