"""Record what the MD driver and pw.x write for :data:`.place.CAMPAIGN`: ``python -m benchmarks.growth.record FOLDER``.

One real pair, with a gap of every frame that a seed could choose. FOLDER becomes an AiiDA configuration of its own. Run
it again where the driver, the film's preparation or the inputs of pw.x have changed: the stand-ins then say that a run
is not recorded.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import shutil
import sys
from pathlib import Path

from .place import RECORDED, Place

MD_FILES = ("driver.log", "result.json", "series.jsonl", "frames.f32", "checkpoint.npz")
PW_FILES = {"out/aiida.save/data-file-schema.xml": "data-file-schema.xml", "aiida.out": "aiida.out"}
FOLDERS = """
import json
found = {}
for name in ('MlipMdCalculation', 'PwCalculation'):
    query = orm.QueryBuilder().append(orm.CalcJobNode, filters={'attributes.process_label': name},
                                      project=['attributes.remote_workdir', 'attributes.exit_status'])
    found[name] = query.all()
print(json.dumps(found))
"""


def main() -> None:
    """See the module."""
    place = Place(Path(sys.argv[1]))
    place.run("setup")
    selection = {"stratified": 0, "uniform": 10, "strata": 2, "start": 0.2}
    file = place.campaign("record", 1, selection=selection, keep="all")
    print(place.run("screen", file.name, "--follow"))
    found = json.loads(place.python(FOLDERS))
    failed = [folder for jobs in found.values() for folder, status in jobs if status != 0]
    if failed:
        raise SystemExit(f"these jobs failed, nothing is recorded: {', '.join(failed)}")
    shutil.rmtree(RECORDED, ignore_errors=True)
    (RECORDED / "md").mkdir(parents=True)
    ((md, _),) = found["MlipMdCalculation"]
    for name in MD_FILES:
        shutil.copy(Path(md) / name, RECORDED / "md" / name)
    for folder, _ in found["PwCalculation"]:
        _record_pw(Path(folder))
    rows = json.loads(place.run("query", "--campaign", "record", "--format", "json"))
    kept = ("step", "gap", "vbm", "cbm", "drop", "Mz", "exit_code")
    table = sorted(({key: row[key] for key in kept} for row in rows), key=lambda row: row["step"])
    (RECORDED / "rows.json").write_text(json.dumps(table, indent=1) + "\n")
    print(f"recorded {len(table)} frames in {RECORDED}")


def _record_pw(folder: Path) -> None:
    """By what pw.x was given."""
    key = hashlib.sha256((folder / "aiida.in").read_bytes()).hexdigest()[:16]
    target = RECORDED / "pw" / key
    target.mkdir(parents=True)
    for name, short in PW_FILES.items():
        # No time in the header: recording the same again gives the same file.
        (target / f"{short}.gz").write_bytes(gzip.compress((folder / name).read_bytes(), mtime=0))


if __name__ == "__main__":
    main()
