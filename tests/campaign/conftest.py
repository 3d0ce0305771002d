"""A campaign that is right, and ways to write one to a file."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

GOOD: dict[str, Any] = {
    "name": "test",
    "interfaces": {"film24": {"recipe": "film", "molecules": 24, "lateral": 7.0, "vacuum": 25.0, "seed": 1}},
    "mlips": {"spcfw-ewald": None},
    "seeds": [1, 2],
    "md": {"steps": 10000},
}

ARGON = """<ForceField><AtomTypes><Type name="Ar" class="Ar" element="Ar" mass="39.9"/></AtomTypes></ForceField>"""


@pytest.fixture
def good() -> dict[str, Any]:
    """A fresh copy of a campaign that is right."""
    return copy.deepcopy(GOOD)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Any], Path]:
    """Writes data, or text as it is, to `wrong.yaml`."""

    def _write(content: Any) -> Path:
        path = tmp_path / "wrong.yaml"
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False))
        return path

    return _write


def put(data: dict[str, Any], dotted: str, value: Any) -> dict[str, Any]:
    """Set the value at a `/`-separated place, making mappings on the way."""
    *parents, last = dotted.split("/")
    place = data
    for key in parents:
        if not isinstance(place.get(key), dict):
            place[key] = {}
        place = place[key]
    place[last] = value
    return data


@pytest.fixture(scope="session")
def mace_models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Two real, untrained MACE files, for H and O in float32 (`OH`) and for H and C in float64 (`CH`)."""
    torch = pytest.importorskip("torch")
    modules = pytest.importorskip("mace.modules")
    import numpy as np
    from e3nn import o3

    folder = tmp_path_factory.mktemp("models")
    before = torch.get_default_dtype()
    paths = {}
    for name, numbers, dtype in (("OH", [1, 8], torch.float32), ("CH", [1, 6], torch.float64)):
        torch.set_default_dtype(dtype)
        model = modules.ScaleShiftMACE(
            r_max=4.5,
            num_bessel=4,
            num_polynomial_cutoff=5,
            max_ell=1,
            interaction_cls=modules.interaction_classes["RealAgnosticResidualInteractionBlock"],
            interaction_cls_first=modules.interaction_classes["RealAgnosticInteractionBlock"],
            num_interactions=2,
            num_elements=len(numbers),
            hidden_irreps=o3.Irreps("4x0e"),
            MLP_irreps=o3.Irreps("4x0e"),
            gate=torch.nn.functional.silu,
            atomic_energies=np.zeros(len(numbers)),
            avg_num_neighbors=8.0,
            atomic_numbers=numbers,
            correlation=1,
            atomic_inter_scale=1.0,
            atomic_inter_shift=0.0,
        )
        paths[name] = folder / f"{name}.model"
        torch.save(model, paths[name])
    torch.set_default_dtype(before)
    return paths
