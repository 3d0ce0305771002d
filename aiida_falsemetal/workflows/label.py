"""The label of one configuration: energy, forces and dipole by pw.x, at one setting for all.

A configuration that is labelled has an open gap (its expected drop was looked at before), so there is no ladder of
smearings as for a gap: one Fermi-Dirac width, the last rung of the gap's ladder, and calmer mixing if that does not
converge. One that turns out metallic has a label that says so and is not used.
"""

from __future__ import annotations

from typing import Any

from aiida import orm
from aiida.common import AttributeDict
from aiida.engine import ProcessBuilder, ToContext, if_, while_
from aiida.engine.processes.workchains.workchain import WorkChainSpec
from aiida.plugins import DataFactory, WorkflowFactory

from ..calculations.label import failed_label, is_bulk, label_fingerprint, label_result, prepare_configuration
from ..names import TWINS_GROUP
from .endings import may_go_again, was_cut_off
from .gap import pw_parameters
from .options import pw_options
from .outputs import outputs_of, pw_costs
from .pseudos import gap_settings, input_dft, pseudos_of
from .steady import SteadyWorkChain

LegacyUpfData = DataFactory("core.upf")
UpfData = DataFactory("pseudo.upf")
PwBaseWorkChain = WorkflowFactory("quantumespresso.pw.base")

KEPT = (
    *("protocol", "pseudo_family", "functional", "ecutwfc", "ecutrho", "cutoffs_from", "vacuum", "sawtooth"),
    *("empty_bands", "conv_thr", "metallic_gap_eV", "metallic_witness"),
    *("electron_maxstep", "mixing_beta", "mixing_mode", "mixing_ndim", "diagonalization", "rescues"),
)
"""Settings of a gap protocol that a label has too."""
FILM_KEYS = {
    "CONTROL": ("tefield", "dipfield"),
    "SYSTEM": ("edir", "eamp", "emaxpos", "eopreg"),
}
"""What the dipole correction needs, which a bulk liquid must not have."""


def label_settings(given: dict[str, Any], elements: set[str]) -> dict[str, Any]:
    """Settings of the labels, with functional and cutoffs decided as for a gap (:mod:`.pseudos`).

    :param given: ``protocol``, ``functional``, ``pseudo_family``, ``ecutwfc``, ``ecutrho``, ``conv_thr``, ``vacuum``
        and ``degauss`` (Ry); ``rescue`` (true without it): whether the protocol's first rescue is tried.
    :raises ValueError: if a protocol is not known.
    :raises DftError: if family, functional or cutoffs do not fit.
    """
    names = ("functional", "pseudo_family", "ecutwfc", "ecutrho", "conv_thr", "vacuum")
    settings = gap_settings(given.get("protocol"), {key: given.get(key) for key in names}, elements)
    rescues = settings["rescues"][:1] if given.get("rescue", True) else []
    kept = {key: settings[key] for key in KEPT}
    return {**kept, "kpoints": [1, 1, 1], "degauss": given["degauss"], "rescues": rescues}


