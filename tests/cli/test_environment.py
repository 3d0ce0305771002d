"""What is found on a machine, with stand-ins for programs that are not there or behave badly."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aiida_falsemetal.cli import environment
from aiida_falsemetal.cli.environment import MissingError

ROOT = Path(__file__).parents[2]
APT = """#!/bin/sh
echo "$@" >> "{log}"
[ "$1" = install ] || exit 0
for name in pw.x projwfc.x; do printf '#!/bin/sh\\n' > "{folder}/$name"; /bin/chmod +x "{folder}/$name"; done
"""


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, empty."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    for variable in environment.VARIABLES.values():
        monkeypatch.delenv(variable, raising=False)
    return folder


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    """An executable file."""
    path.write_text(text)
    path.chmod(0o755)
    return path


def silent(_: str) -> None:
    """Say nothing."""


def test_espresso_is_found_by_option_then_variable_then_path(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in environment.VARIABLES:
        program(path / name)
    other, third = program(path / "other"), program(path / "third")
    assert environment.espresso({}, False, silent)["pw.x"] == path / "pw.x"
    monkeypatch.setenv("FALSEMETAL_PW", str(other))
    assert environment.espresso({}, False, silent)["pw.x"] == other
    assert environment.espresso({"pw.x": third}, False, silent)["pw.x"] == third


def test_optional_programs_are_looked_for_beside_projwfc(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for variable in environment.OPTIONAL.values():
        monkeypatch.delenv(variable, raising=False)
    projwfc = program(tmp_path / "projwfc.x")
    assert environment.optional_espresso(projwfc) == {}
    program(path / "pp.x")
    assert environment.optional_espresso(projwfc) == {"pp.x": path / "pp.x"}
    program(tmp_path / "pp.x"), program(tmp_path / "average.x")
    beside = {"pp.x": tmp_path / "pp.x", "average.x": tmp_path / "average.x"}
    assert environment.optional_espresso(projwfc) == beside
    monkeypatch.setenv("FALSEMETAL_PP", str(program(tmp_path / "mine")))
    assert environment.optional_espresso(projwfc) == {**beside, "pp.x": tmp_path / "mine"}


@pytest.mark.parametrize(("root", "prefix"), [(True, "`apt-get update"), (False, "`sudo apt-get update")])
def test_missing_message_is_the_line_to_run(
    root: bool, prefix: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "is_root", lambda: root)
    with pytest.raises(MissingError) as raised:
        environment.espresso({}, True, silent)
    assert prefix in str(raised.value)
    assert "apt-get install -y quantum-espresso libopenblas0-pthread" in str(raised.value)


def test_root_with_apt_installs_what_is_missing(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "apt.log"
    program(path / "apt-get", APT.format(log=log, folder=path))
    monkeypatch.setattr(environment, "is_root", lambda: True)
    said: list[str] = []
    assert environment.espresso({}, True, said.append)["projwfc.x"] == path / "projwfc.x"
    update, install = log.read_text().splitlines()
    assert update.startswith("update")
    assert {"quantum-espresso", "libopenblas0-pthread"} <= set(install.split())
    assert len(said) == 2
    environment.espresso({}, True, said.append)
    assert len(log.read_text().splitlines()) == 2, "what is there is not installed again"


def test_others_do_not_install(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "apt.log"
    program(path / "apt-get", APT.format(log=log, folder=path))
    monkeypatch.setattr(environment, "is_root", lambda: False)
    with pytest.raises(MissingError):
        environment.espresso({}, True, silent)
    monkeypatch.setattr(environment, "is_root", lambda: True)
    with pytest.raises(MissingError):
        environment.espresso({}, False, silent)
    assert not log.exists()


def test_reference_blas_is_replaced(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "apt.log"
    program(path / "apt-get", APT.format(log=log, folder=path))
    for name in environment.VARIABLES:
        program(path / name)
    monkeypatch.setattr(environment, "is_root", lambda: True)
    monkeypatch.setattr(environment, "linked_blas", lambda _: "/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0")
    environment.espresso({}, True, silent)
    assert log.read_text().splitlines()[1].split()[-1] == "libopenblas0-pthread"


def test_apt_that_fails_is_reported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(path / "apt-get", "#!/bin/sh\necho 'E: no network' >&2\nexit 100\n")
    monkeypatch.setattr(environment, "is_root", lambda: True)
    with pytest.raises(MissingError, match="E: no network.*apt-get install -y quantum-espresso"):
        environment.espresso({}, True, silent)


def test_old_python_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 10, 9))
    with pytest.raises(MissingError, match=r"3\.11 or newer is needed"):
        environment.check_python(False, silent)


def test_python_without_venv_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingError, match="apt-get install -y python3-venv"):
        environment.check_python(True, silent)


@pytest.mark.parametrize(
    ("library", "reference"),
    [
        ("/usr/lib/x86_64-linux-gnu/blas/libblas.so.3.11.0", True),
        ("/usr/lib/x86_64-linux-gnu/openblas-pthread/libblas.so.3", False),
        ("/opt/conda/lib/libopenblasp-r0.3.28.so", False),
        ("/opt/intel/mkl/lib/libmkl_rt.so.2", False),
    ],
)
def test_reference_blas_is_told_by_its_path(library: str, reference: bool) -> None:
    assert environment.is_reference_blas(library) is reference


@pytest.mark.qe
def test_blas_and_version_of_the_real_pw() -> None:
    executable = environment.find_executable("pw.x")
    assert executable is not None
    library = environment.linked_blas(executable)
    assert library is not None and Path(library).is_file() and "blas" in library
    version = environment.pw_version(executable)
    assert version is not None and version[0].isdigit()


def test_program_that_is_not_pw_has_no_version(tmp_path: Path) -> None:
    assert environment.pw_version(program(tmp_path / "pw.x", "#!/bin/sh\necho hello\n")) is None
    assert environment.pw_version(tmp_path / "none") is None


@pytest.mark.parametrize(("text", "is_open"), [("mpirun (Open MPI) 4.1.4", True), ("HYDRA build details:", False)])
def test_open_mpi_is_told_from_others(text: str, is_open: bool, path: Path) -> None:
    program(path / "mpirun", f"#!/bin/sh\necho '{text}'\n")
    assert environment.is_open_mpi() is is_open


def test_without_mpirun_it_is_not_open_mpi(path: Path) -> None:
    assert environment.is_open_mpi() is False


def test_lock_pins_what_is_installed_and_no_cuda() -> None:
    """The tests run with the versions that the lock names; nothing of CUDA and no host is in it."""
    lock = (ROOT / "requirements.lock").read_text()
    pins = environment.tested_versions()
    assert len(pins) == sum(not line.startswith("#") for line in lock.splitlines())
    for name in ("aiida-core", "torch", "mace-torch", "graph-longrange", "openmm", "numpy"):
        assert pins[name] == environment.package_version(name)
    assert pins["graph-longrange"] == "0.4.0"
    assert [word for word in ("nvidia", "cuda-", "triton", "://", "@", "file:") if word in lock] == []


def test_import_fault_names_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken_for_this_test.py").write_text("raise OSError('undefined symbol: x')\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert environment.import_fault("json") is None
    assert environment.import_fault("broken_for_this_test") == "OSError: undefined symbol: x"
    assert "ModuleNotFoundError" in str(environment.import_fault("no_such_module_anywhere"))


def test_own_verdi_comes_first(path: Path) -> None:
    program(path / "verdi")
    environment.own_programs_first()
    environment.own_programs_first()
    folder = str(Path(sys.executable).parent)
    assert os.environ["PATH"].split(os.pathsep) == [folder, str(path)]
    assert environment.find_executable("verdi") == Path(folder) / "verdi"


def test_module_needs_no_installed_package() -> None:
    """``make`` runs it with the system's Python, before anything is installed."""
    script = "import sys, json; import aiida_falsemetal.cli.environment; print(json.dumps(sorted(sys.modules)))"
    line = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r}); {script}"]
    done = subprocess.run(line, capture_output=True, text=True, check=True, env={**os.environ})
    tops = {name.split(".")[0] for name in json.loads(done.stdout)}
    assert {name for name in tops if name not in sys.stdlib_module_names} == {"__main__", "aiida_falsemetal"}


