"""Trajectories from files: the same one from every format, and what is refused."""

from __future__ import annotations

import gzip
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.io import write

from aiida_falsemetal.interfaces.adsorbed import AdsorbedParameters, AdsorbedRecipe
from aiida_falsemetal.interfaces.film import FilmParameters, FilmRecipe
from aiida_falsemetal.interfaces.reading import file_format, read_atoms
from aiida_falsemetal.interfaces.recipe import InterfaceError
from aiida_falsemetal.interfaces.trajectory import Request, Trajectory, read_slice, read_trajectory
from tests.data import trajectories
from tests.data.trajectories import SUFFIXES, TIMESTEP, save, wrapped

pytest.importorskip("openmm")


def moment(read: Trajectory) -> np.ndarray:
    """Dipole along z, e Å."""
    return np.asarray(read.positions[:, :, 2] @ np.array(read.built.info["charges"]))


# Decimals of a coordinate in Å that the formats keep: fractions with 8 decimals in a XDATCAR of 26 Å, 8 decimals in
# extended XYZ and in the dump; float64 in .traj, of which float32 stays (2e-6 Å at 30 Å).
PRECISION = {"extxyz": 3e-6, "traj": 3e-6, "vasp-xdatcar": 3e-6, "lammps-dump-text": 3e-6}


@pytest.mark.parametrize("form", SUFFIXES)
def test_every_format_gives_the_trajectory_that_was_written(form: str, tmp_path: Path) -> None:
    run = trajectories.run()
    path = save(wrapped(run.frames), form, tmp_path)
    read = read_trajectory(Request(path, TIMESTEP))
    assert read.origin["format"] == form and read.origin["frames"] == len(run.frames) == len(read.step)
    assert read.time == pytest.approx(run.series("step") * 1e-3)
    expected = np.array([frame.get_positions() for frame in run.frames])
    # Up to copies in the plane and one shift along z, which the first frame decides: no jump in any later one.
    moved = read.positions - expected
    moved -= moved[0]
    assert np.abs(moved).max() < PRECISION[form]
    assert np.ptp((read.positions - expected)[0, :, 2]) < PRECISION[form]
    # 24 charges of at most 0.56 e.
    assert moment(read) == pytest.approx(run.series("dipole_z"), abs=24 * 0.56 * PRECISION[form])
    assert read.built.info["molecules"] == [[3 * i, 3 * i + 1, 3 * i + 2] for i in range(8)]
    has_energies = form in ("extxyz", "traj")
    assert list(read.recorded) == ["potential_energy"] * has_energies
    if has_energies:
        assert read.recorded["potential_energy"] == pytest.approx(run.series("potential_energy"), abs=1e-6)


def test_types_of_a_dump_need_elements(tmp_path: Path) -> None:
    run = trajectories.run()
    path = save(run.frames, "lammps-dump-text", tmp_path, "type")
    with pytest.raises(InterfaceError, match="name their elements"):
        read_trajectory(Request(path, TIMESTEP))
    read = read_trajectory(Request(path, TIMESTEP, elements=("O", "H")))
    assert moment(read) == pytest.approx(run.series("dipole_z"), abs=1e-4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(":", range(41)), ("10::10", range(10, 41, 10)), ("-6:-1:2", range(35, 40, 2)), (":5", range(5))],
)
def test_slices_keep_the_numbers_of_the_file(text: str, expected: range, tmp_path: Path) -> None:
    path = save(trajectories.run().frames, "vasp-xdatcar", tmp_path)
    read = read_trajectory(Request(path, TIMESTEP, frames=read_slice(text)))
    assert read.step.tolist() == list(expected)
    assert read.time == pytest.approx([(step - expected[0]) * TIMESTEP * 1e-3 for step in expected])
    assert read.timestep == pytest.approx(TIMESTEP)


@pytest.mark.parametrize("text", ["5", "a:b", "::0", "::-1", "1:2:3:4", ""])
def test_wrong_slices(text: str) -> None:
    with pytest.raises(InterfaceError, match="no slice of frames"):
        read_slice(text)


def test_frames_that_tell_their_times(tmp_path: Path) -> None:
    frames = [frame.copy() for frame in trajectories.run().frames]
    for number, frame in enumerate(frames):
        frame.info["time_fs"] = 700.0 + TIMESTEP * number
    path = save(frames, "extxyz", tmp_path)
    read = read_trajectory(Request(path))
    assert read.time == pytest.approx(trajectories.run().series("step") * 1e-3)
    with pytest.raises(InterfaceError, match="50 fs apart, and 25 were given"):
        read_trajectory(Request(path, 25.0))
    frames[7].info["time_fs"] = frames[6].info["time_fs"]  # a run that was continued from its last frame
    with pytest.raises(InterfaceError, match="to frame 7 is not that between the others"):
        read_trajectory(Request(save(frames, "extxyz", tmp_path)))