class LabelWorkChain(SteadyWorkChain):
    """See the module. One label, whatever happens."""

    @classmethod
    def define(cls, spec: WorkChainSpec) -> None:
        """Ports, outline and exit codes."""
        super().define(spec)
        spec.input("structure", valid_type=orm.StructureData, help="A film whose normal is z, or a bulk liquid.")
        spec.input("record", valid_type=orm.Dict, required=False, help="What is known of it; goes into the label.")
        spec.input("parameters", valid_type=orm.Dict, help="Of label_settings.")
        spec.input("code", valid_type=orm.AbstractCode, help="pw.x")
        spec.input_namespace("pseudos", valid_type=(LegacyUpfData, UpfData), dynamic=True, help="By kind name.")
        spec.input("options", valid_type=orm.Dict, help="resources, max_wallclock_seconds, slots.")
        spec.input("twins", valid_type=orm.Str, required=False, help="Name of the twins; becomes extra and group.")
        spec.outline(
            cls.prepare,
            while_(cls.should_try)(cls.run_pw, cls.inspect_pw),
            if_(cls.has_label)(cls.evaluate).else_(cls.record_failure),
        )
        spec.output("label", valid_type=orm.Dict, help="Energy, dipole, drop, gap, settings, cost, exit code.")
        spec.output("forces", valid_type=orm.ArrayData, required=False, help="(n, 3) in eV/Å, in the input's order.")
        spec.exit_code(
            401,
            "ERROR_NO_LABEL",
            message="pw.x gave no label in {attempts} runs, the last one: {message} "
            "Look at it with `verdi process report PK`; `falsemetal twins FILE --retry` tries it again.",
        )

    @classmethod
    def get_builder_from_protocol(
        cls,
        code: orm.AbstractCode,
        structure: orm.StructureData,
        protocol: str | None = None,
        overrides: dict[str, Any] | None = None,
        options: dict[str, Any] | None = None,
    ) -> ProcessBuilder:
        """A builder with a gap protocol's settings.

        :param overrides: any of the settings that :func:`label_settings` takes.
        :param options: ``resources``, ``max_wallclock_seconds``, ``slots`` (0: the scheduler shares the cores out).
        :raises ValueError: as :func:`label_settings` does.
        """
        given = {"degauss": 0.001, **(overrides or {}), "protocol": protocol}
        settings = label_settings(given, structure.get_symbols_set())
        builder = cls.get_builder()
        builder.structure = structure
        builder.code = code
        builder.parameters = orm.Dict(settings)
        builder.pseudos = pseudos_of(settings["pseudo_family"], structure)
        builder.options = orm.Dict(options or {})
        return builder

    def prepare(self) -> None:
        """Extras and group, and what pw.x is given."""
        self.ctx.settings = self.inputs.parameters.get_dict()
        self.ctx.fingerprint = label_fingerprint(self.inputs.structure, self.ctx.settings, self.inputs.pseudos)
        self.node.base.extras.set("falsemetal_label", self.ctx.fingerprint)
        if "twins" in self.inputs:
            self.node.base.extras.set("falsemetal_twins", self.inputs.twins.value)
            group, _ = orm.Group.collection.get_or_create(label=TWINS_GROUP + self.inputs.twins.value)
            group.add_nodes(self.node)
        self.ctx.settings["input_dft"] = input_dft(self.ctx.settings["functional"], self.inputs.pseudos.values())
        # Who chose the configuration knows: vapour spread evenly through a film's vacuum leaves no wide gap in it.
        known = self._record().get_dict().get("bulk")
        self.ctx.bulk = is_bulk(self.inputs.structure) if known is None else known
        self.ctx.done, self.ctx.attempt, self.ctx.wall_seconds, self.ctx.iterations = False, 0, 0.0, 0
        self.ctx.interrupted, self.ctx.cut_off = 0, {}
        self.ctx.film = prepare_configuration(
            self.inputs.structure,
            orm.Dict({"vacuum": self.ctx.settings["vacuum"], "bulk": self.ctx.bulk}),
            metadata={"call_link_label": "prepare"},
        )

    def should_try(self) -> bool:
        """The first time, and once with the protocol's first rescue, if there is to be any."""
        return not self.ctx.done and self.ctx.attempt < 1 + min(1, len(self.ctx.settings["rescues"]))

    def has_label(self) -> bool:
        """Whether pw.x has converged."""
        return bool(self.ctx.done)

    def run_pw(self) -> ToContext:
        """Submit pw.x."""
        changes = self.ctx.settings["rescues"][0] if self.ctx.attempt else {}
        self.ctx.attempt += 1
        valence = {name: pseudo.z_valence for name, pseudo in self.inputs.pseudos.items()}
        electrons = int(round(sum(valence[site.kind_name] for site in self.ctx.film.sites)))
        kpoints = orm.KpointsData()
        kpoints.set_kpoints_mesh([1, 1, 1])
        inputs = AttributeDict(
            {
                "kpoints": kpoints,
                "pw": {
                    "code": self.inputs.code,
                    "structure": self.ctx.film,
                    "pseudos": dict(self.inputs.pseudos),
                    "parameters": orm.Dict(
                        label_parameters({**self.ctx.settings, **changes}, electrons, self.ctx.bulk)
                    ),
                    "settings": orm.Dict({"GAMMA_ONLY": True}),
                    "metadata": {"options": pw_options(self.inputs.options.get_dict())},
                },
                "handler_overrides": orm.Dict({"handle_electronic_convergence_not_reached": {"enabled": False}}),
                "max_iterations": orm.Int(3),
                # The wavefunctions of hundreds of labels would fill a disk, and nobody starts from them.
                "clean_workdir": orm.Bool(True),
                "metadata": {"call_link_label": f"pw_run_{self.ctx.attempt + self.ctx.interrupted}"},
            }
        )
        return ToContext(pw=self.submit(PwBaseWorkChain, **inputs))

    def inspect_pw(self) -> None:
        """Count the run, and keep what is known of a failure."""
        jobs = [job for job in self.ctx.pw.called if isinstance(job, orm.CalcJobNode)]
        seconds, iterations = pw_costs(jobs)
        self.ctx.wall_seconds += seconds
        self.ctx.iterations += iterations
        self.ctx.done = self.ctx.pw.is_finished_ok
        if self.ctx.done:
            return
        for job in jobs:
            job.base.caching.is_valid_cache = False
        if was_cut_off(self.ctx.pw, jobs) and may_go_again(jobs, self.ctx.cut_off):
            self.ctx.attempt, self.ctx.interrupted = self.ctx.attempt - 1, self.ctx.interrupted + 1
            self.report(f"pw.x was cut off; the same run once more, cut off {self.ctx.interrupted} times so far")
            return
        last = max(jobs, key=lambda job: job.pk) if jobs else self.ctx.pw
        self.ctx.failure = {
            "exit_code": int(last.exit_status or 1),
            "exit_message": str(last.exit_message or last.process_state),
        }
        self.report(f"run {self.ctx.attempt} failed: {self.ctx.failure['exit_message']}")

    def evaluate(self) -> None:
        """The label."""
        outputs = outputs_of(self.ctx.pw)
        made = label_result(
            outputs["output_band"],
            outputs["output_parameters"],
            outputs["output_trajectory"],
            outputs["retrieved"],
            self.ctx.film,
            self._record(),
            orm.Dict(self._account()),
            metadata={"call_link_label": "label_result"},
        )
        self.out("label", made["label"])
        self.out("forces", made["forces"])

    def record_failure(self) -> Any:
        """A label that says why there is none."""
        account = orm.Dict({**self._account(), **self.ctx.failure})
        link = {"call_link_label": "failed_label"}
        self.out("label", failed_label(self.inputs.structure, self._record(), account, metadata=link))
        return self.exit_codes.ERROR_NO_LABEL.format(
            attempts=self.ctx.attempt, message=self.ctx.failure["exit_message"]
        )

    def _record(self) -> orm.Dict:
        return self.inputs.record if "record" in self.inputs else orm.Dict({})

    def _account(self) -> dict[str, Any]:
        return {
            **self.inputs.parameters.get_dict(),
            "bulk": self.ctx.bulk,
            "fingerprint": self.ctx.fingerprint,
            "scf_iterations": self.ctx.iterations,
            "wall_seconds": self.ctx.wall_seconds,
            "attempt": self.ctx.attempt,
        }


def label_parameters(settings: dict[str, Any], electrons: int, bulk: bool) -> dict[str, Any]:
    """Namelists of pw.x: those of a gap with forces; of a bulk liquid without the dipole correction."""
    namelists = pw_parameters(settings, electrons, settings["degauss"])
    namelists["CONTROL"]["tprnfor"] = True
    if bulk:
        for name, keys in FILM_KEYS.items():
            for key in keys:
                del namelists[name][key]
    return namelists
