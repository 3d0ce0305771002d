"""A frame's story: from the interface's recipe to its gap and what it counts for, a sentence a node."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import PurePath
from typing import Any

from ..names import ENDED
from .lineage import Lineage, batch_of, find_lineage
from .wording import (
    edges_in_words,
    ended,
    figure,
    from_where,
    interface_in_words,
    judged,
    parameters_in_words,
    picked,
    state_of,
)

DFT_KEYS = (
    *("protocol", "functional", "pseudo_family", "ecutwfc", "ecutrho", "conv_thr", "smearing", "kpoints", "vacuum"),
    *("metallic_gap_eV", "metallic_witness"),
)
RESULT_KEYS = (
    *("gap", "vbm", "cbm", "fermi", "drop", "metallic", "witness", "gap_of", "gap_bound", "degauss", "attempt"),
    *("exit_code", "exit_message"),
)


@dataclass(frozen=True)
class Step:
    """A sentence of the story.

    :param what: its subject, a word for machines.
    :param sentence: without the pk.
    :param pk: of the node that it is about.
    :param data: the numbers behind the sentence.
    """

    what: str
    sentence: str
    pk: int
    data: dict[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The step as plain types."""
        return asdict(self)


def tell(pk: int) -> list[Step]:
    """The story of a frame.

    :param pk: of its result, its GapWorkChain, or one of its runs of pw.x.
    :raises QueryError: if it is anything else.
    """
    found = find_lineage(pk)
    parts = (_interface, _model, _md, _trajectory, _choice, _dft, _attempts, _gap, _verdicts)
    return [step for part in parts for step in part(found)]


def _interface(found: Lineage) -> Iterator[Step]:
    recipe, info = found.pair_given("recipe"), found.pair_made("interface_info")
    if recipe is not None:
        given = recipe.get_dict()
        values = parameters_in_words(given["parameters"])
        yield Step("recipe", f"The interface's recipe is {given['recipe']} with {values}.", recipe.pk, given)
    source = found.pair_given("structure")
    if source is not None:
        origin = source.base.extras.get("falsemetal_origin", None) or {}
        sentence = f"The recipe started from the structure {source.get_formula()}{from_where(origin)}."
        yield Step("source", sentence, source.pk, {"formula": source.get_formula(), **origin})
    structure = found.pair_made("interface")
    if structure is not None:
        geometry = {} if info is None else info.get_dict()
        data = {key: geometry.get(key) for key in ("area", "thickness", "vacuum", "solvent")}
        data.update(formula=structure.get_formula(), atoms=len(structure.sites))
        data["molecules"] = len(geometry["molecules"]) if "molecules" in geometry else None
        yield Step("structure", f"The interface has {interface_in_words(data)}.", structure.pk, data)


def _model(found: Lineage) -> Iterator[Step]:
    model = found.pair_given("mlip")
    if model is None:
        return
    attributes = model.base.attributes.all
    facts = attributes["facts"]
    data = {
        **{key: attributes.get(key) for key in ("family", "sha256", "filename", "kwargs", "accepted")},
        **{key: facts.get(key) for key in ("cutoff", "layers", "receptive_field", "long_ranged", "boundary")},
        "label": model.label,
    }
    reach = "long-ranged" if data["long_ranged"] else "short-ranged"
    sentence = (
        f"The model {model.label or 'without a name'} is the file {PurePath(str(data['filename'])).name} of the family "
        f"{data['family']}, {reach}, cutoff {figure(data['cutoff'])} Å, sha256 {data['sha256']}."
    )
    yield Step("model", sentence, model.pk, data)


