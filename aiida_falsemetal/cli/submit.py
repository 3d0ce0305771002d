"""From a checked campaign to a ScreenWorkChain in the graph; what is there already is left out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import click

from ..names import ENDED, EXTRAS, FINAL, SUPERSEDED
from .machine import HERE, Machine, find_machine, machine_of
from .room import pairs_that_fit

MD_ONLY = ("walltime", "equilibration", "jobs_per_gpu", "batch")
"""Settings of a campaign's ``md`` that are not the driver's."""


@dataclass(frozen=True)
class Known:
    """Fingerprints of a campaign's pairs in the graph: finished ones, and ones that are still active."""

    finished: set[str]
    active: set[str]


def existing_pairs(campaign: str) -> Known:
    """What the graph has of a campaign."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    query = orm.QueryBuilder()
    query.append(
        WorkflowFactory("falsemetal.pair"),
        filters={"extras.falsemetal_campaign": campaign},
        project=["extras.falsemetal_fingerprint", "attributes.process_state", "attributes.exit_status"],
    )
    finished, active = set(), set()
    for fingerprint, state, status in query.iterall():
        if state in ENDED:
            if status in FINAL:
                finished.add(fingerprint)
        else:
            active.add(fingerprint)
    return Known(finished, active | _waiting_in_screens(campaign))


def _waiting_in_screens(campaign: str) -> set[str]:
    """Fingerprints of pairs that an unfinished ScreenWorkChain will still submit."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    query = orm.QueryBuilder()
    query.append(
        WorkflowFactory("falsemetal.screen"),
        filters={"extras.falsemetal_campaign": campaign, "attributes.process_state": {"!in": list(ENDED)}},
        project=["extras.falsemetal_fingerprints"],
    )
    return {fingerprint for (fingerprints,) in query.iterall() for fingerprint in fingerprints or []}


def pair_fingerprint(pair: Any) -> str:
    """Identity of a pair inside a campaign: what determines its result, and the names it goes by."""
    return f"{pair.fingerprint}/{pair.interface}/{pair.mlip}"


def mark_superseded(campaign: str, pairs: list[tuple[Any, Any]]) -> None:
    """Say of every pair in the graph whether this file means something else by its labels, see ``names.SUPERSEDED``."""
    from aiida import orm

    from ..query.graph import pair_query

    meant = {(pair.interface, pair.mlip, pair.seed): pair_fingerprint(pair) for pair, _ in pairs}
    labels = [f"extras.falsemetal_{key}" for key in (*EXTRAS[1:], "fingerprint")]
    for pk, marked, *of, fingerprint in pair_query(campaign, ["id", f"extras.{SUPERSEDED}", *labels]).all():
        other = tuple(of) in meant and meant[tuple(of)] != fingerprint
        if other != bool(marked):
            orm.load_node(pk).base.extras.set(SUPERSEDED, other)


def missing_pairs(pairs: list[tuple[Any, Any]], known: Known) -> list[tuple[Any, Any]]:
    """Pairs with no finished or active node."""
    there = known.finished | known.active
    return [(pair, model) for pair, model in pairs if pair_fingerprint(pair) not in there]


def submit_screen(campaign: Any, missing: list[tuple[Any, Any]], machine: Machine | None = None) -> Any:
    """Submit a ScreenWorkChain for the missing pairs; returns its node.

    The extras by which it is found are stored with it (``ScreenWorkChain.found_by``): were they set here, a command
    that is killed in between would leave pairs that the next one submits once more.

    :param machine: where the jobs run, see :func:`pair_builder`.
    """
    from aiida import engine

    made = Made()
    builder = screen_builder(campaign, missing, machine, made)
    made.store_planned()
    return engine.submit(builder)


def screen_builder(
    campaign: Any, missing: list[tuple[Any, Any]], machine: Machine | None = None, made: Made | None = None
) -> Any:
    """Builder of a ScreenWorkChain. Nothing is stored: whatever can be refused is refused before the first node.

    :param machine: where the jobs run, see :func:`pair_builder`.
    :param made: nodes that several pairs share; of a large campaign also those that it has to store before the builder
        is submitted (:meth:`Made.store_planned`).
    :raises click.ClickException: if a code or the pseudopotentials are not set up, or the inputs of a pair do not fit.
    """
    from aiida.plugins import WorkflowFactory

    machine, made = machine or find_machine(), made or Made()
    from ..workflows.plan import planned_nodes
    from ..workflows.pseudos import decided_once
    from ..workflows.screen import MAX_PAIRS

    with decided_once():
        builders = {
            f"{number:07d}": pair_builder(campaign, pair, model, machine, made)
            for number, (pair, model) in enumerate(missing, start=1)
        }

    screen = WorkflowFactory("falsemetal.screen")
    builder = screen.get_builder_from_protocol(
        campaign.model_dump(mode="json"), builders, min(MAX_PAIRS, pairs_that_fit(), max(1, len(missing)))
    )
    builder.metadata.label = campaign.name
    if "plan" in builder:
        made.planned = list(planned_nodes(builders))
    return builder


