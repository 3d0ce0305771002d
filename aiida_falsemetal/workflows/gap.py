"""Gap of one frame of a film with Quantum ESPRESSO.

The film is isolated by a dipole correction (Bengtsson, Phys. Rev. B 59, 12301 (1999)) whose sawtooth lies in the
vacuum; without it the potential drop of a polar frame would shrink by one minus film over cell. Every frame starts
with the same Fermi-Dirac smearing and goes down the ladder of :mod:`.ladder` as far as it matters; the edges are found
by counting electrons, so that a frame whose gap closes is treated like one whose gap is open. Frames that do not
converge end with a result that says so: they stay in the counts.
"""

from __future__ import annotations

import math
from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ProcessBuilder, ToContext, if_, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec
from aiida.plugins import DataFactory, WorkflowFactory

from ..calculations.bands import film_edges
from ..calculations.film import prepare_film
from ..calculations.gap import failed_result, frame_result
from ..physics.edges import BandEdges
from .cleaning import DEFAULT, clean_jobs, is_gone
from .endings import iterated, may_go_again, was_cut_off
from .ladder import Run, Rung, is_done, next_rung
from .options import pw_options
from .outputs import outputs_of, pw_costs
from .properties import PropertyStages, check_properties, check_substrate
from .pseudos import gap_settings, input_dft, pseudos_of

LegacyUpfData = DataFactory("core.upf")
UpfData = DataFactory("pseudo.upf")
PwBaseWorkChain = WorkflowFactory("quantumespresso.pw.base")


