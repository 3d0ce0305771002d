"""The verdicts of a campaign: each interface's gap law, and each interface and MLIP judged from all its seeds.

These are calcfunctions on what finished pairs have left; nothing is computed twice, and nothing of a pair is changed.
A campaign is concluded when its ScreenWorkChain ends, and anew whenever its thresholds, its reference or this package's
rules change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from aiida import orm

from ..calculations.verdict import RULES, THRESHOLDS, cell_verdict, interface_law
from ..names import ASKED, CAMPAIGN_GROUP, CELL, ENDED, EXTRAS, LAW, OLDEST_FIRST, SUPERSEDED, pair_rank
from .pair import PairWorkChain

MD_KEYS = ("temperature", "precision", "dipole_charges")


@dataclass(frozen=True)
class JudgedPair:
    """A pair of the campaign, ended or not.

    :param verdict: its verdict; None where it has left none.
    :param judgeable: whether the verdict has what several seeds are judged from, which those of versions before there
        were estimates lack.
    """

    node: orm.WorkChainNode
    interface: str
    mlip: str
    seed: int
    verdict: orm.Dict | None
    judgeable: bool

    @classmethod
    def of(cls, node: orm.WorkChainNode, verdict: orm.Dict | None, interface: str, mlip: str, seed: int) -> JudgedPair:
        """With what the graph has of its verdict."""
        whole = verdict is not None and "computed_frames" in verdict.keys()
        return cls(node, interface, mlip, seed, verdict, whole)

    @property
    def ended(self) -> bool:
        """Whether nothing more will come of it."""
        return self.node.process_state is not None and self.node.process_state.value in ENDED


def conclude_campaign(campaign: str, settings: Mapping[str, Any] | None = None) -> list[str]:
    """Judge every interface and MLIP all of whose pairs have ended, and calibrate every interface's gap law.

    :param settings: ``acceptable``, ``rhat`` and ``reference`` (an MLIP's label, or None), as a campaign file's
        ``verdict`` has them.
    :return: sentences on what could not be judged.
    """
    given = {**THRESHOLDS, **(settings or {})}
    reference = given.pop("reference", None)
    cells: dict[tuple[str, str], list[JudgedPair]] = {}
    for pair in _latest(campaign):
        cells.setdefault((pair.interface, pair.mlip), []).append(pair)
    _laws(campaign, cells)
    faults = []
    judged: dict[tuple[str, str], orm.Dict] = {}
    ended = [key for key, pairs in cells.items() if all(pair.ended for pair in pairs)]
    # The reference first: the others are held against it.
    for key in sorted(ended, key=lambda key: (key[1] != reference, key)):
        beside = judged.get((key[0], str(reference))) if key[1] != reference else None
        name = reference if key[1] != reference else None
        try:
            found = _cell(campaign, cells[key], given, name, beside)
        except ValueError as error:
            faults.append(f"{key[0]} x {key[1]}: {error}")
            continue
        if found is not None:
            judged[key] = found
    return faults


def _latest(campaign: str) -> list[JudgedPair]:
    """Of pairs with the same labels the one that counts, as of :func:`..query.graph.latest_pairs`."""
    query = orm.QueryBuilder()
    names = [f"extras.{SUPERSEDED}", *(f"extras.falsemetal_{key}" for key in EXTRAS[1:])]
    filters = {"extras.falsemetal_campaign": campaign}
    query.append(PairWorkChain, filters=filters, project=["*", *names], tag="pair")
    query.order_by([{"pair": OLDEST_FIRST}])
    best: dict[tuple[Any, ...], tuple[tuple[bool, bool, bool], orm.WorkChainNode]] = {}
    for node, old, *labels in query.iterall():
        key, rank = tuple(labels), pair_rank(bool(old), node.exit_status)
        if key not in best or rank >= best[key][0]:
            best[key] = rank, node
    verdicts = _verdicts(campaign)
    return [JudgedPair.of(node, verdicts.get(node.pk), *key) for key, (_, node) in sorted(best.items())]


def _verdicts(campaign: str) -> dict[int, orm.Dict]:
    """Verdicts by the pk of their pair, in one query: to ask every pair for its outputs takes minutes with 10,000."""
    query = orm.QueryBuilder()
    filters = {"extras.falsemetal_campaign": campaign}
    query.append(PairWorkChain, filters=filters, project=["id"], tag="pair")
    query.append(orm.Dict, with_incoming="pair", edge_filters={"label": {"like": "verdict"}}, project=["*"])
    return dict(query.iterall())


def _laws(campaign: str, cells: Mapping[tuple[str, str], list[JudgedPair]]) -> None:
    """One gap law an interface, from the frames of all its pairs."""
    for interface in dict.fromkeys(interface for interface, _ in cells):
        verdicts = {
            f"verdict_{pair.verdict.uuid.replace('-', '')}": pair.verdict
            for key, pairs in cells.items()
            for pair in pairs
            if key[0] == interface and pair.judgeable and pair.verdict is not None
        }
        labels = {"kind": LAW, "campaign": campaign, "interface": interface}
        if verdicts:
            _run_once(interface_law, labels, verdicts)


def _cell(
    campaign: str, pairs: list[JudgedPair], given: dict[str, Any], reference: str | None, beside: orm.Dict | None
) -> orm.Dict | None:
    """The verdict on one interface and MLIP; None where no pair left anything to judge.

    :raises ValueError: as :func:`..calculations.verdict.cell_verdict`.
    """
    whole = [pair for pair in pairs if pair.judgeable]
    if not whole:
        return None
    first = whole[0].node
    nodes: dict[str, orm.Data] = {}
    for pair in whole:
        nodes[f"verdict_{pair.seed}"] = pair.verdict
        if "series" in pair.node.outputs:
            nodes[f"series_{pair.seed}"] = pair.node.outputs.series
    if beside is not None:
        nodes["reference"] = beside
    md = first.inputs.md.get_dict()
    parameters = {
        **{key: md.get(key) for key in MD_KEYS},
        "equilibration": first.inputs.selection.get_dict()["equilibration"],
        "facts": first.inputs.mlip.facts if "mlip" in first.inputs else None,
        "missing": [_lost(pair) for pair in pairs if not pair.judgeable],
        "reference_name": reference,
        **given,
    }
    labels = {"kind": CELL, "campaign": campaign, "interface": pairs[0].interface, "mlip": pairs[0].mlip}
    inputs = {"info": first.outputs.interface_info, "parameters": orm.Dict(parameters), **nodes}
    return _run_once(cell_verdict, labels, inputs)


def _lost(pair: JudgedPair) -> str:
    """A sentence on a pair that left nothing to judge."""
    if pair.verdict is not None:
        return f"Seed {pair.seed} was judged by an older version, which kept no estimates."
    return f"Seed {pair.seed}: {pair.node.exit_message or 'it ended without a word'}"


def _run_once(function: Any, labels: Mapping[str, str], inputs: Mapping[str, Any]) -> orm.Dict:
    """Run a calcfunction, unless the campaign has its result on these very inputs, by these rules, already."""
    content = {name: node.get_dict() if not node.is_stored else node.uuid for name, node in inputs.items()}
    asked_for = json.dumps({"of": dict(labels), "from": content, "rules": RULES}, sort_keys=True)
    key = hashlib.sha256(asked_for.encode()).hexdigest()
    query = orm.QueryBuilder()
    query.append(orm.CalcFunctionNode, filters={"extras.falsemetal_conclusion": key}, tag="function")
    query.append(orm.Dict, with_incoming="function")
    query.limit(1)
    known = query.first(flat=True)
    # What was asked for last is what counts, also where it had been computed before something else was asked.
    asked = {ASKED: datetime.now(tz=UTC).isoformat()}
    if known is not None:
        known.creator.base.extras.set_many(asked)
        return known
    result, node = function.run_get_node(**inputs)
    extras = {f"falsemetal_{name}": value for name, value in labels.items()}
    node.base.extras.set_many({**extras, **asked, "falsemetal_conclusion": key})
    node.label = " x ".join(labels[name] for name in ("interface", "mlip") if name in labels)
    group, _ = orm.Group.collection.get_or_create(label=CAMPAIGN_GROUP + labels["campaign"])
    group.add_nodes([node, result])
    return result