@pytest.mark.qe
def test_speed_of_the_real_blas_is_measured() -> None:
    library = environment.linked_blas(Path(str(environment.find_executable("pw.x"))))
    speed = environment.blas_speed(str(library))
    assert speed is not None and 0.1 < speed < 1000


@pytest.mark.parametrize("content", [None, b"", b"not a library", b"\x7fELF broken"])
def test_library_that_cannot_be_loaded_has_no_speed(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "libblas.so.3"
    if content is not None:
        path.write_bytes(content)
    assert environment.blas_speed(str(path)) is None


def test_library_that_is_no_blas_has_no_speed() -> None:
    assert environment.blas_speed("libc.so.6") is None


def test_measuring_leaves_the_choice_of_kernels_to_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, str] = {}

    def run(*_: object, env: dict[str, str], **__: object) -> subprocess.CompletedProcess[str]:
        seen.update(env)
        return subprocess.CompletedProcess([], 0, "12.5\n", "")

    monkeypatch.setattr(environment.subprocess, "run", run)
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert environment.blas_speed("x") == 12.5
    assert (seen["OPENBLAS_CORETYPE"], seen["OMP_NUM_THREADS"]) == ("Haswell", "1")
    monkeypatch.delenv("OPENBLAS_CORETYPE")
    seen.clear()
    environment.blas_speed("x")
    assert "OPENBLAS_CORETYPE" not in seen


def test_optimized_blas_beside_the_reference_one(tmp_path: Path) -> None:
    for folder in ("blas", "openblas-pthread"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "libblas.so.3").write_bytes(b"")
    found = environment.optimized_blas(str(tmp_path / "blas" / "libblas.so.3"))
    assert found == str(tmp_path / "openblas-pthread" / "libblas.so.3")
