"""`falsemetal trajectory bulk`: does a bulk liquid polarise as with full electrostatics? No interface and no DFT."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import click

from .common import format_option, print_rows

SAME_CELL = 1e-6
"""Å by which the cell of a frame may differ from the first one's."""


@click.command("bulk")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--temperature", type=click.FloatRange(0.0, min_open=True), required=True, help="K, at which it was made."
)
@click.option("--skip", type=click.IntRange(0), default=0, show_default=True, help="Frames left out at the start.")
@click.option("--charges", help='e, by element: "O -0.82 H 0.41"; by default screened ones of water.')
@click.option("--shells", type=click.IntRange(1, 50), default=3, show_default=True, help="Number of wave numbers.")
@click.option("--eps", type=click.FloatRange(1.0), default=78.0, show_default=True, help="Static permittivity.")
@click.option("--eps-inf", type=click.FloatRange(1.0), help="Electronic permittivity: 1.78, or 1 with --charges.")
@click.option("--ase-format", help="ase's name of the file's format; by default guessed.")
@format_option
def bulk_command(
    file: Path,
    temperature: float,
    skip: int,
    charges: str | None,
    shells: int,
    eps: float,
    eps_inf: float | None,
    ase_format: str | None,
    form: str,
) -> None:
    """Longitudinal polarization structure factor S_L of the bulk liquid in FILE, at the smallest wave numbers.

    Where a model lacks long-ranged electrostatics, S_L at small k lies above what full electrostatics gives, the more
    so the longer the wave: take a cell of 25 Å or more in one direction. FILE is of any format that ase reads; its
    cell is constant, periodic in all directions and filled with the liquid.
    """
    from ..physics.dipoles import SCREENED_CHARGES
    from ..physics.missing_energy import EPS_INF

    own = SCREENED_CHARGES if charges is None else _charges(charges)
    electronic = eps_inf or (EPS_INF if charges is None else 1.0)
    if electronic > eps:
        raise click.ClickException(f"--eps-inf {electronic:g} is above --eps {eps:g}; give one between 1 and that.")
    try:
        rows = structure_rows(_frames(file, skip, ase_format), temperature, own, shells, 1.0 / electronic - 1.0 / eps)
    except (OSError, ValueError) as error:
        raise click.ClickException(f"{file}: {error}.") from error
    print_rows(rows, form)


def structure_rows(
    frames: Iterable[Any], temperature: float, charges: dict[str, float], shells: int, expected: float
) -> list[dict[str, Any]]:
    """One row a wave number: ``k`` (1/Å), ``wavelength`` (Å), S_L with the ends of its interval, what is expected.

    :param frames: ase's Atoms, equilibrated and evenly spaced.
    :param temperature: K.
    :param charges: e, by element.
    :param expected: S_L with full electrostatics for k to 0.
    :raises ValueError: if frames and charges are not those of a bulk liquid.
    """
    import numpy as np

    from ..physics.bulk import structure_factor

    first, positions = None, []
    for number, atoms in enumerate(frames):
        if first is None:
            _check_first(atoms, charges)
            first = atoms
        elif not _alike(first, atoms):
            raise ValueError(f"frame {number} has other atoms or another cell than the first one; give an NVT run")
        positions.append(atoms.get_positions())
    if first is None or len(positions) < 2:
        raise ValueError(f"{len(positions)} frame is too few; give some tens of correlation times")
    of_atoms = np.array([charges[symbol] for symbol in first.get_chemical_symbols()])
    found = structure_factor(np.array(positions), of_atoms, first.cell.array, temperature, shells)
    return [
        {
            "k": shell.k,
            "wavelength": 2.0 * math.pi / shell.k,
            "S_L": shell.value,
            "low": shell.low,
            "high": shell.high,
            "expected": expected,
            "vectors": shell.vectors,
            "n_eff": shell.n_eff,
        }
        for shell in found
    ]


def _frames(file: Path, skip: int, ase_format: str | None) -> Iterator[Any]:
    """Frames of a file, the first ``skip`` left out.

    :raises ValueError: if ase cannot read it.
    """
    from ..interfaces.frames import iterate_frames, trajectory_format
    from ..interfaces.recipe import InterfaceError

    if not file.is_file():
        raise ValueError("there is no such file; give a trajectory that ase reads")
    try:
        form = trajectory_format(file, ase_format, ())
        for _, atoms in iterate_frames(file, form, (), slice(skip, None)):
            yield atoms
    except InterfaceError as error:
        problem = str(error).partition("; ")[0]  # its remedies are options of `trajectory import`
        raise ValueError(f"ase cannot read it ({problem}); name its format by --ase-format") from error


def _charges(text: str) -> dict[str, float]:
    """Charges by element from ``"O -0.82 H 0.41"``.

    :raises click.ClickException: if it is anything else.
    """
    words = text.split()
    try:
        pairs = {name: float(value) for name, value in zip(words[::2], words[1::2], strict=True)}
    except ValueError as error:
        raise click.ClickException(f'--charges {text!r}: give elements and charges in e: "O -0.82 H 0.41".') from error
    if not pairs or not all(math.isfinite(value) for value in pairs.values()):
        raise click.ClickException(f'--charges {text!r}: give elements and charges in e: "O -0.82 H 0.41".')
    return pairs


def _check_first(atoms: Any, charges: dict[str, float]) -> None:
    symbols = atoms.get_chemical_symbols()
    unknown = sorted(set(symbols) - set(charges))
    if unknown:
        raise ValueError(f"no charge is known for {', '.join(unknown)}; give all of them by --charges")
    if not atoms.cell.rank == 3 or not all(atoms.pbc):
        raise ValueError("the cell is not periodic in all directions; a bulk liquid's is")
    total = sum(charges[symbol] for symbol in symbols)
    if abs(total) > 1e-3 * len(symbols):
        raise ValueError(f"the charges add up to {total:g} e; give those of neutral molecules")


def _alike(first: Any, other: Any) -> bool:
    import numpy as np

    same = len(first) == len(other) and bool(np.all(first.numbers == other.numbers))
    return same and bool(np.allclose(first.cell.array, other.cell.array, rtol=0.0, atol=SAME_CELL))
