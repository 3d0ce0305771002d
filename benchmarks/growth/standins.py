"""Stand-ins for the MD driver's Python and for pw.x: they sleep, and write what the real programs have written.

All else is real: plugins, parsers, workchains, daemon, broker, storage, the scripts of the jobs and their locks. Each
stand-in notes when it began and when it ended, behind the job's locks, so that afterwards one can say how many ran at
once.
"""

from __future__ import annotations

from pathlib import Path

from .place import RECORDED, Place

_NOTE = 'echo "{kind} {what} $(date +%s.%N) $$" >> {log}'
_MD = """#!/bin/sh
# Stands in for `python runner.pyz`.
{began}
sleep {seconds}
cp {recorded}/md/* . && cat driver.log
{ended}
"""
_PW = """#!/bin/sh
# Stands in for `pw.x -in aiida.in`: what pw.x wrote for the very same input.
{began}
sleep {seconds}
known={recorded}/pw/$(sha256sum aiida.in | cut -c 1-16)
[ -d "$known" ] || {{ echo "this run of pw.x is not recorded; see benchmarks/growth/record.py" >&2; exit 1; }}
mkdir -p out/aiida.save
gunzip -c "$known/data-file-schema.xml.gz" > out/aiida.save/data-file-schema.xml
gunzip -c "$known/aiida.out.gz"
{ended}
"""
CODE = """
from pathlib import Path
from aiida_falsemetal.cli.profile import ensure_code
ensure_code('python-mlip', 'falsemetal.md', Path({path!r}), orm.load_computer('localhost'), print)
"""


def log_of(place: Place) -> Path:
    """Where the stand-ins note their times: kind, ``began`` or ``ended``, seconds since 1970, process id."""
    return place.folder / "jobs.log"


def install(place: Place, md_seconds: float, pw_seconds: float) -> None:
    """Make the profile with the stand-ins as its codes."""
    programs = place.folder / "bin"
    programs.mkdir(exist_ok=True)
    for name, text, seconds in (("md", _MD, md_seconds), ("pw.x", _PW, pw_seconds)):
        notes = {what: _NOTE.format(kind=name, what=what, log=log_of(place)) for what in ("began", "ended")}
        path = programs / name
        path.write_text(text.format(seconds=seconds, recorded=RECORDED, **notes))
        path.chmod(0o755)
    place.run("setup", "--pw", str(programs / "pw.x"))
    place.python(CODE.format(path=str(programs / "md")))
