"""Gap of one frame of a film with Quantum ESPRESSO.

The film is isolated by a dipole correction (Bengtsson, Phys. Rev. B 59, 12301 (1999)) whose sawtooth lies in the
vacuum; without it the potential drop of a polar frame would shrink by one minus film over cell. Every frame gets the
same Fermi-Dirac smearing, and the edges are found by counting electrons, so that a frame whose gap closes is treated
like one whose gap is open. Frames that do not converge end with a result that says so: they stay in the counts.
"""

from __future__ import annotations

import math
from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ProcessBuilder, ToContext, WorkChain, if_, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec
from aiida.orm import load_group
from aiida.plugins import DataFactory, WorkflowFactory

from ..calculations.film import prepare_film
from ..calculations.gap import failed_result, frame_result
from .protocols import load_protocol
from .slots import slots_prepend

LegacyUpfData = DataFactory("core.upf")
UpfData = DataFactory("pseudo.upf")
PwBaseWorkChain = WorkflowFactory("quantumespresso.pw.base")

DEFAULT_WALLTIME = 3600


class GapWorkChain(WorkChain):
    """Prepare the film, run pw.x (a ladder of attempts), count electrons. One result, whatever happens."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Ports, outline and exit codes."""
        super().define(spec)
        spec.input("structure", valid_type=orm.StructureData, help="A frame; the interface's normal is z.")
        spec.input("record", valid_type=orm.Dict, required=False, help="What the MD knows of it; goes into the result.")
        spec.input("parameters", valid_type=orm.Dict, help="Settings of a gap protocol.")
        spec.input("code", valid_type=orm.AbstractCode, help="pw.x")
        spec.input_namespace("pseudos", valid_type=(LegacyUpfData, UpfData), dynamic=True, help="By kind name.")
        spec.input("options", valid_type=orm.Dict, help="resources, max_wallclock_seconds, slots.")
        spec.outline(
            cls.prepare,
            while_(cls.should_try)(cls.run_pw, cls.inspect_pw),
            if_(cls.has_bands)(cls.evaluate).else_(cls.record_failure),
        )
        spec.output("result", valid_type=orm.Dict, help="Gap, edges, witness, dipole, drop, cost, exit code.")
        spec.output("film", valid_type=orm.StructureData, help="What pw.x was given.")
        spec.output("band", valid_type=orm.BandsData, required=False)
        spec.output("pw_parameters", valid_type=orm.Dict, required=False)
        spec.exit_code(
            401,
            "ERROR_NO_GAP",
            message="pw.x gave no gap after {attempts} attempts, the last one: {message} "
            "Look at it with `verdi process report PK`, then add an attempt to the protocol.",
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        structure: orm.StructureData,
        protocol: str | None = None,
        overrides: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
        pseudo_family: str | None = None,
    ) -> ProcessBuilder:
        """A builder with a protocol's settings.

        :param protocol: ``fast`` or ``standard``.
        :param overrides: keys of the protocol with other values.
        :param options: ``resources``, ``max_wallclock_seconds``, ``slots`` (0: the scheduler shares the cores out).
        :param pseudo_family: label of an installed family, instead of the protocol's.
        :raises ValueError: if a protocol, a key or the family is not known.
        """
        settings = load_protocol("gap", protocol, overrides)
        family = pseudo_family or settings["pseudo_family"]
        settings["pseudo_family"] = family
        builder = cls.get_builder()
        builder.structure = structure
        builder.code = code
        builder.parameters = orm.Dict(settings)
        builder.pseudos = load_pseudos(family, structure)
        builder.options = orm.Dict(options or {})
        return builder

    def prepare(self) -> None:
        """Centre the film and count its electrons."""
        self.ctx.settings = self.inputs.parameters.get_dict()
        self.ctx.attempts = list(self.ctx.settings["attempts"]) or [{}]
        self.ctx.number = 0
        self.ctx.failure = None
        self.ctx.wall_seconds = 0.0
        self.ctx.film = prepare_film(
            self.inputs.structure,
            orm.Dict({"vacuum": self.ctx.settings["vacuum"]}),
            metadata={"call_link_label": "prepare_film"},
        )
        self.out("film", self.ctx.film)

    def should_try(self) -> bool:
        """Whether an attempt is left and none has converged."""
        return not self.has_bands() and self.ctx.number < len(self.ctx.attempts)

    def has_bands(self) -> bool:
        """Whether an attempt has converged."""
        return "pw" in self.ctx and self.ctx.pw.is_finished_ok

    def run_pw(self) -> ToContext:
        """Submit the next attempt."""
        settings = {**self.ctx.settings, **self.ctx.attempts[self.ctx.number]}
        node = self.submit(PwBaseWorkChain, **self._pw_inputs(settings))
        self.report(f"attempt {self.ctx.number + 1}: PwBaseWorkChain<{node.pk}>")
        return ToContext(pw=node)

    def inspect_pw(self) -> None:
        """Count the attempt, and keep what is known of a failure."""
        self.ctx.number += 1
        if self.ctx.pw.is_finished_ok:
            return
        jobs = [job for job in self.ctx.pw.called if isinstance(job, orm.CalcJobNode)]
        self.ctx.wall_seconds += _wall_seconds(jobs)
        for job in jobs:
            # aiida-quantumespresso's failures are cache sources unless someone says no: a failure must not be a hit.
            job.base.caching.is_valid_cache = False
        last = max(jobs, key=lambda job: job.pk) if jobs else self.ctx.pw
        self.ctx.failure = {
            "exit_code": int(last.exit_status or 1),
            "exit_message": str(last.exit_message or last.process_state),
            "wall_seconds": self.ctx.wall_seconds,
            "attempt": self.ctx.number,
        }
        self.report(f"attempt {self.ctx.number} failed: {self.ctx.failure['exit_message']}")

    def evaluate(self) -> None:
        """Result of a converged frame."""
        outputs = self.ctx.pw.outputs
        parameters = {
            "metallic_gap": self.ctx.settings["metallic_gap_eV"],
            "metallic_witness": self.ctx.settings["metallic_witness"],
            "attempt": self.ctx.number,
            "wall_seconds_before": self.ctx.wall_seconds,
        }
        self.out("band", outputs.output_band)
        self.out("pw_parameters", outputs.output_parameters)
        self.out(
            "result",
            frame_result(
                outputs.output_band,
                outputs.output_parameters,
                outputs.retrieved,
                self.ctx.film,
                self._record(),
                orm.Dict(parameters),
                metadata={"call_link_label": "frame_result"},
            ),
        )

    def record_failure(self) -> Any:
        """Result of a frame without a gap."""
        failure = self.ctx.failure
        self.out(
            "result", failed_result(self._record(), orm.Dict(failure), metadata={"call_link_label": "failed_result"})
        )
        return self.exit_codes.ERROR_NO_GAP.format(attempts=self.ctx.number, message=failure["exit_message"])

    def _record(self) -> orm.Dict:
        return self.inputs.record if "record" in self.inputs else orm.Dict({})

    def _pw_inputs(self, settings: dict[str, Any]) -> AttributeDict:
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh([1, 1, 1])
        valence = {name: pseudo.z_valence for name, pseudo in self.inputs.pseudos.items()}
        electrons = sum(valence[site.kind_name] for site in self.ctx.film.sites)
        return AttributeDict(
            {
                "kpoints": kpoints,
                "pw": {
                    "code": self.inputs.code,
                    "structure": self.ctx.film,
                    "pseudos": dict(self.inputs.pseudos),
                    "parameters": orm.Dict(pw_parameters(settings, round(electrons))),
                    # Gamma tricks halve the work; aiida-quantumespresso does not ask for them by itself.
                    "settings": orm.Dict({"GAMMA_ONLY": True}),
                    "metadata": {"options": pw_options(self.inputs.options.get_dict())},
                },
                # The ladder of attempts is ours: it starts from scratch, because the density of a run that sloshed
                # charge across the film is a worse start than atoms.
                "handler_overrides": orm.Dict({"handle_electronic_convergence_not_reached": {"enabled": False}}),
                "max_iterations": orm.Int(3),
                "metadata": {"call_link_label": f"pw_attempt_{self.ctx.number + 1}"},
            }
        )


