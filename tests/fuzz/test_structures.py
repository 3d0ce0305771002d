"""Files of structures and trajectories: right ones of every format, cut, doubled, with words put into them."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
from ase import Atoms
from ase.io import write
from hypothesis import strategies as st

from aiida_falsemetal.campaign.structures import read_structure_file
from aiida_falsemetal.cli.bulk import _frames, structure_rows
from aiida_falsemetal.interfaces.recipe import InterfaceError
from aiida_falsemetal.interfaces.registry import build_recipe
from aiida_falsemetal.interfaces.trajectory import Request, read_slice, read_trajectory

from .harness import fuzzed, sentence
from .hostile import MARKUP, NUMBERS, PATHS, SHELL

_FOLDER = tempfile.TemporaryDirectory(prefix="falsemetal-fuzz-")
FOLDER = Path(_FOLDER.name)
SUFFIXES = {"extxyz": ".xyz", "traj": ".traj", "vasp": ".POSCAR", "cif": ".cif", "json": ".json", "xsf": ".xsf"}
"""Formats that ase writes, and a name that each is known by."""
PACKED: dict[str, Callable[[bytes], bytes]] = {
    ".g": lambda content: gzip.compress(content, mtime=0),  # the same bytes every time, or no case could be repeated
    ".b": bz2.compress,
    ".x": lzma.compress,
}
TOKENS = (
    *(str(number) for number in NUMBERS if not isinstance(number, int) or abs(number) < 10**301),
    *("-1", "99999999", "1e400", "X", "Xx", "H", "Pt", "nan nan nan", "*", "T F F", 'Lattice="0 0 0 0 0 0 0 0 0"'),
    *(
        'pbc="x y z"',
        "Properties=species:S:1:pos:R:3:pos:R:3",
        "Properties=pos:R:9999999",
        "ITEM:",
        "ITEM: ATOMS id",
        "configuration=",
    ),
    *(
        'energy="a"',
        "time_fs=nan",
        "time_ps=-1",
        "timestep=1",
        "_array_1D:",
        '{"__ase_objtype__": "cell"}',
        '{"__ndarray__": [[9], "int64", [1]]}',
    ),
    *SHELL[:3],
    *PATHS[:2],
    *MARKUP[:2],
)


@cache
def film() -> list[Atoms]:
    """Four frames of a small film that trembles."""
    built = build_recipe("film", {"molecules": 8, "lateral": 6.5, "vacuum": 20.0, "seed": 1}).atoms
    rng = np.random.default_rng(1)
    frames = []
    for number in range(4):
        atoms = Atoms(built.get_chemical_symbols(), built.positions + rng.normal(0.0, 0.01, (24, 3)), cell=built.cell)
        atoms.pbc = True
        atoms.info["time_fs"] = 10.0 * number
        frames.append(atoms)
    return frames


@cache
def files() -> dict[str, bytes]:
    """A right file of each format, by the suffix of its name."""
    found = {}
    for form, suffix in SUFFIXES.items():
        path = FOLDER / f"right{suffix}"
        write(path, film() if form in ("extxyz", "traj", "json") else film()[0], format=form)
        found[suffix] = path.read_bytes()
    found[".lammpstrj"] = _dump().encode()
    found[".XDATCAR"] = _xdatcar().encode()
    return found


def _dump() -> str:
    lines = []
    for number, atoms in enumerate(film()):
        height, width = atoms.cell[2, 2], atoms.cell[0, 0]
        lines += ["ITEM: TIMESTEP", str(100 * number), "ITEM: NUMBER OF ATOMS", str(len(atoms))]
        lines += ["ITEM: BOX BOUNDS pp pp pp", f"0 {width}", f"0 {atoms.cell[1, 1]}", f"0 {height}"]
        lines += ["ITEM: ATOMS id type element x y z"]
        for index, (symbol, (x, y, z)) in enumerate(zip(atoms.symbols, atoms.positions, strict=True), start=1):
            lines.append(f"{index} {1 + (symbol == 'H')} {symbol} {x} {y} {z}")
    return "\n".join(lines) + "\n"


def _xdatcar() -> str:
    buffer = io.StringIO()
    write(buffer, [atoms[np.argsort(atoms.numbers, kind="stable")] for atoms in film()], format="vasp-xdatcar")
    return buffer.getvalue()


@st.composite
def spoilt(draw: st.DrawFn) -> tuple[str, bytes]:
    """A name, and the content of a file that is right or was, perhaps packed."""
    suffix = draw(st.sampled_from(sorted(files())))
    content = files()[suffix]
    for _ in range(draw(st.integers(0, 3))):
        content = _changed(draw, content)
    packing = draw(st.sampled_from(["", "", "", "", ".gz", ".bz2", ".xz", ".gz?", ".xz?"]))
    if packing:
        content = PACKED[packing[:2]](content)
        if packing.endswith("?"):
            content = _changed(draw, content)
    if draw(st.integers(0, 9)) == 5:
        suffix = draw(st.sampled_from([*sorted(files()), "", ".nc", ".cube", ".pdb", ".db", ".xml", ".html", ".json"]))
    return f"file{suffix}{packing.rstrip('?')}", content


def _changed(draw: st.DrawFn, content: bytes) -> bytes:
    kind = draw(st.sampled_from(("token", "token", "token", "line", "double", "end", "cut", "bytes", "swap")))
    if kind in ("token", "line", "double", "swap"):
        lines = content.split(b"\n")
        # The first lines of a file, which say what is to come, more often than the others.
        at = draw(st.one_of(st.integers(0, min(9, len(lines) - 1)), st.integers(0, len(lines) - 1)))
        if kind == "line":
            del lines[at]
        elif kind == "double":
            lines.insert(at, lines[at])
        elif kind == "swap":
            other = draw(st.integers(0, len(lines) - 1))
            lines[at], lines[other] = lines[other], lines[at]
        else:
            words = lines[at].split(b" ")
            words[draw(st.integers(0, len(words) - 1))] = draw(st.sampled_from(TOKENS)).encode("utf-8", "replace")
            lines[at] = b" ".join(words)
        return b"\n".join(lines)
    first, last = sorted((draw(st.integers(0, len(content))), draw(st.integers(0, len(content)))))
    if kind == "end":
        return content[:last]
    return (
        content[:first]
        + (b"" if kind == "cut" else draw(st.binary(min_size=1, max_size=8)))
        + content[last if kind == "cut" else first :]
    )


def _placed(case: tuple[str, bytes]) -> Path:
    name, content = case
    path = FOLDER / name
    path.write_bytes(content)
    return path


def check_structure_files(case: tuple[tuple[str, bytes], int]) -> str:
    path = _placed(case[0])
    try:
        read_structure_file(path, case[1])
    except InterfaceError as error:
        sentence(str(error))
        return "refused"
    finally:
        path.unlink()
    return "accepted"


def check_trajectory_files(case: tuple[tuple[str, bytes], str, tuple[str, ...], str | None, float | None]) -> str:
    file, index, elements, form, timestep = case
    path = _placed(file)
    try:
        found = read_trajectory(Request(path, timestep, form, read_slice(index), elements))
        assert np.isfinite(found.positions).all() and found.positions.shape[1:] == (len(found.built.atoms), 3)
        assert np.isfinite(found.time).all() and (np.diff(found.time) > 0.0).all()
    except InterfaceError as error:
        sentence(str(error))
        return "refused"
    finally:
        path.unlink()
    return "accepted"


def check_files_of_bulk_liquids(case: tuple[tuple[str, bytes], int]) -> str:
    path = _placed(case[0])
    try:
        structure_rows(_frames(path, case[1], None), 300.0, {"O": -0.82, "H": 0.41}, 2, 0.9)
    except ValueError as error:
        sentence(f"{error}.")
        return "refused"
    finally:
        path.unlink()
    return "accepted"


indices = st.sampled_from(
    ["::", ":", "1:", "-2:", ":2", "::2", "0:1", "5:", ":-1", "a:b", "::0", "1", "", "0:10**9", "9" * 30 + ":"]
)
elements = st.sampled_from([(), (), (), ("O", "H"), ("O",), ("Qq", "H"), ("$(id)",)])
forms = st.sampled_from(
    [None, None, None, "extxyz", "traj", "none", "vasp-xdatcar", "lammps-dump-text", "json", "../x"]
)
timesteps = st.sampled_from([None, None, 10.0, 1e-300, 1e300])
test_structures, test_structures_long = fuzzed(
    check_structure_files, st.tuples(spoilt(), st.sampled_from([-1, -1, 0, 1, 7, -99, 10**30])), 100, 2500
)
test_trajectories, test_trajectories_long = fuzzed(
    check_trajectory_files, st.tuples(spoilt(), indices, elements, forms, timesteps), 100, 2500
)
test_bulk, test_bulk_long = fuzzed(check_files_of_bulk_liquids, st.tuples(spoilt(), st.integers(0, 3)), 60, 1000)