class Made:
    """Nodes that several pairs share and that are not stored yet: made once, so that each is stored once.

    ``planned`` are those of a plan: a workchain's inputs are stored with it, but not what a plan only names.
    """

    def __init__(self) -> None:
        self._nodes: dict[tuple[str, str], Any] = {}
        self.planned: list[Any] = []

    def store_planned(self) -> None:
        """Store the nodes of a plan. A command that is killed meanwhile leaves some behind, to which nothing refers."""
        for node in self.planned:
            node.store()

    def share(self, builder: Any) -> None:
        """Let a pair have the settings (every Dict of the same content) that another one has."""
        from aiida import orm

        for name, node in dict(builder).items():
            if isinstance(node, orm.Dict) and not node.is_stored:
                content = json.dumps(node.get_dict(), sort_keys=True)
                builder[name] = self._nodes.setdefault((name, content), node)

    def once(self, kind: str, name: str, make: Callable[[], Any]) -> Any:
        """The node called ``name``, made where it is wanted for the first time."""
        if (kind, name) not in self._nodes:
            self._nodes[kind, name] = make()
        return self._nodes[kind, name]


def pair_builder(campaign: Any, pair: Any, model: Any, machine: Machine | None = None, made: Made | None = None) -> Any:
    """Builder of one PairWorkChain, its inputs checked as the process will check them; nothing is stored.

    :param pair: a ``campaign.expand.Pair``, or a ``TrajectoryPair``, for which ``model`` is None.
    :param machine: where the jobs run, by default :func:`.machine.find_machine`'s. MD whose MLIP names a ``code`` in
        the campaign file runs where that is.
    :param made: nodes that are shared with other pairs.
    :raises click.ClickException: if a code is not set up, or the settings do not fit.
    """
    machine, made = machine or find_machine(), made or Made()
    try:
        builder = (
            _trajectory_builder(campaign, pair, machine)
            if model is None
            else _own_builder(campaign, pair, model, machine, made)
        )
    except ValueError as error:
        raise click.ClickException(str(error)) from error
    made.share(builder)
    refuse_inputs(builder, f"{pair.interface} x {pair.mlip} x seed {pair.seed}")
    return builder


def refuse_inputs(builder: Any, what: str) -> None:
    """Have a process check its inputs now. It would do so when it is made, inside of a workchain that runs already.

    :param what: what they are of, for the message.
    :raises click.ClickException: saying what does not fit.
    """
    ports = builder.process_class.spec().inputs
    fault = ports.validate(ports.pre_process(dict(builder)))
    if fault is not None:
        raise click.ClickException(f"{what}: {' '.join(str(fault.message).split())} ({fault.port}).")


def _own_builder(campaign: Any, pair: Any, model: Any, machine: Machine, made: Made) -> Any:
    """Builder of a pair that starts with its MD."""
    from aiida.plugins import WorkflowFactory

    from ..data.mlip import MlipData
    from .structures import structure_node

    md = {key: value for key, value in pair.md.items() if key not in MD_ONLY}
    md_code = load_code(_md_code(campaign, pair, machine))

    def mlip() -> Any:
        facts = model.facts.as_dict()
        return MlipData.find_or_make(pair.path, pair.family, pair.kwargs, facts, pair.mlip, accepted=model.accepted)

    def structure() -> Any:
        return None if pair.structure is None else structure_node(pair.structure)

    return WorkflowFactory("falsemetal.pair").get_builder_from_protocol(
        md_code,
        load_code(machine.code("pw")),
        made.once("mlip", pair.mlip, mlip),
        pair.recipe,
        pair.parameters,
        structure=made.once("structure", pair.interface, structure),
        steps=md.pop("steps"),
        seed=pair.seed,
        protocol=pair.gap["protocol"],
        codes=property_codes([*gap_overrides(pair.gap).get("properties", []), *_needed(pair)], machine),
        overrides={
            "md": md,
            "md_options": {
                **machine_of(md_code.computer).md_options(campaign.slots, pair.md),
                "keep": campaign.keep,
            },
            **_overrides(campaign, pair, pair.md["equilibration"], machine),
        },
        labels=_labels(campaign, pair),
    )


