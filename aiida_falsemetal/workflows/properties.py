"""What is computed of a converged frame besides its gap: states by layer, averaged potential, a solvent on a metal.

The stages read what pw.x left in its remote folder. One that fails takes nothing from the gap: its keys in the result
are None and ``property_message`` says why. Only where there is a substrate is the gap itself, the solvent's, made from
the projections, and lost with them.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from aiida import orm
from aiida.engine import ToContext
from aiida.engine.processes.workchains.workchain import WorkChainSpec
from aiida.plugins import CalculationFactory

from ..calculations.gap import NO_SOLVENT_EDGES
from ..calculations.layers import layers_of_film, strip_substrate
from ..calculations.potential import PotentialCalculation
from ..interfaces.substrates import kpoint_mesh
from .endings import ended_itself, may_go_again
from .ladder import check_ladder
from .options import pw_options
from .protocols import check_mesh
from .steady import SteadyWorkChain

ProjwfcCalculation = CalculationFactory("quantumespresso.projwfc")

PROPERTY_CODES = {"layers": ("projwfc_code",), "potential": ("pp_code", "average_code")}
"""The properties that a protocol's ``properties`` may name, and the codes each needs."""
CODE_NAMES = tuple(name for names in PROPERTY_CODES.values() for name in names)
"""Names of the inputs for these codes."""
PROJWFC = {"deltae": 0.5, "degauss": 0.01, "ngauss": 0}
"""projwfc.x's own densities of states are not used: a coarse grid keeps its files small."""


def check_properties(settings: Mapping[str, Any], codes: Collection[str], substrate: bool = False) -> set[str]:
    """The properties that will be computed.

    :param settings: of a gap protocol.
    :param codes: names of the codes that are there: those of ``PROPERTY_CODES``.
    :param substrate: whether there is one; the states by layer are then needed for the gap.
    :raises ValueError: if a property or the k-point mesh makes no sense, or a code is missing.
    """
    asked = settings.get("properties", [])
    if not isinstance(asked, (list, tuple)):
        raise ValueError(f"`properties` must be a list of {', '.join(PROPERTY_CODES)}, not {asked!r}.")
    for name in asked:
        if name not in tuple(PROPERTY_CODES):
            raise ValueError(f"there is no property {name!r}; `properties` may hold {', '.join(PROPERTY_CODES)}.")
    check_mesh(settings)
    wanted = set(asked) | ({"layers"} if substrate else set())
    for name in sorted(wanted):
        for code in PROPERTY_CODES[name]:
            if code not in codes:
                program = code.removesuffix("_code")
                reason = "a substrate" if name not in asked else f"the property {name!r}"
                raise ValueError(
                    f"{reason} needs {program}.x and the input `{code}` is missing; "
                    f"run `falsemetal setup` and give the code {program}@localhost."
                )
    return wanted


def property_inputs(inputs: Mapping[str, Any]) -> dict[str, Any]:
    """The codes of ``CODE_NAMES`` that are among a workchain's inputs, by name."""
    return {name: inputs[name] for name in CODE_NAMES if name in inputs}


def check_substrate(indices: list[Any], atoms: int) -> None:
    """Refuse a substrate that is none.

    :raises ValueError: if an index is not of an atom, or no solvent is left.
    """
    if not indices or not all(isinstance(index, int) and 0 <= index < atoms for index in indices):
        raise ValueError(f"`substrate` must hold indices of atoms, 0 to {atoms - 1}; got {indices!r}.")
    if len(set(indices)) != len(indices) or len(indices) >= atoms:
        raise ValueError("`substrate` must name each atom once and leave the solvent's out.")


def validate_inputs(inputs: Any, _: object) -> str | None:
    """A sentence on what is wrong with a gap's ladder or properties, or None. Nothing has been computed yet."""
    if "parameters" not in inputs or "structure" not in inputs:
        return None
    codes = property_inputs(inputs)
    try:
        if "substrate" in inputs:
            check_substrate(inputs["substrate"].get_list(), len(inputs["structure"].sites))
        check_ladder(inputs["parameters"].get_dict())
        check_properties(inputs["parameters"].get_dict(), codes, "substrate" in inputs)
    except ValueError as error:
        return str(error)
    return None


