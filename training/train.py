"""Trains the twins on the same labelled frames: identical settings, identical split; only the range differs.

    python training/train.py LABELS OUT --twin sr|lr|polar [--seed 1] [--epochs 40]

``sr`` is short-ranged MACE on the total labels. ``lr`` is the same MACE on what an Ewald sum of fixed charges leaves
of them (family ``mace_ewald``). ``polar`` is mace-torch's PolarMACE on the total labels. ``mace_run_train`` restarts
from its latest checkpoint when the same command is given again.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

COMMON = {
    "num_channels": 32,
    "max_L": 0,
    "r_max": 4.5,
    "num_interactions": 2,
    "correlation": 2,
    "max_ell": 2,
    "batch_size": 4,
    "valid_batch_size": 8,
    "lr": 0.01,
    "energy_weight": 10,
    "forces_weight": 100,
    "scheduler": "ExponentialLR",
    "ema_decay": 0.99,
    "clip_grad": 10,
    "default_dtype": "float32",
    "device": "cpu",
    "E0s": "average",
    "valid_fraction": 0.08,
    "eval_interval": 2,
    "error_table": "PerAtomRMSE",
}
POLAR = {
    "model": "PolarMACE",
    "atomic_multipoles_smearing_width": 1.5,
    "kspace_cutoff_factor": 1.0,
}
KEYS = {"sr": "REF", "lr": "RES", "polar": "REF"}


def command(labels: Path, out: Path, twin: str, seed: int, epochs: int) -> list[str]:
    """The ``mace_run_train`` command line. The learning rate falls by a factor of 50 over the run."""
    options = {
        **COMMON,
        **(POLAR if twin == "polar" else {"model": "MACE"}),
        "name": f"twin-{twin}",
        "seed": seed,
        "train_file": labels / "train.xyz",
        "test_file": labels / "test.xyz",
        "energy_key": f"{KEYS[twin]}_energy",
        "forces_key": f"{KEYS[twin]}_forces",
        "max_num_epochs": epochs,
        "lr_scheduler_gamma": round(0.02 ** (1.0 / epochs), 4),
        "work_dir": out,
    }
    script = Path(sys.executable).parent / "mace_run_train"
    return [
        str(script),
        "--ema",
        "--amsgrad",
        "--restart_latest",
        *(f"--{key}={value}" for key, value in options.items()),
    ]


def main() -> None:
    """Train one twin, one thread."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("labels", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--twin", choices=sorted(KEYS), required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=40)
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    line = command(given.labels.resolve(), given.out.resolve(), given.twin, given.seed, given.epochs)
    subprocess.run(line, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})


if __name__ == "__main__":
    main()
