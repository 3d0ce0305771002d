"""Dipoles of films from point charges on whole molecules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

SCREENED_CHARGES = {"O": -0.5562, "H": 0.2781}
"""Point charges in e that give water's electronically screened dipole, about 1.6 D a molecule, so that M_z/(eps0 A) is
the potential drop that DFT sees (ML-PEG's authors, see PHYSICS.md, section 2)."""

DETACHED = 5.0
"""A molecule whose centre is farther than this (Å, along the normal) from every other's has left the film. Layers of a
liquid lie some 3 Å apart, so a film in one piece has no such gap."""


def charges_for(symbols: Sequence[str], table: Mapping[str, float]) -> NDArray[np.float64]:
    """Charge of every atom, in e, shape (n,).

    :param symbols: chemical symbols, length n.
    :param table: charge in e by element.
    :raises ValueError: if an element has no charge.
    """
    missing = sorted(set(symbols) - set(table))
    if missing:
        raise ValueError(f"dipole_charges has no charge for {', '.join(missing)}; add one (0 for a neutral substrate).")
    return np.array([table[symbol] for symbol in symbols], dtype=float)


def atom_charges(
    symbols: Sequence[str], own: Sequence[float] | None, table: Mapping[str, float] | None
) -> NDArray[np.float64]:
    """Screened charge of every atom, in e, shape (n,): by element where a table is given, else the interface's own.

    :param symbols: chemical symbols, length n.
    :param own: charges that the interface's recipe gives, one an atom; None in those built by older versions, which
        were films of water: then ``SCREENED_CHARGES``.
    :param table: charge in e by element, or None.
    :raises ValueError: if an element has no charge, or the number of charges is not that of the atoms.
    """
    if table is None and own is not None:
        if len(own) != len(symbols):
            raise ValueError(f"info holds {len(own)} charges for {len(symbols)} atoms; give one an atom.")
        return np.array(own, dtype=float)
    return charges_for(symbols, SCREENED_CHARGES if table is None else table)


def dipole_z(positions: NDArray[np.float64], charges: NDArray[np.float64], axis: int = 2) -> float:
    """Dipole along the interface's normal in e Å: sum of q_i z_i, independent of the origin for a neutral system.

    :param positions: shape (n, 3) in Å; molecules whole (see :func:`..molecules.make_whole`).
    :param charges: shape (n,) in e.
    :param axis: index of the normal.
    """
    return float(charges @ positions[:, axis])


def evaporated(
    positions: NDArray[np.float64],
    molecules: Sequence[Sequence[int]],
    axis: int = 2,
    substrate: Sequence[int] = (),
) -> int:
    """Number of molecules that have left the film.

    The film is what lies on the substrate with no gap above ``DETACHED`` along the normal; without a substrate, the
    largest group of molecules without such a gap.

    :param positions: shape (n, 3) in Å; molecules whole. A molecule that has crossed the vacuum to the film's periodic
        image counts as evaporated too: it did leave.
    :param molecules: indices of the atoms of each molecule.
    :param substrate: indices of the substrate's atoms, which never count themselves; with a liquid between two plates,
        those of both.
    """
    if not len(molecules):
        return 0
    centre = np.array([positions[list(members), axis].mean() for members in molecules])
    heights = np.concatenate([centre, positions[list(substrate), axis]])
    order = np.argsort(heights, kind="stable")
    breaks = np.flatnonzero(np.diff(heights[order]) > DETACHED) + 1
    groups = np.split(order, breaks)
    if len(substrate):
        kept = sum(int(np.sum(group < len(centre))) for group in groups if group.max() >= len(centre))
    else:
        kept = max(len(group) for group in groups)
    return len(centre) - kept
