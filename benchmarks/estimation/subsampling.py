"""How many pw.x runs the estimators of ``physics/estimation.py`` save: repeated subsampling of computed gaps.

    python benchmarks/estimation/subsampling.py [--repeats 300] [--frames 4000] [--seed 1] [--cases 0,3]
    python benchmarks/estimation/subsampling.py --campaign FILE.csv [--series FILE.csv] [--repeats 300] [--seed 1]

The population is a *synthetic extension of 60 real gaps* (docs/data/gap-handlers.csv, method ``ladder``, and
docs/data/film16-gaps.csv, frames with a gap): a long correlated series of drops (Gaussian, AR(1)) of a given spread,
each with the gap and label of a real frame of about the same |drop| (``neighbour``: one of the five nearest, drawn at
random), or with a line through the real gaps plus the residual of a real open frame (``residual``). Then the whole
population is known, and a campaign is repeated on it: drop of every frame, gap of those that are asked for.

With ``--campaign`` the population is a campaign whose every frame was computed, one row a frame with the columns
``expected_drop`` (V), ``gap`` (eV) and ``metallic``, as it is: frames are sampled from it without replacement, three
quarters of them at most. With ``--series`` besides, the drops of every stored frame of the same trajectories (column
``expected_drop``), the population is the whole trajectories: real drops in their real order, each with the gap and
label of one of the five computed frames of nearest |drop|, drawn at random. ``--predictor`` names another column of
both files for the surrogate to go by.

Ours starts from the default prior, which has not seen the 60 gaps, and draws batches; the uniform sample has Wilson's
interval for the fraction and Student's for the mean gap, both with the correction for a finite population. For every
stage the mean half-width of ours is held against the number of uniform runs with the same mean half-width. Brackets are
95 % intervals over the repetitions (normal, of the mean). Coverage is that of 95 % intervals for the population's mean.
"""

from __future__ import annotations

import argparse
import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, signal, stats

from aiida_falsemetal.physics import design, estimation, gapmodel

Array = NDArray[np.float64]

DATA = Path(__file__).parents[2] / "docs" / "data"
BATCHES = (16, 8, 8, 8, 8, 8, 8, 8, 12, 12, 16, 16)
NEIGHBOURS = 5
HIGHEST = 4.45
TARGETS = {"fraction": (0.05, 0.03, 0.02), "gap": (0.2, 0.15, 0.1)}
CASES = [
    ("neighbour", 2.5, "both"),
    ("neighbour", 3.5, "both"),
    ("neighbour", 5.0, "both"),
    ("residual", 3.5, "both"),
    ("neighbour", 3.5, "fraction"),
]


@dataclass(frozen=True)
class Population:
    """Every frame's drop (V), gap (eV, 0 where metallic) and label; shape (N,) each."""

    drop: Array
    gap: Array
    metallic: NDArray[np.bool_]

    def truth(self, quantity: str) -> float:
        """The mean to be estimated."""
        return float(np.mean(self.metallic if quantity == "fraction" else self.gap))


def real_frames() -> tuple[Array, Array, NDArray[np.bool_]]:
    """Expected drop (V), gap (eV) and label of the 60 computed frames."""
    rows = []
    for name, keep in (
        ("gap-handlers.csv", lambda r: r["method"] == "ladder" and r["converged"] == "True"),
        ("film16-gaps.csv", lambda r: r["exit_code"] == "0"),
    ):
        with (DATA / name).open() as file:
            kept = [row for row in csv.DictReader(file) if keep(row)]
        rows += [[float(row[key]) for key in ("expected_drop", "gap", "witness")] for row in kept]
    drop, gap, witness = np.array(rows).T
    return drop, gap, (gap < gapmodel.CLOSED) | (witness > 0.01)


def population(kind: str, spread: float, frames: int, seed: int) -> Population:
    """A long trajectory made of the real frames; see the module's docstring."""
    rng = np.random.default_rng(seed)
    drop, gap, metallic = real_frames()
    rho = 0.9
    drops = spread * np.sqrt(1 - rho**2) * signal.lfilter([1.0], [1.0, -rho], rng.normal(size=frames + 200))[200:]
    if kind == "neighbour":
        return like_neighbours(drops, Population(drop, gap, metallic), rng)
    model = gapmodel.fit_gap_model(drop, gap, metallic)
    # Near closing only frames with a large residual are open; theirs would be a biased choice.
    far = ~metallic & (model.intercept - model.slope * np.abs(drop) > 1.0)
    residual = (gap - model.intercept + model.slope * np.abs(drop))[far]
    opened = model.intercept - model.slope * np.abs(drops) + rng.choice(residual, frames)
    closed = opened < gapmodel.CLOSED
    return Population(drops, np.where(closed, 0.0, opened), closed)


def like_neighbours(drops: Array, known: Population, rng: np.random.Generator) -> Population:
    """Frames of these drops (V), shape (N,), each with gap and label of one of the nearest known ones."""
    nearest = np.argsort(np.abs(np.abs(known.drop)[None, :] - np.abs(drops)[:, None]), axis=1)[:, :NEIGHBOURS]
    chosen = nearest[np.arange(len(drops)), rng.integers(NEIGHBOURS, size=len(drops))]
    closed = known.metallic[chosen]
    return Population(drops, np.where(closed, 0.0, known.gap[chosen]), closed)