class GapWorkChain(PropertyStages):
    """Prepare the film, run pw.x down a ladder of smearings, count electrons. One result, whatever happens."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Ports, outline and exit codes."""
        super().define(spec)
        spec.input("structure", valid_type=orm.StructureData, help="A frame; the interface's normal is z.")
        spec.input("record", valid_type=orm.Dict, required=False, help="What the MD knows of it; goes into the result.")
        spec.input("parameters", valid_type=orm.Dict, help="Settings of a gap protocol.")
        spec.input("code", valid_type=orm.AbstractCode, help="pw.x")
        spec.input_namespace("pseudos", valid_type=(LegacyUpfData, UpfData), dynamic=True, help="By kind name.")
        spec.input(
            "options",
            valid_type=orm.Dict,
            help="resources, max_wallclock_seconds, slots; keep: work folders that stay, failed, all (default), none.",
        )
        spec.outline(
            cls.prepare,
            while_(cls.should_try)(cls.run_pw, cls.inspect_pw),
            if_(cls.has_bands)(
                while_(cls.properties_wait)(cls.run_properties, cls.inspect_properties),
                cls.evaluate,
            ).else_(cls.record_failure),
        )
        spec.output("result", valid_type=orm.Dict, help="Gap, edges, witness, dipole, drop, cost, exit code.")
        spec.output("film", valid_type=orm.StructureData, help="What pw.x was given.")
        cls.define_properties(spec)
        spec.output("band", valid_type=orm.BandsData, required=False)
        spec.output("pw_parameters", valid_type=orm.Dict, required=False)
        spec.exit_code(
            401,
            "ERROR_NO_GAP",
            message="pw.x gave no gap in {attempts} runs, the last one: {message} "
            "Look at it with `verdi process report PK`, then add a rescue to the protocol.",
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
        functional: str | None = None,
        codes: dict[str, orm.AbstractCode] | None = None,
        substrate: list[int] | None = None,
    ) -> ProcessBuilder:
        """A builder with a protocol's settings.

        :param protocol: ``fast`` or ``standard``.
        :param overrides: keys of the protocol with other values.
        :param options: ``resources``, ``max_wallclock_seconds``, ``slots`` (0: the scheduler shares the cores out).
        :param pseudo_family: label of an installed family, instead of the protocol's. Which cutoffs go with it: see
            :mod:`.pseudos`.
        :param functional: instead of that of the pseudopotentials.
        :param codes: ``projwfc_code``, ``pp_code``, ``average_code``: what the protocol's ``properties`` need.
        :param substrate: indices of a metal's atoms; the gap is then that of the others.
        :raises ValueError: if a protocol, a key, the family or a property is not known, a property lacks its code, or
            the ladder of smearings makes no sense.
        """
        asked = {"pseudo_family": pseudo_family, "functional": functional}
        given = {**(overrides or {}), **{key: value for key, value in asked.items() if value is not None}}
        settings = gap_settings(protocol, given, structure.get_symbols_set())
        builder = cls.get_builder()
        builder.structure = structure
        builder.code = code
        builder.parameters = orm.Dict(settings)
        builder.pseudos = pseudos_of(settings["pseudo_family"], structure)
        builder.options = orm.Dict(options or {})
        check_properties(settings, set(codes or {}), bool(substrate))
        for name, node in (codes or {}).items():
            builder[name] = node
        if substrate:
            check_substrate(substrate, len(structure.sites))
            builder.substrate = orm.List(substrate)
        return builder

    def prepare(self) -> None:
        """Centre the film and count its electrons."""
        self.ctx.settings = self.inputs.parameters.get_dict()
        # Looked up in the very pseudopotentials, so that the functional of the result is the one that pw.x used.
        self.ctx.settings["input_dft"] = input_dft(self.ctx.settings["functional"], self.inputs.pseudos.values())
        self.ctx.runs = []
        self.ctx.pks = []
        self.ctx.failure = None
        self.ctx.cut_off = {}
        self.ctx.wall_seconds = 0.0
        self.ctx.iterations = 0
        self.ctx.film = prepare_film(
            self.inputs.structure,
            orm.Dict({"vacuum": self.ctx.settings["vacuum"]}),
            metadata={"call_link_label": "prepare_film"},
        )
        self.out("film", self.ctx.film)
        self.prepare_properties(self._electrons(without=set()))

    def should_try(self) -> bool:
        """Whether the ladder has another rung to try."""
        return self._next_rung() is not None

    def has_bands(self) -> bool:
        """Whether the gap is there: the last rung, or one on which no electron has moved, has converged."""
        settings = self.ctx.settings
        return is_done(self._runs(), settings["smearing"], settings["moved_limit"])

    def run_pw(self) -> ToContext:
        """Submit the next rung."""
        rung = self._next_rung()
        assert rung is not None
        self.ctx.degauss = rung.degauss
        settings = {**self.ctx.settings, **rung.changes}
        start = None if rung.start is None else orm.load_node(self.ctx.pks[rung.start]).outputs.remote_folder
        if start is not None and is_gone(start):
            start = None  # taken from the cache, and its folder was cleaned since
        self.ctx.from_atoms = start is None
        node = self.submit(PwBaseWorkChain, **self._pw_inputs(settings, rung.degauss, start))
        self.ctx.pks.append(node.pk)
        origin = "from atoms" if start is None else f"from the density of run {(rung.start or 0) + 1}"
        self.report(f"run {len(self.ctx.pks)}, {rung.degauss:.2g} Ry, {origin}: PwBaseWorkChain<{node.pk}>")
        return ToContext(pw=node)

    def inspect_pw(self) -> None:
        """Count the run, and keep what is known of a failure."""
        jobs = [job for job in self.ctx.pw.called if isinstance(job, orm.CalcJobNode)]
        seconds, iterations = pw_costs(jobs)
        self.ctx.wall_seconds += seconds
        self.ctx.iterations += iterations
        if self.ctx.pw.is_finished_ok:
            moved = None if self._substrate() else self._edges(self.ctx.pw).witness
            self.ctx.runs.append([self.ctx.degauss, True, moved])
            return
        began = self.ctx.get("from_atoms", True) or any(map(iterated, jobs))
        self.ctx.runs.append([self.ctx.degauss, False, None, began])
        for job in jobs:
            # aiida-quantumespresso's failures are cache sources unless someone says no: a failure must not be a hit.
            job.base.caching.is_valid_cache = False
        if was_cut_off(self.ctx.pw, jobs) and may_go_again(jobs, self.ctx.cut_off):
            # The same rung again, as if nothing had been.
            self.ctx.interrupted = self.ctx.get("interrupted", 0) + 1
            self.ctx.runs.pop()
            self.ctx.pks.pop()
            self.report(f"pw.x was cut off; the same run once more, cut off {self.ctx.interrupted} times so far")
            return
        last = max(jobs, key=lambda job: job.pk) if jobs else self.ctx.pw
        self.ctx.failure = {
            "exit_code": int(last.exit_status or 1),
            "exit_message": str(last.exit_message or last.process_state),
        }
        self.report(f"run {len(self.ctx.runs)} failed: {self.ctx.failure['exit_message']}")

    def _runs(self) -> list[Run]:
        return [Run(*run) for run in self.ctx.runs]

    def _next_rung(self) -> Rung | None:
        settings = self.ctx.settings
        return next_rung(self._runs(), settings["smearing"], settings["rescues"], settings["moved_limit"])

    def on_terminated(self) -> None:
        """Empty the work folders that nobody needs any more."""
        super().on_terminated()
        cleaned = clean_jobs(self.node, self.inputs.options.get_dict().get("keep", DEFAULT))
        if cleaned:
            self.report(f"emptied the work folders of {len(cleaned)} jobs")

    def _cost(self) -> dict[str, Any]:
        return {
            "attempt": len(self.ctx.runs),
            "wall_seconds": self.ctx.wall_seconds,
            "scf_iterations": self.ctx.iterations,
            "degauss": self.ctx.degauss,
        }

    def evaluate(self) -> Any:
        """Result of a converged frame."""
        outputs = outputs_of(self.ctx.pw)
        parameters = {
            "metallic_gap": self.ctx.settings["metallic_gap_eV"],
            "metallic_witness": self.ctx.settings["metallic_witness"],
            **self._cost(),
            "functional": self.ctx.settings["functional"],
            "gap_of": "solvent" if self._substrate() else "film",
            "property_message": "; ".join(self.ctx.property_messages),
        }
        self.out("band", outputs["output_band"])
        self.out("pw_parameters", outputs["output_parameters"])
        result = frame_result(
            outputs["output_band"],
            outputs["output_parameters"],
            outputs["retrieved"],
            self.ctx.film,
            self._record(),
            orm.Dict(parameters),
            **self.ctx.scalars,
            metadata={"call_link_label": "frame_result"},
        )
        self.out("result", result)
        return self.judge_properties(result)

    def record_failure(self) -> Any:
        """Result of a frame without a gap."""
        failure = {**self.ctx.failure, **self._cost(), "gap_bound": self._gap_bound()}
        failure["functional"] = self.ctx.settings["functional"]
        self.out(
            "result", failed_result(self._record(), orm.Dict(failure), metadata={"call_link_label": "failed_result"})
        )
        return self.exit_codes.ERROR_NO_GAP.format(attempts=len(self.ctx.runs), message=failure["exit_message"])

    def _gap_bound(self) -> float | None:
        """Gap at the smallest smearing that converged: an upper bound, for less smearing moves fewer electrons."""
        held = [pk for pk, run in zip(self.ctx.pks, self._runs(), strict=True) if run.converged]
        if not held or self._substrate():
            return None
        return self._edges(orm.load_node(held[-1])).gap

    @staticmethod
    def _edges(pw: orm.WorkChainNode) -> BandEdges:
        outputs = outputs_of(pw)
        return film_edges(outputs["output_band"], round(outputs["output_parameters"]["number_of_electrons"]))

    def _record(self) -> orm.Dict:
        return self.inputs.record if "record" in self.inputs else orm.Dict({})

    def _run_label(self) -> str:
        """Label of the next run, which no other of this workchain has."""
        again = self.ctx.get("interrupted", 0)
        return f"pw_run_{len(self.ctx.pks) + 1}" + (f"_again_{again}" if again else "")

    def _pw_inputs(self, settings: dict[str, Any], degauss: float, start: orm.RemoteData | None) -> AttributeDict:
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh(settings["kpoints"])
        parameters = pw_parameters(settings, self._electrons(without=set()), degauss)
        if start is not None:
            parameters["ELECTRONS"].update(startingpot="file", startingwfc="file")
        inputs = AttributeDict(
            {
                "kpoints": kpoints,
                "pw": {
                    "code": self.inputs.code,
                    "structure": self.ctx.film,
                    "pseudos": dict(self.inputs.pseudos),
                    "parameters": orm.Dict(parameters),
                    # Gamma tricks halve the work; aiida-quantumespresso does not ask for them by itself.
                    "settings": orm.Dict({"GAMMA_ONLY": list(settings["kpoints"]) == [1, 1, 1]}),
                    "metadata": {"options": pw_options(self.inputs.options.get_dict())},
                },
                # The ladder is ours: it never starts from the density of a run that sloshed charge across the film.
                "handler_overrides": orm.Dict({"handle_electronic_convergence_not_reached": {"enabled": False}}),
                "max_iterations": orm.Int(3),
                "metadata": {"call_link_label": self._run_label()},
            }
        )
        if start is not None:
            inputs.pw["parent_folder"] = start
        return inputs


def pw_parameters(settings: dict[str, Any], electrons: int, degauss: float) -> dict[str, Any]:
    """Namelists of pw.x for a centred film. The sawtooth falls across the cell's face, in the middle of the vacuum.

    :param settings: of a gap protocol.
    :param degauss: Fermi-Dirac width in Ry, a rung of the ladder.
    """
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
            "ecutrho": settings["ecutrho"] or 4.0 * settings["ecutwfc"],
            **({"input_dft": settings["input_dft"]} if settings.get("input_dft") else {}),
            "nosym": True,
            "occupations": "smearing",
            "smearing": "fermi-dirac",
            "degauss": degauss,
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