def _md_code(campaign: Any, pair: Any, machine: Machine) -> str:
    """Label of the Python of a pair's MD: the one that the campaign file names, else that of its environment."""
    named = campaign.mlips[pair.mlip].code
    if named is not None:
        return str(named)
    return machine.own(pair.code) if pair.code else machine.code("python-mlip")


def _trajectory_builder(campaign: Any, pair: Any, machine: Machine) -> Any:
    """Builder of a pair whose trajectory is there already."""
    from aiida.plugins import WorkflowFactory

    from .trajectories import load_trajectory

    found = load_trajectory(pair.trajectory.node)
    needed = ["layers"] if pair.trajectory.metal else []
    return WorkflowFactory("falsemetal.pair").get_builder_from_trajectory(
        load_code(machine.code("pw")),
        found.trajectory,
        found.series,
        found.interface,
        found.interface_info,
        md={
            "temperature": pair.trajectory.temperature,
            "timestep": pair.trajectory.timestep,
            "steps": pair.trajectory.steps,
        },
        seed=pair.seed,
        mlip=found.mlip,
        protocol=pair.gap["protocol"],
        codes=property_codes([*gap_overrides(pair.gap).get("properties", []), *needed], machine),
        overrides=_overrides(campaign, pair, pair.equilibration, machine),
        labels=_labels(campaign, pair),
    )


def _overrides(campaign: Any, pair: Any, equilibration: float | str, machine: Machine) -> dict[str, dict[str, Any]]:
    """What the campaign says of selection and gap, as a builder's ``overrides``."""
    return {
        "selection": {**pair.selection, "equilibration": equilibration},
        "thresholds": {"acceptable": campaign.verdict.acceptable, "rhat": campaign.verdict.rhat},
        "gap": gap_overrides(pair.gap),
        "pw_options": {**machine.pw_options(campaign.slots, pair.gap["ranks"]), "keep": campaign.keep},
    }


def _labels(campaign: Any, pair: Any) -> dict[str, Any]:
    """What a pair goes by."""
    return {
        "campaign": campaign.name,
        "interface": pair.interface,
        "mlip": pair.mlip,
        "seed": pair.seed,
        "fingerprint": pair_fingerprint(pair),
    }


def _needed(pair: Any) -> list[str]:
    """The property without which a film on a metal has no gap."""
    from ..interfaces.registry import recipe_has_metal

    atoms = None if pair.structure is None else pair.structure.atoms
    return ["layers"] if recipe_has_metal(pair.recipe, pair.parameters, atoms) else []


def gap_overrides(gap: dict[str, Any]) -> dict[str, Any]:
    """Keys of the gap protocol that a campaign's ``gap`` changes."""
    overrides = dict(gap["overrides"])
    if gap.get("properties"):
        overrides["properties"] = gap["properties"]
    for key in ("pseudo_family", "functional"):
        if gap.get(key):
            overrides[key] = gap[key]
    return overrides


def property_codes(properties: Iterable[str], machine: Machine | None = None) -> dict[str, Any]:
    """The codes that properties of a frame need, by the names of GapWorkChain's inputs; unknown properties need none.

    :param machine: where they are, by default this one.
    :raises click.ClickException: if one is not set up.
    """
    from ..workflows.properties import PROPERTY_CODES

    names = {name for given in properties for name in PROPERTY_CODES.get(given, ())}
    return {name: load_code((machine or Machine()).code(name.removesuffix("_code"))) for name in sorted(names)}


def load_code(label: str) -> Any:
    """An AiiDA code.

    :raises click.ClickException: if it is not set up.
    """
    from aiida import orm
    from aiida.common.exceptions import MultipleObjectsError, NotExistent

    try:
        return orm.load_code(label)
    except (NotExistent, MultipleObjectsError) as error:
        computer = label.partition("@")[2]
        there = "" if computer in ("", HERE) else f" --computer {computer}` with its other options, see docs/cluster.md"
        remedy = f"run `falsemetal setup{there or '`'}"
        raise click.ClickException(f"the AiiDA code {label!r} cannot be loaded ({error}); {remedy}.") from error