def scf_settings(settings: Mapping[str, Any], wanted: set[str], electrons: int, substrate: int) -> dict[str, Any]:
    """The protocol's settings with what the properties ask of the SCF.

    The local conduction edge of a layer is only seen where empty states of that layer were computed: about one a
    molecule. A metal has a smearing of its own, and states up to the solvent's conduction edge, several eV above E_F.

    :param electrons: valence electrons.
    :param substrate: number of its atoms.
    """
    changed = dict(settings)
    empty = settings["empty_bands"]
    if "layers" in wanted:
        empty = max(empty, math.ceil(settings["layers_empty_share"] * electrons / 2))
    if substrate:
        empty += math.ceil(settings["substrate_bands"] * substrate)
        changed["smearing"] = [settings["substrate_degauss"]]
    return {**changed, "empty_bands": empty}


class PropertyStages(SteadyWorkChain):
    """The part of GapWorkChain that runs after a converged SCF."""

    @classmethod
    def define_properties(cls, spec: WorkChainSpec) -> None:
        """Ports of the properties."""
        for name in CODE_NAMES:
            program = name.removesuffix("_code")
            spec.input(name, valid_type=orm.AbstractCode, required=False, help=f"{program}.x, for the properties.")
        spec.input(
            "substrate",
            valid_type=orm.List,
            required=False,
            help="Indices of a metal's atoms: the gap is then that of the others, the solvent.",
        )
        spec.inputs.validator = validate_inputs
        spec.output("layers", valid_type=orm.ArrayData, required=False, help="States by z, local edges.")
        spec.output("potential", valid_type=orm.ArrayData, required=False, help="Plane average over z, V.")
        spec.output("stripped_result", valid_type=orm.Dict, required=False, help="Result of the solvent alone.")
        spec.exit_code(
            NO_SOLVENT_EDGES,
            "ERROR_NO_SOLVENT_EDGES",
            message="The solvent on the substrate has no edges: {message}",
        )

    def properties_wait(self) -> bool:
        """Whether there is anything to do but the gap."""
        return bool(self.ctx.property_left)

    def prepare_properties(self, electrons: int) -> None:
        """Decide what will be computed, and change the SCF's settings accordingly."""
        substrate = self._substrate()
        codes = property_inputs(self.inputs)
        self.ctx.properties = sorted(check_properties(self.ctx.settings, codes, bool(substrate)))
        self.ctx.property_left = [*self.ctx.properties, *(["stripped"] if substrate else [])]
        self.ctx.property_again, self.ctx.property_cut_off = 0, {"layers": {}, "potential": {}}
        self.ctx.property_messages = []
        self.ctx.scalars = {}
        self.ctx.settings = scf_settings(self.ctx.settings, set(self.ctx.properties), electrons, len(substrate))
        if self.ctx.settings.get("kpoints") is None:
            # Older protocols' settings have a mesh always; this one leaves it to the cell.
            spacing = self.ctx.settings["kpoints_spacing"]
            self.ctx.settings["kpoints"] = kpoint_mesh(np.array(self.ctx.film.cell), bool(substrate), spacing)

    def run_properties(self) -> ToContext:
        """Submit all stages at once: they read the same folder and write to their own."""
        remote = self.ctx.pw.outputs.remote_folder
        submitted: dict[str, Any] = {}
        if "layers" in self.ctx.property_left:
            submitted["property_layers"] = self.submit(ProjwfcCalculation, **self._projwfc_inputs(remote))
        if "potential" in self.ctx.property_left:
            submitted["property_potential"] = self.submit(PotentialCalculation, **self._potential_inputs(remote))
        if "stripped" in self.ctx.property_left:
            submitted["stripped"] = self.submit(type(self), **self._stripped_inputs())
        return ToContext(**submitted)

    def inspect_properties(self) -> None:
        """Turn what has run into nodes; keep a sentence on what has not. What was cut off is run again, as pw.x is."""
        ran, self.ctx.property_left = self.ctx.property_left, []
        for name in (name for name in ran if name in self.ctx.property_cut_off):
            job = self.ctx[f"property_{name}"]
            if not (job.is_finished_ok or ended_itself(job)) and may_go_again([job], self.ctx.property_cut_off[name]):
                job.base.caching.is_valid_cache = False
                self.ctx.property_left.append(name)
                self.report(f"{name} was cut off; the same job once more")
        self.ctx.property_again += bool(self.ctx.property_left)
        ended = set(ran) - set(self.ctx.property_left)
        if "layers" in ended and self._finished("layers"):
            self._make_layers()
        if "potential" in ended:
            node = self.ctx.property_potential
            if "potential" in node.outputs:
                self.out("potential", node.outputs.potential)
            if self._finished("potential"):
                self.ctx.scalars["potential"] = node.outputs.scalars
        if "stripped" in ended:
            node = self.ctx.stripped
            if "result" in node.outputs:
                self.out("stripped_result", node.outputs.result)
                self.ctx.scalars["stripped"] = node.outputs.result
            if not node.is_finished_ok:
                self._property_failed("stripped", str(node.exit_message))

    def judge_properties(self, result: orm.Dict) -> Any:
        """An exit code where a property that failed has taken the gap with it: the solvent's on a substrate."""
        if self._substrate() and result["gap"] is None:
            return self.exit_codes.ERROR_NO_SOLVENT_EDGES.format(message=result["property_message"])
        return None

    def _substrate(self) -> list[int]:
        return list(self.inputs.substrate.get_list()) if "substrate" in self.inputs else []

    def _again(self, label: str) -> str:
        """A job's label, which no other of this workchain has."""
        return f"{label}_again_{self.ctx.property_again}" if self.ctx.property_again else label

    def _finished(self, name: str) -> bool:
        node = self.ctx[f"property_{name}"]
        if node.is_finished_ok:
            return True
        # Failures must not become cache hits.
        node.base.caching.is_valid_cache = False
        self._property_failed(name, str(node.exit_message or node.process_state))
        return False

    def _property_failed(self, name: str, message: str) -> None:
        self.ctx.property_messages.append(f"{name}: {message}")
        self.report(f"{name} failed, the gap stays: {message}")

    def _make_layers(self) -> None:
        outputs, settings = self.ctx.pw.outputs, self.ctx.settings
        substrate = self._substrate()
        parameters = {
            **{key: settings[f"layers_{key}"] for key in ("spacing", "width", "broadening")},
            "substrate": substrate,
            "solvent_electrons": self._electrons(without=set(substrate)),
            "metallic_gap": settings["metallic_gap_eV"],
        }
        try:
            made = layers_of_film(
                self.ctx.property_layers.outputs.projections,
                outputs.output_band,
                outputs.output_parameters,
                self.ctx.film,
                orm.Dict(parameters),
                metadata={"call_link_label": "layers_of_film"},
            )
        except ValueError as error:
            self._property_failed("layers", str(error))
            return
        self.out("layers", made["layers"])
        self.ctx.scalars["layers"] = made["scalars"]

    def _electrons(self, without: set[int]) -> int:
        """Valence electrons of the film's atoms, some left out."""
        valence = {name: pseudo.z_valence for name, pseudo in self.inputs.pseudos.items()}
        sites = enumerate(self.ctx.film.sites)
        return int(round(sum(valence[site.kind_name] for index, site in sites if index not in without)))

    def _projwfc_inputs(self, remote: orm.RemoteData) -> dict[str, Any]:
        return {
            "code": self.inputs.projwfc_code,
            "parent_folder": remote,
            "parameters": orm.Dict({"PROJWFC": PROJWFC}),
            # A link and not a copy of the wavefunctions.
            "settings": orm.Dict({"PARENT_FOLDER_SYMLINK": True}),
            "metadata": {
                "options": pw_options(self.inputs.options.get_dict()),
                "call_link_label": self._again("projwfc"),
            },
        }

    def _potential_inputs(self, remote: orm.RemoteData) -> dict[str, Any]:
        return {
            "code": self.inputs.pp_code,
            "average_code": self.inputs.average_code,
            "parent_folder": remote,
            "structure": self.ctx.film,
            "parameters": orm.Dict({"sawtooth": float(self.ctx.settings["sawtooth"])}),
            "metadata": {
                "options": pw_options(self.inputs.options.get_dict()),
                "call_link_label": self._again("potential"),
            },
        }

    def _stripped_inputs(self) -> dict[str, Any]:
        solvent = strip_substrate(self.ctx.film, self.inputs.substrate, metadata={"call_link_label": "strip_substrate"})
        kinds = {site.kind_name for site in solvent.sites}
        return {
            "structure": solvent,
            "parameters": self.inputs.parameters,
            "code": self.inputs.code,
            **property_inputs(self.inputs),
            "pseudos": {name: pseudo for name, pseudo in self.inputs.pseudos.items() if name in kinds},
            "options": self.inputs.options,
            "metadata": {"call_link_label": "stripped"},
        }