def stored_drops(file: Path, predictor: str) -> Array:
    """Predictor of every stored frame (V), shape (N,)."""
    with file.open() as lines:
        return np.array([float(row[predictor]) for row in csv.DictReader(lines)])


def computed(file: Path, predictor: str) -> Population:
    """A campaign whose every frame has a gap.

    :param predictor: column that counts as the drop.
    :raises ValueError: if a frame has none, or there are fewer than 8.
    """
    with file.open() as lines:
        rows = list(csv.DictReader(lines))
    if len(rows) < 8 or not all(row["gap"] and row["metallic"] for row in rows):
        raise ValueError(f"{file} has fewer than 8 frames, or frames without a gap.")
    closed = np.array([row["metallic"].strip().lower() in ("true", "1", "1.0") for row in rows])
    drop, gap = (np.array([float(row[key]) for row in rows]) for key in (predictor, "gap"))
    return Population(drop, np.where(closed, 0.0, gap), closed)


def batch_sizes(frames: int) -> list[int]:
    """Sizes of the batches: ``BATCHES`` as long as a quarter of the frames is left, smaller ones for few frames."""
    sizes = [size for size, total in zip(BATCHES, np.cumsum(BATCHES), strict=True) if total <= 0.75 * frames]
    return sizes if len(sizes) > 2 else [max(2, frames // 8)] * 6


def campaign(whole: Population, sizes: list[int], focus: str, rng: np.random.Generator) -> dict[str, Array]:
    """One campaign; rows of value, low, high after each batch, shape (stages, 3), for either quantity."""
    model = gapmodel.from_prior(gapmodel.Prior())
    prediction = model.predict(whole.drop)
    batches: list[design.Batch] = []
    metallic, gap = np.full(len(whole.drop), np.nan), np.full(len(whole.drop), np.nan)
    rows: dict[str, list[list[float]]] = {"fraction": [], "gap": []}
    for size in sizes:
        batches.append(design.draw_batch(prediction, batches, size, rng, focus))
        index = batches[-1].index
        metallic[index], gap[index] = whole.metallic[index], whole.gap[index]
        known = np.flatnonzero(~np.isnan(gap))
        model = gapmodel.fit_gap_model(whole.drop[known], gap[known], metallic[known] > 0.5, gapmodel.Prior())
        prediction = model.predict(whole.drop)
        for name, found in (
            ("fraction", estimation.estimate_fraction(batches, prediction, metallic)),
            ("gap", estimation.estimate_gap(batches, prediction, gap, HIGHEST)),
        ):
            rows[name].append([found.value, found.low, found.high])
    return {name: np.array(values) for name, values in rows.items()}


def uniform_half_width(whole: Population, quantity: str, runs: float) -> float:
    """Mean half-width of a uniform sample without replacement."""
    n = len(whole.drop)
    left = 1.0 - runs / n
    if quantity == "gap":
        return float(stats.t.ppf(0.975, max(runs - 1.0, 1.0)) * np.std(whole.gap, ddof=1) * np.sqrt(left / runs))
    k = np.arange(int(runs) + 1)
    chance = stats.hypergeom.pmf(k, n, int(whole.metallic.sum()), int(runs))
    p, m, z = k / int(runs), runs / left, stats.norm.ppf(0.975)
    return float(chance @ (z / (m + z**2) * np.sqrt(m * p * (1 - p) + z**2 / 4)))


def uniform_runs(whole: Population, quantity: str, half_width: float) -> float:
    """Number of uniform runs that has this mean half-width."""
    most = len(whole.drop) - 1.0

    def miss(logarithm: float) -> float:
        return uniform_half_width(whole, quantity, np.exp(logarithm)) - half_width

    if miss(np.log(most)) > 0.0 or miss(np.log(3.0)) < 0.0:
        return most if miss(np.log(most)) > 0.0 else 3.0
    return float(np.exp(optimize.brentq(miss, np.log(3.0), np.log(most), xtol=0.005)))


def uniform_coverage(whole: Population, quantity: str, runs: int, rng: np.random.Generator, repeats: int) -> float:
    """Coverage of the uniform sample's interval."""
    n, truth = len(whole.drop), whole.truth(quantity)
    left = 1.0 - runs / n
    if quantity == "fraction":
        p = rng.hypergeometric(int(whole.metallic.sum()), n - int(whole.metallic.sum()), runs, repeats) / runs
        m, z = runs / left, stats.norm.ppf(0.975)
        centre = (p * m + z**2 / 2) / (m + z**2)
        half = z / (m + z**2) * np.sqrt(m * p * (1 - p) + z**2 / 4)
    else:
        drawn = np.stack([whole.gap[rng.choice(n, runs, replace=False)] for _ in range(repeats)])
        centre = drawn.mean(axis=1)
        half = stats.t.ppf(0.975, runs - 1) * drawn.std(axis=1, ddof=1) * np.sqrt(left / runs)
    return float(np.mean(np.abs(centre - truth) <= half))


HEADER = (
    "runs",
    "bias / its error",
    "half-width",
    "uniform runs for it",
    "ratio [95 %]",
    "ratio of variances",
    "coverage (%)",
    "uniform's coverage (%)",
)


def table(whole: Population, sizes: list[int], quantity: str, rows: Array, rng: np.random.Generator) -> None:
    """Print one line a stage. ``rows`` has shape (repetitions, stages, 3)."""
    truth = whole.truth(quantity)
    value, low, high = np.moveaxis(rows, 2, 0)
    half = (high - low) / 2.0
    covered = (low <= truth) & (truth <= high)
    print("| " + " | ".join(HEADER) + " |\n|" + "---|" * len(HEADER))
    scatter = np.var(whole.metallic if quantity == "fraction" else whole.gap)
    for k, n in enumerate(np.cumsum(sizes)):
        mean, error = half[:, k].mean(), half[:, k].std() / np.sqrt(len(half))
        needed, most, least = (uniform_runs(whole, quantity, mean + s * 1.96 * error) for s in (0, -1, 1))
        off = value[:, k] - truth
        cells = (
            f"{n}",
            f"{standard_errors(off):+.1f}",
            f"{mean:.3f}",
            f"{needed:.0f}",
            f"{needed / n:.1f} [{least / n:.1f}, {most / n:.1f}]",
            f"{scatter / n / np.mean(off**2):.1f}",
            f"{100 * covered[:, k].mean():.1f}",
            f"{100 * uniform_coverage(whole, quantity, round(needed), rng, 1000):.1f}",
        )
        print("| " + " | ".join(cells) + " |")
    for target in TARGETS[quantity]:
        stopped(whole, sizes, quantity, target, half <= target, covered, value - truth)


def stopped(
    whole: Population,
    sizes: list[int],
    quantity: str,
    target: float,
    reached: NDArray[np.bool_],
    covered: NDArray[np.bool_],
    off: Array,
) -> None:
    """Print what a campaign costs that ends as soon as its half-width is ``target``; arrays (repetitions, stages)."""
    done, stage = reached.any(axis=1), reached.argmax(axis=1)
    if done.mean() < 0.95:
        print(f"\nStop at +-{target}: reached within {sum(sizes)} runs in {100 * done.mean():.0f} % only.")
        return
    runs = np.cumsum(sizes)[stage[done]]
    mean, reach = runs.mean(), 1.96 * runs.std() / np.sqrt(len(runs))
    needed = uniform_runs(whole, quantity, target)
    print(
        f"\nStop at +-{target}: {mean:.0f} runs against {needed:.0f}: ratio {needed / mean:.1f} "
        f"[{needed / (mean + reach):.1f}, {needed / (mean - reach):.1f}], "
        f"coverage {100 * covered[done, stage[done]].mean():.1f} %, "
        f"bias / its error {standard_errors(off[done, stage[done]]):+.1f}."
    )


def standard_errors(off: Array) -> float:
    """Mean of the deviations over its own standard error."""
    return float(off.mean() / max(off.std(), 1e-12) * np.sqrt(len(off)))


def main() -> None:
    """Run all cases and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--repeats", type=int, default=300)
    parser.add_argument("--frames", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--cases", help="numbers of the cases, as 0,3; all by default")
    parser.add_argument("--campaign", type=Path, help="CSV of a campaign whose every frame was computed")
    parser.add_argument("--series", type=Path, help="CSV of the drops of all frames of that campaign's trajectories")
    parser.add_argument("--predictor", default="expected_drop", help="column of --campaign and --series")
    given = parser.parse_args()
    if given.series and not given.campaign:
        parser.error("--series goes with --campaign, which has the gaps")
    if given.campaign:
        whole, name = computed(given.campaign, given.predictor), given.campaign.name
        if given.series:
            drops = stored_drops(given.series, given.predictor)
            whole, name = like_neighbours(drops, whole, np.random.default_rng(given.seed)), given.series.name
        report(whole, f"{name}, {len(whole.drop)} frames by {given.predictor}", "both", given)
        return
    chosen = range(len(CASES)) if given.cases is None else [int(k) for k in given.cases.split(",")]
    for kind, spread, focus in (CASES[k] for k in chosen):
        report(
            population(kind, spread, given.frames, given.seed), f"{kind}, spread of the drop {spread} V", focus, given
        )


def report(whole: Population, name: str, focus: str, given: argparse.Namespace) -> None:
    """Repeat campaigns on one population and print its tables."""
    rng, sizes = np.random.default_rng(given.seed), batch_sizes(len(whole.drop))
    found = [campaign(whole, sizes, focus, rng) for _ in range(given.repeats)]
    for quantity in ("fraction", "gap") if focus == "both" else (focus,):
        print(
            f"\n### {quantity}: {name}, focus {focus}; true {whole.truth(quantity):.3f}, {given.repeats} repetitions\n",
            flush=True,
        )
        table(whole, sizes, quantity, np.stack([one[quantity] for one in found]), rng)


if __name__ == "__main__":
    main()