def _md(found: Lineage) -> Iterator[Step]:
    settings = found.pair_given("md")
    given = found.pair_given("trajectory")
    if settings is not None and given is None:
        data = settings.get_dict()
        more = (
            f", going on until the dipole's spread is known to {data['precision']:g}" if data.get("precision") else ""
        )
        pace = f"{figure(data.get('timestep'))} fs at {figure(data.get('temperature'))} K"
        sentence = f"The MD was asked for {data.get('steps')} steps of {pace} with seed {data.get('seed')}{more}."
        yield Step("md", sentence, settings.pk, data)
    elif settings is not None and given is not None:
        data = settings.get_dict()
        origin = given.base.extras.get("falsemetal_origin", None) or {}
        sentence = (
            f"No MD was run: the trajectory was imported{from_where(origin)}, {data.get('steps')} frames of "
            f"{figure(data.get('timestep'))} fs at {figure(data.get('temperature'))} K."
        )
        yield Step("import", sentence, settings.pk, {**data, **origin})
    for number, job in enumerate(found.md_jobs, start=1):
        results = job.outputs.results.get_dict() if "results" in job.outputs else {}
        data = {**state_of(job), **{key: results.get(key) for key in ("first_step", "last_step", "wall_seconds")}}
        reached = f" at step {data['last_step']}" if data["last_step"] is not None else ""
        others = f", side by side with {results['batch'] - 1} other seeds," if results.get("batch", 1) > 1 else ""
        yield Step("md_run", f"MD run {number}{others} {ended(data)}{reached}.", job.pk, data)


def _trajectory(found: Lineage) -> Iterator[Step]:
    node = found.pair_made("trajectory") or found.pair_given("trajectory")
    if node is None:
        return
    data: dict[str, Any] = {"frames": int(node.numsteps)}
    times = node.get_times()
    data["last_ps"] = float(times[-1]) if times is not None and len(times) else None
    length = f" up to {data['last_ps']:.4g} ps" if data["last_ps"] is not None else ""
    yield Step("trajectory", f"The trajectory has {data['frames']} frames{length}.", node.pk, data)


def _choice(found: Lineage) -> Iterator[Step]:
    structure, record = found.given("structure"), found.given("record")
    if found.pair is None or record is None:
        sentence = "The gap was asked for a structure by itself: no pair, no MD and no model are behind it."
        if found.pair is None and structure is not None:
            yield Step("structure", sentence, structure.pk, {"formula": structure.get_formula()})
        return
    data = record.get_dict()
    batch = batch_of(found, data["step"]) if "step" in data else None
    data["batch"] = None if batch is None else batch[0]
    by = found.chosen_by
    if by is not None:
        data["chosen_by"] = {"pk": by.pk, "function": by.process_label}
    stratum, probability = data.get("stratum"), data.get("probability")
    if stratum == "uniform":
        why = "as one of the control set, which is drawn uniformly from all frames"
    else:
        by_range = data.get("potential_range") is not None
        why = f"from stratum {stratum} of {'the range of the potential inside' if by_range else '|M_z|/A'}"
        if data["batch"] is not None and by is not None and (by.process_label or "").endswith("draw_frames"):
            why = f"from stratum {stratum} of the frames that would tell most"
    chance = f", with probability {probability:.3g}" if probability is not None else ""
    number = f", in batch {data['batch']}" if data["batch"] is not None else ""
    sentence = (
        f"The frame of step {data.get('step')} ({figure(data.get('time_ps'))} ps) was chosen {why}{chance}{number}."
    )
    yield Step("choice", sentence, record.pk, data)
    if structure is not None:
        dipole, inside = data.get("Mz_per_area"), ""
        if data.get("potential_range") is not None:
            inside = f", range of the potential inside {figure(data['potential_range'], 3)} V"
        beside = (
            f"; its M_z/A is {dipole:.4g} e/Å, expected drop {figure(data.get('expected_drop'), 3)} V{inside}"
            if dipole is not None
            else ""
        )
        formula = structure.get_formula()
        yield Step("frame", f"The frame's structure is {formula}{beside}.", structure.pk, {"formula": formula})