def test_repeated_steps_of_a_dump(tmp_path: Path) -> None:
    path = save(trajectories.run().frames, "lammps-dump-text", tmp_path)
    text = path.read_text()
    frames = text.split("ITEM: TIMESTEP")
    path.write_text(text + "ITEM: TIMESTEP".join(["", *frames[-2:]]))
    with pytest.raises(InterfaceError, match="may repeat frames"):
        read_trajectory(Request(path, TIMESTEP))


def test_content_is_not_the_file(tmp_path: Path) -> None:
    frames = trajectories.run().frames
    first = read_trajectory(Request(save(frames, "extxyz", tmp_path), TIMESTEP))
    (tmp_path / "other").mkdir()
    same = read_trajectory(Request(save(frames, "extxyz", tmp_path / "other"), TIMESTEP))
    assert first.content == same.content and first.origin != same.origin
    for request in (
        Request(tmp_path / "run.extxyz", 2 * TIMESTEP),
        Request(tmp_path / "run.extxyz", TIMESTEP, energies=False),
        Request(tmp_path / "run.extxyz", TIMESTEP, frames=slice(1, None)),
    ):
        assert read_trajectory(request).content != first.content


def shaken(atoms: Atoms, count: int = 4) -> list[Atoms]:
    """Copies, all atoms moved by 0.01 Å."""
    rng = np.random.default_rng(1)
    frames = [atoms.copy() for _ in range(count)]
    for frame in frames[1:]:
        frame.positions += rng.normal(scale=0.01, size=frame.positions.shape)
    return frames


def test_ions_do_not_jump_across_the_face(tmp_path: Path) -> None:
    built = FilmRecipe().build(FilmParameters(molecules=40, lateral=9.0, salt={"NaCl": 1}))
    frames = shaken(built.atoms)
    heights = built.atoms.positions[-2:, 2]  # the ions
    for frame in frames:
        frame.positions[:, 2] -= heights[0]  # the face cuts at the cation, which crosses it by chance
    read = read_trajectory(Request(save(wrapped_only(frames), "extxyz", tmp_path), TIMESTEP))
    assert np.ptp(moment(read)) < 0.2  # one jump is 25 Å times 0.75 e
    assert read.built.atoms.symbols[-2:].get_chemical_formula() == "ClNa"


def wrapped_only(frames: list[Atoms]) -> list[Atoms]:
    for frame in frames:
        frame.wrap()
    return frames


def test_substrate_and_metal(tmp_path: Path) -> None:
    built = AdsorbedRecipe().build(
        AdsorbedParameters(substrate="Al(111)", layers=2, repeat=(3, 2), molecules=12, seed=3)
    )
    order = np.random.default_rng(2).permutation(len(built.atoms))
    path = save([frame[order] for frame in shaken(built.atoms)], "extxyz", tmp_path)
    read = read_trajectory(Request(path, TIMESTEP))
    metals = built.info["metal_indices"]
    assert read.built.info["metal_indices"] == metals and read.symbols[: len(metals)] == ["Al"] * len(metals)
    charges = np.array(built.info["charges"])
    expected = [frame.positions[:, 2] @ charges for frame in shaken(built.atoms)]
    assert moment(read) == pytest.approx(expected, abs=1e-4)
    assert "metal_indices" not in read_trajectory(Request(path, TIMESTEP, metal=False)).built.info


def test_a_thin_vacuum_is_taken_as_it_is(tmp_path: Path) -> None:
    frames = [frame.copy() for frame in trajectories.run().frames]
    extent = float(np.ptp(frames[0].positions[:, 2]))
    for frame in frames:
        frame.set_cell([6.5, 6.5, extent + 7.0])
    read = read_trajectory(Request(save(frames, "extxyz", tmp_path), TIMESTEP))
    assert read.built.atoms.cell.array[2, 2] == pytest.approx(extent + 7.0)
    assert read.built.info["vacuum"] == pytest.approx(7.0)
    assert moment(read) == pytest.approx(trajectories.run().series("dipole_z"), abs=1e-4)


