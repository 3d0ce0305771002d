#!/usr/bin/env python
"""Draws the pictures of docs/interfaces.md from the recipes on that page: ``python docs/make_interface_pictures.py``.

Side views, z upwards, the cell drawn; the vacuum is cut to what shows that it is there. Needs matplotlib. Each YAML
line of the page that begins with ``NAME: {recipe: ...`` makes NAME.png; give names to draw only these.
"""

from __future__ import annotations

import sys
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
import yaml
from ase import Atoms
from ase.data import covalent_radii
from ase.data.colors import jmol_colors
from ase.io import write
from matplotlib.patches import Circle

from aiida_falsemetal.campaign.schema import parse_interface
from aiida_falsemetal.interfaces.recipe import BuiltInterface
from aiida_falsemetal.interfaces.registry import build_recipe
from aiida_falsemetal.interfaces.substrates import substrate, surface_cell

matplotlib.use("Agg")
from matplotlib import pyplot as plt

PAGE = Path(__file__).with_name("interfaces.md")
IMAGES = Path(__file__).with_name("images") / "interfaces"
WHOLE = {"substrate": "NaCl(100)", "repeat": [3, 3], "layers": 3, "thickness": 14.0, "salt": {"KCl": 2}}
"""Parameters of the interface that stands for somebody's own: its atoms shuffled, its molecules cut."""
TILT = np.radians(6.0)
"""The view is from slightly above, so that rows of atoms do not hide each other entirely."""
VACUUM = 7.0
"""Å of vacuum that is drawn above and below; half of what there is, if that is less."""
RADIUS = (0.24, 0.48)
"""Å, and share of the covalent radius that is added to it: hydrogen is seen, potassium hides nothing."""
SCALE = 15.0
"""Dots an Å."""


def entries() -> dict[str, dict[str, Any]]:
    """Interfaces by name, as they stand on the page."""
    found = {}
    for line in PAGE.read_text().splitlines():
        if ": {recipe: " in line and "structure:" not in line:  # nodes are in somebody's profile
            found.update(yaml.safe_load(line.strip()))
    return found


def built(entry: dict[str, Any], folder: Path) -> BuiltInterface:
    """The interface of one entry; a structure file is made for the picture."""
    write(folder / "slab.cif", surface_cell(substrate("Pt(111)"), 3))
    write(folder / "equilibrated.extxyz", somebodys())
    spec = parse_interface(entry, str(PAGE))
    spec.resolve(folder)
    return build_recipe(spec.recipe, spec.parameters, None if spec.structure is None else spec.structure.atoms)


@cache
def somebodys() -> Atoms:
    """A whole interface as a file may have it."""
    atoms = build_recipe("adsorbed", WHOLE).atoms
    moved = atoms[np.random.default_rng(1).permutation(len(atoms))]
    moved.positions += 0.5 * moved.cell.array.sum(axis=0)
    moved.wrap()
    return moved


def project(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates on the page, shape (n, 2), and depth, larger nearer: seen along y from slightly above."""
    x, y, z = points.T
    return np.stack([x, z * np.cos(TILT) + y * np.sin(TILT)], axis=1), z * np.sin(TILT) - y * np.cos(TILT)


def cell_edges(atoms: Atoms, low: float, high: float) -> list[np.ndarray]:
    """The twelve edges of the cell, each of shape (2, 3), cut at two heights."""
    cell = atoms.cell.array
    corners = [i * cell[0] + j * cell[1] for i in (0, 1) for j in (0, 1)]
    floor, top = np.array([0.0, 0.0, low]), np.array([0.0, 0.0, high])
    sides = [(0, 1), (0, 2), (1, 3), (2, 3)]
    flat = [np.array([corners[a] + at, corners[b] + at]) for a, b in sides for at in (floor, top)]
    return flat + [np.array([corner + floor, corner + top]) for corner in corners]


def draw(interface: BuiltInterface, path: Path) -> None:
    """Write the picture of an interface."""
    atoms = interface.atoms.copy()
    wrap_molecules(atoms, interface.info["molecules"], interface.info["substrate_indices"])
    z = atoms.positions[:, 2]
    shown = min(VACUUM, 0.5 * interface.info["vacuum"])
    edges = cell_edges(atoms, z.min() - shown, z.max() + shown)
    places, depth = project(atoms.positions)
    corners = np.concatenate([project(edge)[0] for edge in edges])
    low, high = np.minimum(corners.min(0), places.min(0)) - 1.0, np.maximum(corners.max(0), places.max(0)) + 1.0
    width, height = high - low
    figure = plt.figure(figsize=(width / 10.0, height / 10.0), dpi=10.0 * SCALE)
    axes = figure.add_axes((0, 0, 1, 1))
    for edge in edges:
        line, at = project(edge)
        axes.plot(*line.T, color="0.6", linewidth=0.8, zorder=float(at.min()) - 100.0)
    for index in np.argsort(depth):
        number = atoms.numbers[index]
        axes.add_patch(
            Circle(
                tuple(places[index]),
                RADIUS[0] + RADIUS[1] * covalent_radii[number],
                facecolor=jmol_colors[number],
                edgecolor="0.25",
                linewidth=0.5,
                zorder=float(depth[index]),
            )
        )
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    axes.axis("off")
    # Without matplotlib's version in the file, so that the same picture is the same bytes.
    figure.savefig(path, metadata={"Software": None}, facecolor="white")
    plt.close(figure)
    shrink(path)


def shrink(path: Path) -> None:
    """Keep 64 colours: a third of the bytes, and nobody sees it."""
    from PIL import Image

    Image.open(path).convert("RGB").quantize(64, dither=Image.Dither.NONE).save(path, optimize=True)


def wrap_molecules(atoms: Atoms, molecules: list[list[int]], single: list[int]) -> None:
    """Move whole molecules, and atoms of the substrate, into the cell."""
    cell = atoms.cell.array
    for members in [*molecules, *([index] for index in single)]:
        fractional = np.linalg.solve(cell.T, atoms.positions[members].mean(axis=0))
        fractional[2] = 0.0
        atoms.positions[members] -= np.floor(fractional + 1e-6) @ cell


def main(names: list[str]) -> None:
    """Draw all, or those that are named."""
    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, entry in entries().items():
            if not names or name in names:
                interface = built(entry, Path(folder))
                draw(interface, IMAGES / f"{name}.png")
                size = (IMAGES / f"{name}.png").stat().st_size
                print(f"{name}.png {interface.atoms.get_chemical_formula()} {size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
