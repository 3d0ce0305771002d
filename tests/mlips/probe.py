"""Runs in a model's own environment: ``python -P probe.py runner.pyz request.json answer.json``.

The request has ``family``, ``source`` or ``path``, ``kwargs`` and ``frames``; the answer has the facts, and energy and
forces of each frame, or the refusal.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any


def main() -> None:
    archive, request, answer = sys.argv[1:]
    sys.path.insert(0, archive)
    from ase import Atoms

    from aiida_falsemetal.mlips.family import ModelError
    from aiida_falsemetal.mlips.registry import load_family

    given = json.loads(Path(request).read_text())
    family = load_family(given["family"])
    found: dict[str, Any] = {"frames": {}}
    try:
        path = Path(given["path"]) if "path" in given else family.locate(given["source"])
        found["path"], found["sha256"] = str(path), hashlib.sha256(path.read_bytes()).hexdigest()
        found["facts"] = family.inspect(path, given["kwargs"]).as_dict()
        calculators: dict[frozenset[str], Any] = {}
        for name, frame in given["frames"].items():
            atoms = Atoms(**frame, pbc=True)
            key = frozenset(atoms.get_chemical_symbols())
            try:
                if key not in calculators:
                    calculators[key] = family.calculator(path, given["kwargs"], atoms)
                atoms.calc = calculators[key]
                found["frames"][name] = {
                    "energy": float(atoms.get_potential_energy()),
                    "forces": atoms.get_forces().tolist(),
                    "charges": _listed(atoms.calc.results.get("partial_charges")),
                    "dipole": _listed(atoms.calc.results.get("dipole")),
                }
            except ModelError as error:
                found["frames"][name] = {"refused": str(error)}
    except ModelError as error:
        found["error"] = str(error)
    Path(answer).write_text(json.dumps(found))


def _listed(values: Any) -> Any:
    return None if values is None else values.tolist()


if __name__ == "__main__":
    main()
