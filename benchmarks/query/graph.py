"""Rows of AiiDA's tables for a campaign of any size: copies of a template's nodes, with numbers drawn for each."""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .template import GAP, Part, Template

INTERFACES = ("cu111", "au111", "pt111", "ag111", "film16", "film32", "slab24", "tio2", "nacl", "ice")
MLIPS = (
    "mace-mp0",
    "mace-off",
    "mace-polar",
    "twin-sr",
    "twin-lr",
    "openmm-sr",
    "openmm-lr",
    "chgnet",
    "orb",
    "sevennet",
)
E_G0, SLOPE, SCATTER, METALLIC = 4.4, 0.9, 0.25, 0.1
"""The gap law that the frames scatter about: eV, eV/V, eV; and the gap (eV) below which a frame is metallic."""
SPREADS = (0.5, 1.2, 2.0, 3.0)
"""Spread (V) of the potential drop of an MLIP's frames; the MLIPs take them in turn."""
FAILED, UNFINISHED = 0.02, 0.01
"""Shares of the frames whose pw.x failed, and that have no result yet."""


@dataclass(frozen=True)
class Labels:
    """What a pair goes by."""

    campaign: str
    interface: str
    mlip: str
    seed: int

    def extras(self) -> dict[str, Any]:
        """As its node has them."""
        names = ("campaign", "interface", "mlip", "seed")
        return {f"falsemetal_{name}": getattr(self, name) for name in names}


def pair_labels(campaign: str, number: int) -> Labels:
    """Labels of pair ``number`` of a campaign: interfaces fastest, then MLIPs, then seeds."""
    seed, cell = divmod(number, len(INTERFACES) * len(MLIPS))
    mlip, interface = divmod(cell, len(INTERFACES))
    return Labels(campaign, INTERFACES[interface], MLIPS[mlip], seed + 1)


@dataclass
class Batch:
    """Rows to insert.

    :param nodes: in the order of :data:`.template.COLUMNS`.
    :param links: in the order of :data:`.template.LINK_COLUMNS`.
    :param pairs: ids of the PairWorkChains, for the group.
    """

    nodes: list[tuple[Any, ...]] = field(default_factory=list)
    links: list[tuple[Any, ...]] = field(default_factory=list)
    pairs: list[int] = field(default_factory=list)


class Copier:
    """Copies of parts, under new ids.

    :param now: creation time of all nodes, as the database takes it.
    :param node: first free id of a node, and
    :param link: of a link.
    :param user: id of the user.
    """

    def __init__(self, now: str, node: int, link: int, user: int) -> None:
        self._now, self._user = now, user
        self._nodes, self._links = itertools.count(node), itertools.count(link)
        self._fixed: dict[tuple[int, int], tuple[str, str]] = {}

    def copy(
        self, part: Part, batch: Batch, rng: random.Random, changes: dict[int, dict[str, Any]], without: set[int]
    ) -> dict[int, int]:
        """Add a copy of ``part`` to ``batch``.

        :param changes: by pk of the template: ``attributes``, ``extras`` or ``label`` to have instead.
        :param without: pks that the copy has no node of.
        :return: id of the copy by pk of the template.
        """
        ids = {pk: next(self._nodes) for pk in part.nodes if pk not in without}
        for pk, new in ids.items():
            row, change = part.nodes[pk], changes.get(pk, {})
            attributes, extras = self._texts(part, pk)
            if "attributes" in change:
                attributes = json.dumps(change["attributes"])
            if "extras" in change:
                extras = json.dumps(change["extras"])
            batch.nodes.append(
                (
                    *(new, f"{rng.getrandbits(128):032x}", row["node_type"], row["process_type"]),
                    *(change.get("label", row["label"]), "", self._now, self._now, attributes, extras),
                    *(row["repository_metadata"], row["computer"], self._user),
                )
            )
        for source, target, label, kind in part.links:
            if source not in without and target not in without:
                self.link(batch, ids.get(source, source), ids.get(target, target), label, kind)
        return ids

    def link(self, batch: Batch, source: int, target: int, label: str, kind: str) -> None:
        """Add one link."""
        batch.links.append((next(self._links), source, target, label, kind))

    def _texts(self, part: Part, pk: int) -> tuple[str, str]:
        key = (part.root, pk)
        if key not in self._fixed:
            row = part.nodes[pk]
            self._fixed[key] = (json.dumps(row["attributes"]), json.dumps(row["extras"]))
        return self._fixed[key]


def pair_batch(template: Template, copier: Copier, labels: Labels, number: int, frames: int) -> tuple[Batch, int]:
    """One pair with its frames.

    :param number: of the pair; with the labels' campaign it decides all that is drawn.
    :return: the rows, and the id of the pair's verdict.
    """
    rng, batch = random.Random(f"{labels.campaign}/{number}"), Batch()
    drawn = [_frame_values(template, rng, labels, 10 * place) for place in range(frames)]
    part = template.pair
    verdict = dict(part.nodes[part.roles["verdict"]]["attributes"])
    verdict.update(_counts([values for values, _ in drawn]))
    named = f"{labels.interface} x {labels.mlip} x {labels.seed}"
    md = {**part.nodes[part.roles["md"]]["attributes"], "seed": labels.seed}
    extras = {**part.nodes[part.root]["extras"], **labels.extras(), "falsemetal_fingerprint": f"{number:064x}"}
    changes = {
        part.root: {"extras": extras, "label": named},
        part.roles["verdict"]: {"attributes": verdict},
        part.roles["md"]: {"attributes": md},
    }
    ids = copier.copy(part, batch, rng, changes, set())
    batch.pairs.append(ids[part.root])
    for values, record in drawn:
        _add_frame(template, copier, batch, rng, ids, values, record)
    return batch, ids[part.roles["verdict"]]