def pw_parameters(settings: dict[str, Any], electrons: int) -> dict[str, Any]:
    """Namelists of pw.x for a centred film. The sawtooth falls across the cell's face, in the middle of the vacuum."""
    width = settings["sawtooth"]
    return {
        "CONTROL": {
            "calculation": "scf",
            "tefield": True,
            "dipfield": True,
            "tprnfor": False,
            "tstress": False,
            "disk_io": "low",
        },
        "SYSTEM": {
            "ecutwfc": settings["ecutwfc"],
            "ecutrho": 4.0 * settings["ecutwfc"],
            "nosym": True,
            "occupations": "smearing",
            "smearing": "fermi-dirac",
            "degauss": settings["degauss"],
            "nbnd": math.ceil(electrons / 2) + settings["empty_bands"],
            "edir": 3,
            "eamp": 0.0,
            "emaxpos": 1.0 - 0.5 * width,
            "eopreg": width,
        },
        "ELECTRONS": {
            key: settings[key]
            for key in ("conv_thr", "electron_maxstep", "mixing_beta", "mixing_mode", "mixing_ndim", "diagonalization")
        },
    }


def pw_options(options: dict[str, Any]) -> dict[str, Any]:
    """Options of the pw.x job: one rank without MPI unless told otherwise; waits for its slots."""
    resources = options.get("resources", {"num_machines": 1, "num_mpiprocs_per_machine": 1})
    ranks = resources.get("num_machines", 1) * resources.get("num_mpiprocs_per_machine", 1)
    lines = "export OMP_NUM_THREADS=1\n" + slots_prepend(int(options.get("slots", 0)), ranks)
    return {
        "resources": resources,
        "withmpi": ranks > 1,
        "max_wallclock_seconds": int(options.get("max_wallclock_seconds", DEFAULT_WALLTIME)),
        "prepend_text": lines,
        **{
            key: options[key] for key in ("queue_name", "account", "qos", "custom_scheduler_commands") if key in options
        },
    }


def load_pseudos(family: str, structure: orm.StructureData) -> dict[str, Any]:
    """Pseudopotentials of an installed family.

    :raises ValueError: if the family is not installed or lacks an element.
    """
    try:
        pseudos: dict[str, Any] = load_group(family).get_pseudos(structure=structure)
    except Exception as error:
        raise ValueError(
            f"the pseudopotential family {family!r} cannot serve this structure ({error}); "
            "run `falsemetal setup` for the offline family, or `aiida-pseudo install` for another."
        ) from error
    return pseudos


def _wall_seconds(jobs: list[orm.CalcJobNode]) -> float:
    """Wall time of all jobs as pw.x reports it, 0 where it was killed before it could."""
    total = 0.0
    for job in jobs:
        if "output_parameters" in job.outputs:
            total += float(job.outputs.output_parameters.get_dict().get("wall_time_seconds") or 0.0)
    return total
