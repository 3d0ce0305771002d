"""What a reference BLAS costs: the same pw.x run with the BLAS of this machine and with the reference one, in turn.

    python benchmarks/blas.py [--reference FOLDER ...] [--frame f00] [--ecutwfc 45] [--repeats 1]

Nothing is installed or switched: pw.x is led to the other library by ``LD_LIBRARY_PATH``. The folders are those that
hold Debian's reference ``libblas.so.3`` and ``liblapack.so.3``; where they are not installed beside the optimized one:

    apt-get download libblas3 liblapack3 && for deb in lib*.deb; do dpkg -x $deb reference; done
    python benchmarks/blas.py --reference reference/usr/lib/x86_64-linux-gnu/blas reference/usr/.../lapack

Core seconds are compared, for other programs that compute at the same time change them least.
"""

from __future__ import annotations

import argparse
import os
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from gap.espresso import frames, namelists, run_pw

from aiida_falsemetal.cli.environment import blas_speed, find_executable, linked_blas, pw_version

DEBIAN = [Path(f"/usr/lib/x86_64-linux-gnu/{name}") for name in ("blas", "lapack")]
SAME = 1e-4
"""eV by which the gaps of the two may differ: the library must not change the answer."""


@contextmanager
def library_path(folders: list[Path]) -> Iterator[None]:
    """Let programs that are started meanwhile look into ``folders`` first."""
    before = os.environ.get("LD_LIBRARY_PATH")
    parts = [str(folder.resolve()) for folder in folders] + ([before] if before else [])
    if parts:
        os.environ["LD_LIBRARY_PATH"] = os.pathsep.join(parts)
    try:
        yield
    finally:
        os.environ.pop("LD_LIBRARY_PATH", None)
        if before is not None:
            os.environ["LD_LIBRARY_PATH"] = before


def measure(pw: Path, folders: list[Path], place: Path, given: Any) -> dict[str, Any]:
    """One run with the libraries in ``folders``; its outcome, the BLAS and that one's speed."""
    with library_path(folders):
        blas = str(linked_blas(pw))
        return {"blas": blas, "gflops": blas_speed(blas), **run_pw(place, *given)}


def machine() -> str:
    """The processor's name and its number of cores."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0] if names else platform.processor()}, {os.cpu_count()} cores"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("--reference", type=Path, nargs="+", default=DEBIAN, help="Folders with the reference BLAS.")
    parser.add_argument("--frame", default="f00", help="One of gap/frames.xyz, 16 waters each.")
    parser.add_argument("--ecutwfc", type=float, default=45.0)
    parser.add_argument("--repeats", type=int, default=1)
    arguments = parser.parse_args()
    pw = find_executable("pw.x")
    if pw is None or not any((folder / "libblas.so.3").exists() for folder in arguments.reference):
        parser.error(f"pw.x, or a libblas.so.3 in {arguments.reference}, is not there; see the head of this file")
    given = namelists(frames()[arguments.frame], ecutwfc=arguments.ecutwfc)
    found: dict[str, list[dict[str, Any]]] = {"as installed": [], "reference": []}
    print(f"{machine()}; pw.x {pw_version(pw)}; {len(given[0]) // 3} waters, {arguments.ecutwfc:g} Ry, one rank")
    with tempfile.TemporaryDirectory() as place:
        for number in range(arguments.repeats):
            for name, folders in (("as installed", []), ("reference", arguments.reference)):
                run = measure(pw, folders, Path(place) / f"{name}{number}".replace(" ", "_"), given)
                found[name].append(run)
                print(
                    f"{name}: {run['blas']}, {run['gflops']:.3g} GFLOP/s, {run['core_seconds']:.1f} core s, "
                    f"{run['iterations']} iterations, gap {run['gap']:.5f} eV",
                    flush=True,
                )
    gaps = [run["gap"] for runs in found.values() for run in runs]
    assert max(gaps) - min(gaps) < SAME, "the two libraries give different gaps"
    best = {name: min(run["core_seconds"] / run["iterations"] for run in runs) for name, runs in found.items()}
    print(f"ratio of core time an iteration: {best['reference'] / best['as installed']:.2f}")


if __name__ == "__main__":
    main()