def _add_frame(
    template: Template,
    copier: Copier,
    batch: Batch,
    rng: random.Random,
    ids: dict[int, int],
    values: dict[str, Any] | None,
    record: dict[str, Any],
) -> None:
    part = template.long if values is not None and values["metallic"] else template.plain
    process = part.nodes[part.root]["attributes"]
    without: set[int] = set()
    changes: dict[int, dict[str, Any]] = {part.roles["record"]: {"attributes": record}}
    if values is None:
        without = {part.roles["result"], part.roles["function"]}
        left = {key: value for key, value in process.items() if key not in ("exit_status", "sealed")}
        changes[part.root] = {"attributes": {**left, "process_state": "waiting"}}
    else:
        changes[part.roles["result"]] = {"attributes": values}
        if values["exit_code"]:
            failed = {**process, "exit_status": 401, "exit_message": "no run gave a gap"}
            changes[part.root] = {"attributes": failed}
    made = copier.copy(part, batch, rng, changes, without)
    name = f"{record['step']:08d}"
    copier.link(batch, ids[template.pair.root], made[part.root], f"gap_{name}", "call_work")
    copier.link(batch, ids[template.pair.roles["select"]], made[part.roles["record"]], f"record_{name}", "create")


def _frame_values(
    template: Template, rng: random.Random, labels: Labels, step: int
) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Content of a frame's result, None where there is none, and of its record."""
    spread = SPREADS[MLIPS.index(labels.mlip) % len(SPREADS)]
    drop = rng.gauss(0.0, spread)
    record = dict(template.plain.nodes[template.plain.roles["record"]]["attributes"])
    record.update(step=step, time_ps=step * 2e-3, Mz=0.23 * drop, Mz_per_area=0.0055 * drop, expected_drop=drop)
    record.update(stratum="uniform" if rng.random() < 0.2 else rng.randrange(8), probability=0.1)
    result = template.plain.nodes[template.plain.roles["result"]]["attributes"]
    values = {**result, **record}
    chance = rng.random()
    if chance < UNFINISHED:
        return None, record
    if chance < UNFINISHED + FAILED:
        unknown = dict.fromkeys(("gap", "vbm", "cbm", "fermi", "witness", "metallic", "dipole", "drop", "energy"))
        values.update(unknown, exit_code=410, exit_message="The electronic minimization cycle did not converge.")
        return values, record
    gap = max(0.0, rng.gauss(E_G0 - SLOPE * abs(drop), SCATTER))
    values.update(gap=gap, vbm=-3.0, cbm=-3.0 + gap, fermi=-3.0 + gap / 2, metallic=gap < METALLIC, drop=0.9 * drop)
    values.update(energy=-7454.0 + rng.gauss(0.0, 0.1), wall_seconds=rng.uniform(20.0, 200.0))
    return values, record


def _counts(values: list[dict[str, Any] | None]) -> dict[str, Any]:
    """Of a pair's verdict, what follows from its frames by counting; the rest is the template's."""
    keys = (
        *("step", "Mz", "expected_drop", "drop", "gap", "gap_bound", "metallic", "energy", "energy_mlip"),
        *("functional", "exit_code"),
    )
    known = [frame for frame in values if frame is not None]
    gaps = [frame["gap"] for frame in known if frame["gap"] is not None]
    metallic = sum(bool(frame["metallic"]) for frame in known)
    return {
        "selected": len(values),
        "converged": len(gaps),
        "metallic": metallic,
        "min_gap": min(gaps, default=None),
        "fraction_metallic": metallic / len(gaps) if gaps else None,
        "failed": {"410": len(known) - len(gaps)},
        "computed_frames": [{key: frame[key] for key in keys} for frame in known],
    }


def conclusions(template: Template, copier: Copier, verdicts: dict[Labels, int], campaign: str) -> Iterator[Batch]:
    """Verdicts on all seeds of every interface and MLIP, and the gap law of every interface.

    :param verdicts: id of the verdict of every pair.
    """
    rng, batch = random.Random(f"{campaign}, {len(verdicts)} pairs"), Batch()
    cells: dict[tuple[str, str], list[int]] = {}
    for labels, pk in verdicts.items():
        cells.setdefault((labels.interface, labels.mlip), []).append(pk)
    for (interface, mlip), pks in sorted(cells.items()):
        names = {"falsemetal_interface": interface, "falsemetal_mlip": mlip}
        ids = copier.copy(template.cell, batch, rng, _labelled(template.cell, campaign, names), set())
        for place, pk in enumerate(pks):
            copier.link(batch, pk, ids[template.cell.root], f"verdict_{place}", "input_calc")
    for interface in sorted({interface for interface, _ in cells}):
        changes = _labelled(template.law, campaign, {"falsemetal_interface": interface})
        copier.copy(template.law, batch, rng, changes, set())
    yield batch


def _labelled(part: Part, campaign: str, names: dict[str, str]) -> dict[int, dict[str, Any]]:
    extras = {**part.nodes[part.root]["extras"], **names, "falsemetal_campaign": campaign}
    return {part.root: {"extras": extras}}


def frames_in(batch: Batch) -> int:
    """GapWorkChains among the rows."""
    return sum(row[3] == GAP for row in batch.nodes)
