"""Whether pw.x fits into the memory that its slots have: asked before anything is computed."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from aiida import orm
from ase import Atoms

from ..physics.pwmemory import Memory, Species, pw_memory, species_of
from .options import ranks_of

LOCAL = "core.local"
"""AiiDA's transport to the machine that its daemon runs on."""


def film_memory(atoms: Atoms, pseudos: Mapping[str, Any], settings: Mapping[str, Any], ranks: int) -> Memory:
    """Memory of one rank of pw.x for a film.

    :param atoms: as pw.x will be given them, with the vacuum that ``settings`` ask for.
    :param pseudos: by kind name, which is the element's.
    :param settings: of a gap protocol.
    """
    symbols = atoms.get_chemical_symbols()
    electrons = sum(pseudos[symbol].z_valence for symbol in symbols)
    kpoints = settings["kpoints"] or [1, 1, 1]
    return pw_memory(
        atoms.cell.array,
        symbols,
        {name: _species(pseudo) for name, pseudo in pseudos.items()},
        math.ceil(electrons / 2) + settings["empty_bands"],
        settings["ecutwfc"],
        settings["ecutrho"] or 4.0 * settings["ecutwfc"],
        settings["mixing_ndim"],
        # Those of time reversal are one.
        kpoints=math.ceil(int(np.prod(kpoints)) / 2),
        gamma=list(kpoints) == [1, 1, 1],
        ranks=ranks,
    )


def _species(pseudo: Any) -> Species:
    return species_of(pseudo.get_content())


def slot_memory(options: Mapping[str, Any], computer: orm.Computer) -> float | None:
    """Bytes that a run of pw.x with these options may take, all its ranks together; None where nobody knows.

    What was asked of the scheduler, else the machine's memory as its computer has it (``default_memory_per_machine``)
    or, where the daemon runs on it, as the system says. Of the machine's it is the share of the run's ranks in all
    slots.
    """
    if options.get("max_memory_kb"):
        return 1024.0 * float(options["max_memory_kb"])
    whole = 1024.0 * (computer.get_default_memory_per_machine() or 0)
    if not whole and computer.transport_type == LOCAL:
        whole = float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    slots = int(options.get("slots", 0))
    if not whole:
        return None
    return whole * min(1.0, ranks_of(options) / slots) if slots else whole


def refuse_memory(
    atoms: Atoms,
    pseudos: Mapping[str, Any],
    settings: Mapping[str, Any],
    options: Mapping[str, Any],
    computer: orm.Computer,
) -> None:
    """Refuse a film that is too large for its slots.

    :raises ValueError: saying what is needed, what there is, and what to do.
    """
    there, ranks = slot_memory(options, computer), ranks_of(options)
    if there is None:
        return
    refuse_need(ranks * film_memory(atoms, pseudos, settings, ranks).total, there, ranks)


def refuse_need(needed: float, there: float, ranks: int) -> None:
    """Refuse what does not fit, bytes of all ranks together.

    :raises ValueError: as :func:`refuse_memory`.
    """
    if needed > there:
        each = f" ({ranks} ranks)" if ranks > 1 else ""
        raise ValueError(
            f"pw.x needs about {needed / 1e9:.1f} GB for this film{each}, and its share of the memory is "
            f"{there / 1e9:.1f} GB; use fewer slots or more ranks, less vacuum, a lower cutoff or a smaller film."
        )
