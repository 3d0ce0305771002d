"""Which frames of a trajectory become training configurations.

One correlation time apart at least, so that no two tell the same. A few with the closest contacts between molecules: a
potential that has not seen them may fall into a hole there. The others evenly over their polarity, for polar frames
are rare and are what a long-ranged term is learnt from. None whose polarity would close the gap: DFT makes a metal of
it, moves electrons within the film, and the label would teach the artefact that this package looks for.

The polarity of a film is the larger of its |drop| and of the range of the potential inside (:mod:`.inside`): where
layers are polarised against each other, as a short-ranged potential has them, the gap closes at a small drop.

In an active round the frames are those on which a committee of potentials disagrees (:func:`choose_disputed`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .molecules import minimum_image
from .selection import split_evenly

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Choice:
    """The chosen frames.

    :param close: indices of those with the closest contacts, rising.
    :param spread: indices of those drawn over the polarity, rising.
    :param spacing: smallest distance of two candidates in frames.
    :param candidates: how many frames could be chosen.
    :param too_polar: candidates left out because their polarity was too large.
    :param disputed: indices of those that a committee disagrees on, rising.
    :param agreed: candidates left out because the committee agrees on them.
    :param wild: candidates left out because it disagrees too much: no model knows these, and they may be no physics.
    """

    close: tuple[int, ...]
    spread: tuple[int, ...]
    spacing: int
    candidates: int
    too_polar: int
    disputed: tuple[int, ...] = ()
    agreed: int = 0
    wild: int = 0

    @property
    def frames(self) -> list[int]:
        """All chosen indices, rising."""
        return sorted((*self.close, *self.spread, *self.disputed))

    def reason(self, frame: int) -> str:
        """What a chosen frame was chosen for: ``contact``, ``spread`` or ``disagreement``."""
        if frame in self.disputed:
            return "disagreement"
        return "contact" if frame in self.close else "spread"


def choose(
    polarity: Array, contact: Array, *, count: int, close: int, spacing: int, most_polar: float, seed: int
) -> Choice:
    """Choose ``count`` frames, ``close`` of them by their contacts; fewer where there are not as many candidates.

    :param polarity: shape (n,), V, see the module; 0 for a bulk liquid.
    :param contact: shape (n,), Å, closest contact between molecules.
    :param spacing: in frames, at least 1.
    :param most_polar: V; candidates with more are left out, and counted.
    :param seed: of numpy's ``default_rng``.
    :raises ValueError: if the arrays do not pair up or a number is out of range.
    """
    polarity, contact = np.asarray(polarity, dtype=float), np.asarray(contact, dtype=float)
    if polarity.ndim != 1 or polarity.shape != contact.shape:
        problem = f"got {polarity.shape} and {contact.shape}"
        raise ValueError(f"Polarities and contacts must be one number a frame, {problem}.")
    if spacing < 1 or not 0 <= close <= count:
        raise ValueError(f"A spacing of {spacing} and {close} close contacts of {count} frames cannot be had.")
    # Counted back from the end, which is farthest from the packing that the run started with.
    grid = np.arange(len(polarity) - 1, -1, -spacing)[::-1]
    polar = polarity[grid] > most_polar
    left = grid[~polar]
    nearest = np.sort(left[np.argsort(contact[left], kind="stable")][:close])
    rest = np.setdiff1d(left, nearest)
    wanted = min(count - len(nearest), len(rest))
    rng = np.random.default_rng(seed)
    ranked = rest[np.argsort(polarity[rest], kind="stable")]
    drawn: list[int] = []
    # One from each of as many strata as frames are wanted.
    start = 0
    for size in split_evenly(len(ranked), wanted) if wanted else []:
        drawn.append(int(ranked[start + rng.integers(size)]))
        start += size
    return Choice(
        tuple(int(k) for k in nearest), tuple(sorted(drawn)), spacing, len(grid), int(np.count_nonzero(polar))
    )


def choose_disputed(
    polarity: Array, disagreement: Array, *, count: int, spacing: int, most_polar: float, least: float, most: float
) -> Choice:
    """Choose the ``count`` frames on which a committee disagrees most; fewer where there are not as many.

    The most disputed first, then the next one that lies ``spacing`` frames or more from all that are chosen.

    :param polarity: shape (n,), V, as of :func:`choose`.
    :param disagreement: shape (n,), eV/Å, see :func:`.committee.disagreement`; infinity is allowed.
    :param least: eV/Å; frames with less are left out: there is little to learn.
    :param most: eV/Å; frames with more are left out, for they may be no physics.
    :raises ValueError: if the arrays do not pair up or a number is out of range.
    """
    polarity, disagreement = np.asarray(polarity, dtype=float), np.asarray(disagreement, dtype=float)
    if polarity.ndim != 1 or polarity.shape != disagreement.shape:
        problem = f"{polarity.shape} and {disagreement.shape}"
        raise ValueError(f"Polarities and disagreements must be one number a frame, got {problem}.")
    if spacing < 1 or count < 0 or not 0.0 <= least < most:
        raise ValueError(f"A spacing of {spacing}, {count} frames and {least} to {most} eV/Å cannot be had.")
    polar = polarity > most_polar
    agreed, wild = disagreement < least, disagreement > most
    left = np.flatnonzero(~(polar | agreed | wild))
    chosen: list[int] = []
    for k in left[np.argsort(-disagreement[left], kind="stable")]:
        if len(chosen) == count:
            break
        if all(abs(int(k) - other) >= spacing for other in chosen):
            chosen.append(int(k))
    return Choice(
        close=(),
        spread=(),
        spacing=spacing,
        candidates=len(polarity),
        too_polar=int(np.count_nonzero(polar)),
        disputed=tuple(sorted(chosen)),
        agreed=int(np.count_nonzero(agreed & ~polar)),
        wild=int(np.count_nonzero(wild & ~polar)),
    )


def closest_contact(positions: Array, molecules: Sequence[Sequence[int]], cell: Array) -> float:
    """Shortest distance in Å between atoms of different molecules, by minimum image; infinity for one molecule.

    :param positions: shape (n, 3) in Å.
    :param molecules: indices of the atoms of each.
    :param cell: shape (3, 3) in Å.
    """
    owner = np.full(len(positions), -1)
    for number, members in enumerate(molecules):
        owner[list(members)] = number
    i, j = np.triu_indices(len(positions), 1)
    apart = owner[i] != owner[j]
    if not apart.any():
        return float("inf")
    vectors = minimum_image(positions[j[apart]] - positions[i[apart]], cell)
    return float(np.sqrt((vectors**2).sum(axis=1).min()))


def empty_height(positions: Array, height: float) -> float:
    """Widest stretch along z without an atom in Å, across the cell's faces too: of a film its vacuum.

    :param positions: shape (n, 3) in Å, wrapped or not.
    :param height: of the cell, Å; its third vector is along z.
    """
    z = np.sort(np.asarray(positions)[:, 2] % height)
    return float(np.diff(np.append(z, z[0] + height)).max())
