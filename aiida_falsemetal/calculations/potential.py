"""The CalcJob that makes the plane-averaged electrostatic potential: pp.x and average.x in one job."""

from __future__ import annotations

from pathlib import Path

from aiida import orm
from aiida.common import CalcInfo, CodeInfo, CodeRunMode
from aiida.common.folders import Folder
from aiida.engine import CalcJob
from aiida.engine.processes.process_spec import CalcJobProcessSpec
from aiida_quantumespresso.calculations.pw import PwCalculation

POTENTIAL_KEYS = ("potential_drop", "vacuum_lower", "vacuum_upper", "plateau_ripple")
"""What the parser's ``scalars`` add to a frame's result, all in V or eV."""
PP_INPUT, PP_OUTPUT = "pp.in", "pp.out"
AVERAGE_INPUT, AVERAGE_OUTPUT = "average.in", "average.out"
CUBE = "potential.dat"
"""The potential on the whole grid: hundreds of MB for a real film, so it is deleted where it was made."""
AVERAGED = "avg.dat"
"""The name that average.x gives its output."""
SPACING = 0.05
"""Distance in Å of the averaged potential's points, half of what the FFT grid of 80 Ry has."""


def validate_parameters(node: orm.Dict, _: object) -> str | None:
    """A sentence on what is wrong with the parameters, or None."""
    given = node.get_dict()
    if set(given) != {"sawtooth"} or not isinstance(given["sawtooth"], float) or not 0.0 < given["sawtooth"] < 1.0:
        return "parameters: give `sawtooth`, the share of the cell (0 to 1) over which the dipole correction falls."
    return None


class PotentialCalculation(CalcJob):
    """Plane average of the electrostatic potential of a finished pw.x run, the dipole correction included.

    pp.x's ``plot_num=11`` is the bare ionic plus the Hartree potential; pp.x 6.7 adds the dipole correction's sawtooth
    to it (checked by running: the vacuum is flat and drops by pw.x's own dipole to less than a millivolt).
    """

    @classmethod
    def define(cls, spec: CalcJobProcessSpec) -> None:
        """Ports and exit codes."""
        super().define(spec)
        spec.input("parent_folder", valid_type=orm.RemoteData, help="Where pw.x ran.")
        spec.input("structure", valid_type=orm.StructureData, help="What pw.x was given: a film centred along z.")
        spec.input("parameters", valid_type=orm.Dict, validator=validate_parameters, help="sawtooth.")
        spec.input("average_code", valid_type=orm.AbstractCode, help="average.x; the input `code` is pp.x.")
        spec.inputs["metadata"]["options"]["parser_name"].default = "falsemetal.potential"
        spec.inputs["metadata"]["options"]["resources"].default = {"num_machines": 1, "num_mpiprocs_per_machine": 1}
        spec.inputs["metadata"]["options"]["withmpi"].default = False
        spec.output("potential", valid_type=orm.ArrayData, required=False, help="z (Å from the middle), potential (V).")
        spec.output("scalars", valid_type=orm.Dict, required=False, help=", ".join(POTENTIAL_KEYS))
        spec.exit_code(
            300,
            "ERROR_NO_OUTPUT",
            invalidates_cache=True,
            message="{program} left no potential. Look at it with `verdi calcjob outputcat PK {file}`.",
        )
        spec.exit_code(
            410,
            "ERROR_NO_PLATEAU",
            invalidates_cache=True,
            message="The potential has no drop: {reason}",
        )

    def prepare_for_submission(self, folder: Folder) -> CalcInfo:
        """Two input files, two codes one after the other, one small file retrieved."""
        parent = Path(self.inputs.parent_folder.get_remote_path())
        height = float(self.inputs.structure.cell[2][2])
        with folder.open(PP_INPUT, "w") as handle:
            handle.write(pp_input())
        with folder.open(AVERAGE_INPUT, "w") as handle:
            handle.write(average_input(height))
        calcinfo = CalcInfo()
        calcinfo.codes_info = [
            self._code(self.inputs.code, PP_INPUT, PP_OUTPUT, self.inputs.metadata.options.withmpi),
            # average.x is serial: with several ranks, each would write the same file.
            self._code(self.inputs.average_code, AVERAGE_INPUT, AVERAGE_OUTPUT, False),
        ]
        calcinfo.codes_run_mode = CodeRunMode.SERIAL
        calcinfo.append_text = f"rm -f {CUBE}"
        folder_name = PwCalculation._OUTPUT_SUBFOLDER
        calcinfo.remote_symlink_list = [
            (self.inputs.parent_folder.computer.uuid, str(parent / folder_name), folder_name)
        ]
        calcinfo.retrieve_list = [AVERAGED, PP_OUTPUT, AVERAGE_OUTPUT]
        return calcinfo

    @staticmethod
    def _code(code: orm.AbstractCode, stdin: str, stdout: str, mpi: bool) -> CodeInfo:
        info = CodeInfo()
        info.code_uuid = code.uuid
        info.stdin_name, info.stdout_name = stdin, stdout
        info.withmpi = mpi
        return info


def pp_input() -> str:
    """Input of pp.x for the electrostatic potential on the grid."""
    prefix, outdir = PwCalculation._PREFIX, PwCalculation._OUTPUT_SUBFOLDER
    return f"&INPUTPP\n  prefix = '{prefix}'\n  outdir = '{outdir}'\n  plot_num = 11\n  filplot = '{CUBE}'\n/\n"


def average_input(height: float) -> str:
    """Input of average.x: one file of weight 1, points, direction 3, a window for the macroscopic average.

    :param height: the cell's, Å. The window (bohr) is for a second average that is not used.
    """
    return f"1\n{CUBE}\n1.0\n{max(2, round(height / SPACING))}\n3\n1.0\n"