def _dft(found: Lineage) -> Iterator[Step]:
    node = found.given("parameters")
    if node is None:
        return
    settings = node.get_dict()
    data = {key: settings.get(key) for key in DFT_KEYS}
    rungs = " ".join(figure(value) for value in data["smearing"] or [])
    sentence = (
        f"The DFT settings are protocol {data['protocol'] or 'unnamed'}: {data['functional'] or 'the functional'} with "
        f"the pseudopotentials {data['pseudo_family']}, cutoff {figure(data['ecutwfc'])} Ry, Fermi-Dirac smearing of "
        f"{rungs} Ry as far as it matters, {figure(data['vacuum'])} Å of vacuum; metallic is a gap below "
        f"{figure(data['metallic_gap_eV'])} eV, or more than {figure(data['metallic_witness'])} electrons that moved."
    )
    yield Step("dft", sentence, node.pk, data)


def _attempts(found: Lineage) -> Iterator[Step]:
    for number, (label, job) in enumerate(found.attempts, start=1):
        asked = job.inputs.parameters.get_dict() if "parameters" in job.inputs else {}
        parsed = job.outputs.output_parameters.get_dict() if "output_parameters" in job.outputs else {}
        data = {
            **state_of(job),
            "run": label,
            "degauss": asked.get("SYSTEM", {}).get("degauss"),
            "scf_iterations": parsed.get("total_number_of_scf_iterations"),
            "wall_seconds": parsed.get("wall_time_seconds"),
        }
        at = f" at a smearing of {data['degauss']:.3g} Ry" if data["degauss"] is not None else ""
        after = f" after {data['scf_iterations']} iterations" if data["scf_iterations"] is not None else ""
        yield Step("attempt", f"pw.x attempt {number}{at} {ended(data)}{after}.", job.pk, data)
    if not found.attempts:
        yield Step("attempt", "pw.x has not been started.", found.gap.pk, state_of(found.gap))


def _gap(found: Lineage) -> Iterator[Step]:
    node = found.made("result")
    if node is None:
        data = state_of(found.gap)
        state = "left no result" if data["state"] in ENDED else "has no result yet"
        yield Step("gap", f"The GapWorkChain {state}; it {ended(data)}.", found.gap.pk, data)
        return
    result = node.get_dict()
    data = {key: result.get(key) for key in RESULT_KEYS}
    if data["gap"] is None:
        bound = f"; it is at most {data['gap_bound']:.3g} eV" if data["gap_bound"] is not None else ""
        why = data["exit_message"] or result.get("property_message") or "no reason is recorded"
        sentence = f"There is no gap, exit code {data['exit_code']} ({str(why).rstrip('.')}){bound}."
    else:
        metal = "metallic" if data["metallic"] else "not metallic"
        of = f" of the {data['gap_of']}" if data["gap_of"] else ""
        sentence = f"The gap{of} is {data['gap']:.3g} eV{edges_in_words(data)}: {metal}."
    yield Step("gap", sentence, node.pk, data)


def _verdicts(found: Lineage) -> Iterator[Step]:
    if found.pair is None:
        return
    own = found.pair_made("verdict")
    labels = found.pair.base.extras.all
    names = {key: labels.get(f"falsemetal_{key}") for key in ("campaign", "interface", "mlip", "seed")}
    pair = f"{names['interface']} x {names['mlip']}, seed {names['seed']}"
    if own is None:
        data = state_of(found.pair)
        yield Step("pair", f"The pair {pair} has no verdict yet; it {ended(data)}.", found.pair.pk, {**names, **data})
        return
    yield Step("pair", f"The pair {pair} is {judged(own.get_dict())}", own.pk, {**names, **picked(own.get_dict())})
    if found.cell is None:
        sentence = "All seeds together have not been judged yet; `falsemetal verdict CAMPAIGN` does it."
        yield Step("cell", sentence, found.pair.pk, names)
        return
    content = found.cell.get_dict()
    seeds = content.get("seeds")
    sentence = f"All seeds together ({seeds}), {names['interface']} x {names['mlip']} is {judged(content)}"
    yield Step("cell", sentence, found.cell.pk, {**names, **picked(content)})