def change(what: str) -> list[Atoms]:
    """Frames of the run with one fault."""
    frames = [frame.copy() for frame in trajectories.run().frames[:6]]
    if what == "cell":
        frames[3].set_cell(frames[3].cell.array * (1.0 + 1e-6))
    elif what == "atoms":
        del frames[3][5]
    elif what == "twice":
        frames[3] = frames[2]
    elif what == "order":
        frames[3] = frames[3][[1, 0, *range(2, 24)]]
    elif what == "nan":
        frames[3].positions[4, 1] = np.nan
    elif what == "broken":
        frames[0].positions[1] += 4.0 * (frames[0].positions[1] - frames[0].positions[0])
    elif what == "tilted":
        for frame in frames:
            frame.set_cell([[6.5, 0, 0], [0, 6.5, 0], [2.0, 0, 25.0]])
    elif what == "bulk":
        frames = shaken(bulk("NaCl", "rocksalt", a=5.64, cubic=True))
    elif what == "dry":
        for frame in frames:
            del frame[[index for index in range(24) if frame.symbols[index] == "H"]]
    elif what == "one":
        frames = frames[:1]
    return frames


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("cell", "cell of frame 3 differs.*constant cell"),
        ("atoms", "frame 3 has other atoms"),
        ("twice", "frame 3 is the one before it once more.*may repeat frames"),
        ("order", "frame 3 has other atoms.*another order"),
        ("nan", "frame 3: a position.*not a number"),
        ("broken", "frame 0: (1|2|3) atoms? .*begin with another frame"),
        ("tilted", "frame 0: the third cell vector must be along z"),
        ("bulk", "frame 0: the structure is nowhere empty"),
        ("dry", "frame 0: there is no molecule of water"),
        ("one", "needs 2 frames"),
    ],
)
def test_refusals(what: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(InterfaceError, match=words) as raised:
        read_trajectory(Request(save(change(what), "extxyz", tmp_path), TIMESTEP))
    assert "; " in str(raised.value) and str(raised.value).endswith(".")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: Request(path / "none.xyz", 1.0), "no such file"),
        (lambda path: Request(path, 1.0), "no such file"),
        (lambda path: Request(garbage(path), 1.0), "format"),
        (lambda path: Request(garbage(path), 1.0, form="extxyz"), "cannot read frame 0 as extxyz"),
        (lambda path: Request(cut(path), TIMESTEP), "cannot read frame 5 as vasp-xdatcar.*with --index :5"),
        (lambda path: Request(good(path)), "do not tell their times"),
        (lambda path: Request(good(path), 1.0, solvent="methanol"), "no molecule of methanol"),
        (lambda path: Request(good(path), 1.0, metal=True), "without a metal"),
        (lambda path: Request(good(path), 1.0, elements=("O", "H")), "elements are for LAMMPS dumps"),
        (lambda path: Request(good(path), 1.0, energies=True), "6 of 6 frames have no energy"),
    ],
)
def test_requests_that_cannot_be_met(make: Callable[[Path], Request], words: str, tmp_path: Path) -> None:
    with pytest.raises(InterfaceError, match=words) as raised:
        read_trajectory(make(tmp_path))
    assert "; " in str(raised.value) and str(raised.value).endswith(".")


def good(folder: Path) -> Path:
    path = folder / "good.extxyz"
    write(path, change(""))
    return path


def garbage(folder: Path) -> Path:
    path = folder / "garbage"
    path.write_bytes(b"\x00\x01 no trajectory\n" * 9)
    return path


def cut(folder: Path) -> Path:
    """A run that was killed while it wrote."""
    path = save(change(""), "vasp-xdatcar", folder)
    lines: list[Any] = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-7]))
    return path


def test_a_file_that_announces_endless_atoms_is_refused_at_once(tmp_path: Path) -> None:
    path = save(trajectories.run().frames[:3], "extxyz", tmp_path)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([f"{10**18}\n", *lines[1:]]))
    signal.alarm(60)  # without the check ase reads for years
    try:
        with pytest.raises(InterfaceError, match="ends before all the atoms that it announces"):
            read_trajectory(Request(path, TIMESTEP))
        with pytest.raises(InterfaceError, match="ends before all the atoms that it announces"):
            read_atoms(path)
    finally:
        signal.alarm(0)


@pytest.mark.parametrize("text", [f"{10**30}:", f":{10**30}", f"-{10**30}:", f"::{10**30}"])
def test_slices_beyond_any_file(text: str) -> None:
    with pytest.raises(InterfaceError, match="is no slice of frames"):
        read_slice(text)


def test_packed_files_that_are_damaged(tmp_path: Path) -> None:
    content = bytearray(gzip.compress(save(trajectories.run().frames[:3], "extxyz", tmp_path).read_bytes(), mtime=0))
    content[20:40] = bytes(20)
    for name in ("a.xyz.gz", "a.cif.gz", "a.gz"):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(InterfaceError):
            read_trajectory(Request(tmp_path / name, TIMESTEP))
        with pytest.raises(InterfaceError):
            read_atoms(tmp_path / name)
        with pytest.raises(InterfaceError):
            file_format(tmp_path / name)


def test_a_dump_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.dump"
    path.write_bytes(b"ITEM: TIMESTEP\n\xff\xfe\xfd")
    with pytest.raises(InterfaceError, match="is not a LAMMPS dump that can be read"):
        read_trajectory(Request(path, TIMESTEP, form="lammps-dump-text"))


def test_a_name_that_cannot_be_stored(tmp_path: Path) -> None:
    path = Path(f"{tmp_path}/\udcff.xyz")
    path.write_bytes(save(trajectories.run().frames[:3], "extxyz", tmp_path).read_bytes())
    with pytest.raises(InterfaceError, match="not UTF-8; rename it"):
        read_trajectory(Request(path, TIMESTEP))
    with pytest.raises(InterfaceError, match="not UTF-8; rename it"):
        read_atoms(path)


def test_what_is_quoted_from_a_file_commands_no_terminal(tmp_path: Path) -> None:
    path = tmp_path / "a.xsf"
    path.write_text("\x1b[2JCRYSTAL\nPRIMVEC\n")
    with pytest.raises(InterfaceError) as raised:
        read_atoms(path)
    assert str(raised.value).isprintable()
