"""An OpenBLAS that is older than the processor is seen: it works, and is several times slower than need be."""

from __future__ import annotations

from pathlib import Path

import pytest

from aiida_falsemetal.cli import doctor
from aiida_falsemetal.cli.environment import find_executable, linked_blas
from aiida_falsemetal.cli.kernels import blas_kernel, has_avx2, is_too_old


@pytest.mark.qe
def test_the_real_library_names_its_kernels() -> None:
    library = linked_blas(Path(str(find_executable("pw.x"))))
    assert library is not None
    assert (blas_kernel(library) or "").isidentifier() or "openblas" not in library


@pytest.mark.parametrize("library", ["libc.so.6", "/nowhere/libblas.so.3"])
def test_other_libraries_name_none(library: str) -> None:
    assert blas_kernel(library) is None


def test_processor_tells_avx2(tmp_path: Path) -> None:
    path = tmp_path / "cpuinfo"
    path.write_text("processor\t: 0\nflags\t\t: fpu sse2 avx avx2\n")
    assert has_avx2(path)
    path.write_text("flags\t\t: fpu sse2 avx avx2x\nbugs\t\t: avx2 \n")
    assert not has_avx2(path) and not has_avx2(tmp_path / "none")


@pytest.mark.parametrize(
    ("kernel", "avx2", "old"),
    [("Prescott", True, True), ("Haswell", True, False), ("Prescott", False, False), (None, True, False)],
)
def test_only_kernels_older_than_the_processor_are_too_old(kernel: str | None, avx2: bool, old: bool) -> None:
    assert is_too_old(kernel, avx2) is old


def test_doctor_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "linked_blas", lambda _: "/usr/lib/openblas/libblas.so.3")
    monkeypatch.setattr(doctor, "blas_speed", lambda _: 15.8)
    monkeypatch.setattr(doctor, "blas_kernel", lambda _: "Prescott")
    monkeypatch.setattr(doctor, "has_avx2", lambda: True)
    finding = doctor._blas(Path("pw.x"))
    assert finding.state == "note"
    assert finding.detail.startswith("/usr/lib/openblas/libblas.so.3, 15.8 GFLOP/s on one core: this OpenBLAS does not")
    monkeypatch.setattr(doctor, "blas_kernel", lambda _: "SkylakeX")
    assert doctor._blas(Path("pw.x")).state == "OK"
