"""MACE for molecular dynamics: energy and forces, with as little beside the model as can be.

mace-torch's own calculator makes the graph of every step from nothing, copies it, and computes stress and energies of
the atoms besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes

from ._neighbours import Neighbours

CLASSES = ("MACE", "ScaleShiftMACE")
"""Classes of mace-torch whose energy is a function of elements and positions alone."""


def is_plain(model: Any) -> bool:
    """Whether :class:`MaceForces` can stand in for mace-torch's calculator: the model is given nothing else, such as a
    total charge, and wants no further terms of it."""
    return type(model).__name__ in CLASSES and not hasattr(model, "joint_embedding")


class MaceForces(Calculator):
    """What :class:`mace.calculators.MACECalculator` gives for energy and forces, to rounding.

    :param ours: that calculator, with one model that :func:`is_plain`; device, precision and head are taken from it.
    """

    implemented_properties = ["energy", "free_energy", "forces"]  # noqa: RUF012  (ASE's own convention)

    def __init__(self, ours: Any) -> None:
        super().__init__()
        import torch

        self.model, self.device = ours.models[0], ours.device
        self.dtype = next(self.model.parameters()).dtype
        self.neighbours = Neighbours(ours.r_max)
        self._rows = {int(number): row for row, number in enumerate(ours.z_table.zs)}
        heads = list(ours.available_heads)
        head = heads.index(ours.head) if ours.head in heads else len(heads) - 1
        self._head = torch.tensor([head], device=self.device)
        self._elements: Any = None

    def check_state(self, atoms: Atoms, tol: float = 0.0) -> list[str]:
        """What of ``atoms`` is not as it was: to the bit, which is quicker than ASE's comparison to 1e-15."""
        was = self.atoms
        if was is None:
            return list(all_changes)
        now = {"numbers": atoms.numbers, "positions": atoms.positions, "cell": atoms.cell.array, "pbc": atoms.pbc}
        then = {"numbers": was.numbers, "positions": was.positions, "cell": was.cell.array, "pbc": was.pbc}
        return [name for name, value in now.items() if not np.array_equal(value, then[name])]

    def calculate(self, atoms: Atoms | None = None, properties: Any = None, system_changes: Any = all_changes) -> None:
        """ASE's entry point; fills ``results``.

        :raises KeyError: for an element that the model does not know.
        """
        super().calculate(atoms, properties, system_changes)
        out = self.model(self._graph(self.atoms), compute_stress=False, training=False)
        (energy,) = _energies(out, [len(self.atoms)])
        forces = out["forces"].detach().cpu().numpy()
        self.results = {"energy": energy, "free_energy": energy, "forces": forces}

    def _graph(self, atoms: Atoms) -> dict[str, Any]:
        import torch

        def real(values: Any) -> Any:
            return torch.as_tensor(values, dtype=self.dtype, device=self.device)

        pairs, images, shifts = self.neighbours.of(atoms)
        return {
            **self._constant(atoms),
            "positions": real(atoms.get_positions()),
            "cell": real(atoms.cell.array),
            "edge_index": torch.as_tensor(pairs, device=self.device),
            "shifts": real(shifts),
            "unit_shifts": real(images),
        }

    def _constant(self, atoms: Atoms) -> dict[str, Any]:
        """What depends on the elements alone."""
        if self._elements is None or not np.array_equal(self._elements, atoms.numbers):
            import torch

            size = len(atoms)
            rows = torch.tensor([self._rows[int(number)] for number in atoms.numbers])
            attributes = torch.nn.functional.one_hot(rows, len(self._rows)).to(self.dtype)
            self._elements = atoms.numbers.copy()
            self._given = {
                "node_attrs": attributes.to(self.device),
                "batch": torch.zeros(size, dtype=torch.int64, device=self.device),
                "ptr": torch.tensor([0, size], device=self.device),
                "head": self._head,
            }
        return self._given


class MaceTogether:
    """Energies and forces of several systems by one pass through the model; each as :class:`MaceForces` gives them, to
    rounding: sums within a batch are laid out in another way.

    :param ours: as :class:`MaceForces`.
    :param count: of systems.
    """

    def __init__(self, ours: Any, count: int) -> None:
        self._each = [MaceForces(ours) for _ in range(count)]

    def __call__(self, systems: Mapping[int, Atoms]) -> dict[int, dict[str, Any]]:
        """Results by the systems' places.

        :raises KeyError: for an element that the model does not know.
        """
        places = sorted(systems)
        sizes = [len(systems[place]) for place in places]
        graph = _joined([self._each[place]._graph(systems[place]) for place in places], sizes)
        out = self._each[0].model(graph, compute_stress=False, training=False)
        energies = _energies(out, sizes)
        forces = np.split(out["forces"].detach().cpu().numpy(), np.cumsum(sizes)[:-1])
        return {
            place: {"energy": energy, "free_energy": energy, "forces": part}
            for place, energy, part in zip(places, energies, forces, strict=True)
        }


def _energies(out: Mapping[str, Any], sizes: Sequence[int]) -> list[float]:
    """Energy of each system in eV: the atoms' own, summed in double precision.

    The model's sum is in its own precision and counts from free atoms, as the labels do: of 192 waters of PBE, -9e4 eV,
    single precision knows 8 meV, and loses several times that on the way.
    """
    atoms = out["node_energy"].detach().cpu().numpy().astype(np.float64)
    return [float(part.sum()) for part in np.split(atoms, np.cumsum(sizes)[:-1])]


def _joined(graphs: Sequence[dict[str, Any]], sizes: Sequence[int]) -> dict[str, Any]:
    """One graph of several, which have no pairs in common."""
    import torch

    starts = np.concatenate([[0], np.cumsum(sizes)])
    device = graphs[0]["positions"].device
    whole = {
        key: torch.cat([graph[key] for graph in graphs])
        for key in ("node_attrs", "positions", "cell", "shifts", "unit_shifts", "head")
    }
    whole["edge_index"] = torch.cat(
        [graph["edge_index"] + int(start) for graph, start in zip(graphs, starts, strict=False)], dim=1
    )
    whole["ptr"] = torch.tensor(starts, dtype=torch.int64, device=device)
    whole["batch"] = torch.repeat_interleave(torch.arange(len(sizes), device=device), whole["ptr"].diff())
    return whole
