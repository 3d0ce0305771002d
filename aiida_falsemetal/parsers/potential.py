"""Parses the plane-averaged potential."""

from __future__ import annotations

from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ExitCode
from aiida.parsers import Parser
from numpy.typing import NDArray

from ..calculations.potential import AVERAGE_OUTPUT, AVERAGED, PP_OUTPUT
from ..physics.constants import BOHR, RYDBERG
from ..physics.potential import plateaus


class PotentialParser(Parser):
    """The potential as an array, its drop across the film as scalars.

    Signs: average.x gives the potential energy of an electron in Ry; ``potential`` is that of a positive unit charge,
    in V, so that a dipole that points up makes the upper vacuum the higher one. ``vacuum_lower`` and ``vacuum_upper``
    are energies of an electron at rest there, in eV on the scale of pw.x's eigenvalues: minus the plateaus.
    """

    def parse(self, **_: Any) -> ExitCode | None:
        """See the class. The array is there also where the vacuum is too thin for a drop."""
        names = self.retrieved.base.repository.list_object_names()
        averaged = read_average(self._content(AVERAGED)) if AVERAGED in names else None
        if averaged is None:
            done = PP_OUTPUT in names and "JOB DONE" in self._content(PP_OUTPUT)
            program, file = ("average.x", AVERAGE_OUTPUT) if done else ("pp.x", PP_OUTPUT)
            return self.exit_codes.ERROR_NO_OUTPUT.format(program=program, file=file)
        heights, potential = averaged
        structure = self.node.inputs.structure
        height = float(structure.cell[2][2])
        nuclei = [site.position[2] for site in structure.sites]
        film = (min(nuclei), max(nuclei))
        node = orm.ArrayData()
        node.set_array("z", heights - 0.5 * sum(film))
        node.set_array("potential", potential)
        node.base.attributes.set_many({"units": "Å, V", "zero": "pw.x's own, that of its eigenvalues"})
        self.out("potential", node)
        try:
            flat = plateaus(heights, potential, film, height, self.node.inputs.parameters.get_dict()["sawtooth"])
        except ValueError as error:
            return self.exit_codes.ERROR_NO_PLATEAU.format(reason=str(error))
        scalars = {
            "potential_drop": flat.drop,
            "vacuum_lower": -flat.lower,
            "vacuum_upper": -flat.upper,
            "plateau_ripple": flat.ripple,
        }
        self.out("scalars", orm.Dict(scalars))
        return None

    def _content(self, name: str) -> str:
        return str(self.retrieved.base.repository.get_object_content(name))


def read_average(content: str) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Heights (n,) in Å and potential (n,) in V from average.x's columns z (bohr), mean (Ry), macroscopic mean (Ry).

    None where the file holds no such table, or anything that is not a number.
    """
    try:
        table = np.array([line.split() for line in content.splitlines() if line.strip()], dtype=float)
    except ValueError:
        return None
    if table.ndim != 2 or table.shape[1] < 2 or not np.isfinite(table).all():
        return None
    return table[:, 0] * BOHR, -table[:, 1] * RYDBERG
