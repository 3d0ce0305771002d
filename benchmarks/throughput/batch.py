"""What a force call costs in a batch of seeds: ``python -m benchmarks.throughput.batch``.

CPU time of one film's forces, one thread: films computed one after the other by the family's calculator, over the same
films in one pass (``MaceTogether``). In turn in one process, configurations moved a little between the rounds; medians
of the rounds' ratios, with their quartiles.
"""

from __future__ import annotations

import time

import numpy as np

from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.families._mace_forces import MaceForces, MaceTogether
from aiida_falsemetal.mlips.families.mace import _torch_calculators
from aiida_falsemetal.runner.allocation import keep_freed

MODEL = "twin-sr"
FILMS = {16: 6.5, 64: 13.0}
"""Side of the cell in Å by the number of waters."""
SEEDS = (2, 4, 8)
ROUNDS = 15


def ratios(waters: int, seeds: int) -> np.ndarray:
    """CPU time alone over CPU time in a batch, of each round."""
    entry = presets()[MODEL]
    (theirs,) = _torch_calculators(model_path(entry), entry.kwargs, 1)
    film = FilmRecipe().build(FilmParameters(molecules=waters, lateral=FILMS[waters], vacuum=25.0, seed=1)).atoms
    films = [film.copy() for _ in range(seeds)]
    alone, together = [MaceForces(theirs) for _ in films], MaceTogether(theirs, seeds)
    rng, found = np.random.default_rng(1), []
    for _ in range(ROUNDS):
        for atoms in films:
            atoms.positions += rng.normal(scale=0.01, size=atoms.positions.shape)
        begun = time.process_time()
        for calculator, atoms in zip(alone, films, strict=True):
            calculator.calculate(atoms)
        between = time.process_time()
        together(dict(enumerate(films)))
        found.append((between - begun) / (time.process_time() - between))
    return np.array(found[2:])


def main() -> None:
    """Print the table."""
    import torch

    torch.set_num_threads(1)
    keep_freed()
    print("| waters | seeds | alone over in a batch | quartiles |\n|---|---|---|---|")
    for waters in FILMS:
        for seeds in SEEDS:
            low, middle, high = np.quantile(ratios(waters, seeds), [0.25, 0.5, 0.75])
            print(f"| {waters} | {seeds} | {middle:.2f} | {low:.2f} to {high:.2f} |", flush=True)


if __name__ == "__main__":
    main()
