"""Twins in the graph: their sampling runs, labels and trainings as rows, and how long the rest will take."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiida import orm

from ..names import ENDED, NEWEST_FIRST, OLDEST_FIRST, TWINS_GROUP
from .logs import MD_LOG, clean, job_texts

LABEL_SECONDS = 60.0
LABEL_ATOMS = 72
"""Until a label is there to measure: 24 waters at 50 Ry on one core (docs/twins.md), and the square of the atoms."""
RECENT = 20
"""Labels whose mean says how long the next ones take: what else a machine has to do changes."""
LABEL_KEYS = (
    *("source", "sampler", "temperature", "step", "atoms", "bulk", "chosen_for", "contact", "Mz", "expected_drop"),
    *("energy", "dipole", "drop", "gap", "metallic", "usable", "largest_force", "functional", "ecutwfc"),
    *("scf_iterations", "wall_seconds", "attempt", "exit_code", "exit_message", "fingerprint", "round", "disagreement"),
    *("residual", "potential_range"),
)
"""Keys of a label that its row has."""


def _chains(name: str, kind: str, project: list[str]) -> orm.QueryBuilder:
    """A query that starts at the workchains of a kind in the group of the twins ``name``, tagged ``chain``."""
    query = orm.QueryBuilder()
    query.append(orm.Group, filters={"label": TWINS_GROUP + name}, tag="group")
    filters = {"process_type": f"aiida.workflows:falsemetal.{kind}"}
    query.append(orm.WorkChainNode, with_group="group", filters=filters, tag="chain", project=project)
    return query


def label_rows(name: str, settings: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
    """One row for each label of the twins ``name``, failed ones included; of labels made again, the newest.

    A row has ``LABEL_KEYS``, ``label_pk`` (the Dict) and ``pk`` (of the LabelWorkChain).

    :param settings: keys of a label and what they must be; labels at other settings, which the file had before, are
        left out. None for all.
    """
    query = _chains(name, "label", ["id"])
    query.append(
        orm.Dict, with_incoming="chain", edge_filters={"label": "label"}, project=["id", "attributes"], tag="label"
    )
    query.order_by([{"chain": OLDEST_FIRST}])
    newest: dict[str, dict[str, Any]] = {}
    for pk, label_pk, content in query.iterall():
        if settings is not None and any(not same(content.get(key), value) for key, value in settings.items()):
            continue
        row = {**{key: content.get(key) for key in LABEL_KEYS}, "label_pk": label_pk, "pk": pk}
        before = newest.get(row["fingerprint"])
        if before is None or row["exit_code"] == 0 or before["exit_code"] != 0:
            newest[row["fingerprint"]] = row
    return sorted(newest.values(), key=lambda row: (str(row["source"]), row["temperature"] or 0.0, row["step"] or 0))


def same(stored: Any, wanted: Any) -> bool:
    """Whether two values are the same, but for the last digits of numbers, which AiiDA rounds on storing."""
    if isinstance(stored, dict) and isinstance(wanted, dict):
        return set(stored) == set(wanted) and all(same(stored[key], wanted[key]) for key in stored)
    if isinstance(stored, (int, float)) and isinstance(wanted, (int, float)):
        return math.isclose(stored, wanted, rel_tol=1e-12)
    return bool(stored == wanted)


def by_source(rows: Sequence[dict[str, Any]]) -> dict[tuple[Any, int], list[dict[str, Any]]]:
    """Rows of labels by source and round (0: the file's own sources), in the order in which they first appear."""
    found: dict[tuple[Any, int], list[dict[str, Any]]] = {}
    for row in rows:
        found.setdefault((row["source"], row["round"] or 0), []).append(row)
    return found


def sample_rows(name: str) -> list[dict[str, Any]]:
    """One row for each sampling run: ``fingerprint``, ``round`` (None of the file's sources), ``state``,
    ``exit_status``, and of its selection ``chosen``, ``asked``, ``too_polar`` and ``reason``; the newest of each
    fingerprint."""
    own = [f"extras.falsemetal_{key}" for key in ("fingerprint", "round")]
    query = _chains(name, "sample", ["id", *own, "attributes.process_state", "attributes.exit_status"])
    query.append(
        orm.Dict,
        with_incoming="chain",
        edge_filters={"label": "selection"},
        project=["attributes"],
        outerjoin=True,
    )
    query.order_by([{"chain": OLDEST_FIRST}])
    found: dict[str, dict[str, Any]] = {}
    for pk, fingerprint, number, state, status, selection in query.iterall():
        kept = {key: (selection or {}).get(key) for key in ("chosen", "asked", "too_polar", "reason")}
        said = {"round": number, "state": state, "exit_status": status}
        found[fingerprint] = {"pk": pk, "fingerprint": fingerprint, **said, **kept}
    return list(found.values())


@dataclass(frozen=True)
class Part:
    """How far the sources of a pair of twins are, or its active rounds.

    :param runs: sampling runs that have ended well; ``runs_failed`` those that have not.
    :param asked: configurations that are asked for, less what ended runs could not give.
    :param labels: labels that are there, the unusable among them: ``metallic``.
    :param failed: labels without energy.
    """

    runs: int
    runs_failed: int
    asked: int
    labels: int
    metallic: int
    failed: int

    @property
    def missing(self) -> int:
        """Labels that are still to come."""
        return max(0, self.asked - self.labels - self.failed)


@dataclass(frozen=True)
class Progress:
    """How far a pair of twins is.

    :param sources: the file's sources.
    :param active: its active rounds; of rounds with other settings too, if there were such.
    :param seconds: core-seconds that the missing labels take at the speed of the last ones.
    """

    sources: Part
    active: Part
    seconds: float

    @property
    def missing(self) -> int:
        """Labels that are still to come."""
        return self.sources.missing + self.active.missing


def twins_progress(
    name: str,
    fingerprints: dict[str, int],
    atoms: int,
    most: int | None = None,
    active: Sequence[int] = (),
    outliers: int = 0,
    settings: Mapping[str, Any] | None = None,
    sources: Collection[str] | None = None,
) -> Progress:
    """How far the twins ``name`` are.

    :param fingerprints: of the file's sampling runs, and how many configurations each is asked for.
    :param atoms: of a typical configuration, for a guess of a label's time.
    :param most: labels of the sources at most.
    :param active: how many configurations each run of the active rounds is asked for.
    :param outliers: frames of campaigns; counted with the sources.
    :param settings: as of :func:`label_rows`.
    :param sources: names of the file's sources and outliers; None for whatever there is.
    """
    samples, rows = sample_rows(name), label_rows(name, settings)
    if sources is not None:
        # A source of outliers is NAME/INTERFACE.
        rows = [row for row in rows if str(row["source"]).partition("/")[0] in sources]
    first = [row for row in samples if row["fingerprint"] in fingerprints]
    ended = {row["fingerprint"] for row in first if row["state"] in ENDED}
    later = [count for digest, count in fingerprints.items() if digest not in ended]
    own = _part(first, later, [row for row in rows if row["round"] is None], most, outliers)
    rounds = [row for row in samples if row["round"] is not None]
    done = sum(row["state"] in ENDED for row in rounds)
    moved = _part(rounds, active[done:], [row for row in rows if row["round"] is not None], None)
    made = sorted((row for row in rows if row["exit_code"] == 0 and row["wall_seconds"]), key=lambda row: row["pk"])
    walls = [row["wall_seconds"] for row in made[-RECENT:]]
    each = sum(walls) / len(walls) if walls else LABEL_SECONDS * (atoms / LABEL_ATOMS) ** 2
    return Progress(own, moved, (own.missing + moved.missing) * each)


def _part(
    samples: list[dict[str, Any]],
    later: Sequence[int],
    labels: list[dict[str, Any]],
    most: int | None,
    more: int = 0,
) -> Part:
    """Counts of rows.

    :param later: configurations that each run is asked for which has not ended.
    :param more: configurations of no sampling run.
    """
    ended = [row for row in samples if row["state"] in ENDED]
    well = [row for row in ended if row["exit_status"] == 0]
    asked = sum(row["chosen"] or 0 for row in well) + sum(later)
    done = [row for row in labels if row["exit_code"] == 0]
    failed = len(labels) - len(done)
    asked = more + (asked if most is None else min(asked, most))
    metallic = sum(not row["usable"] for row in done)
    return Part(len(well), len(ended) - len(well), asked, len(done), metallic, failed)


def is_active(name: str) -> bool:
    """Whether a TwinWorkChain of that name has not ended."""
    return bool(_under_way(name).count())


def _under_way(name: str) -> orm.QueryBuilder:
    """A query that starts at the TwinWorkChains of that name that have not ended, tagged ``twin``."""
    query = orm.QueryBuilder()
    query.append(
        orm.WorkChainNode,
        filters={
            "process_type": "aiida.workflows:falsemetal.twin",
            "extras.falsemetal_twins": name,
            "attributes.process_state": {"!in": list(ENDED)},
        },
        tag="twin",
    )
    return query


ERRORS = {"short_ranged": "short_ranged_errors", "long_ranged": "long_ranged_errors"}
"""Outputs of a TwinWorkChain: a model, and its errors."""


@dataclass(frozen=True)
class Trained:
    """Twins that have been trained.

    :param pk: of the TwinWorkChain.
    :param content: of the file, as it was given.
    :param labels: how many labels there were, unusable ones among them.
    :param fingerprints: of these.
    :param models: the MlipData of ``short_ranged`` and ``long_ranged``.
    :param errors: of each, see :func:`aiida_falsemetal.calculations.twins.evaluate_twin`.
    """

    pk: int
    content: dict[str, Any]
    labels: int
    fingerprints: frozenset[str]
    models: dict[str, Any]
    errors: dict[str, dict[str, Any]]


def trained_twins(name: str) -> Trained | None:
    """The newest trained twins of that name, None where there are none."""
    query = orm.QueryBuilder()
    query.append(
        orm.WorkChainNode,
        filters={
            "process_type": "aiida.workflows:falsemetal.twin",
            "extras.falsemetal_twins": name,
            "attributes.exit_status": 0,
        },
        tag="twin",
        project="*",
    )
    query.append(orm.Data, with_incoming="twin", edge_filters={"label": "long_ranged"})
    query.order_by([{"twin": NEWEST_FIRST}])
    node = query.first(flat=True)
    if node is None:
        return None
    outputs = node.outputs
    split = outputs.split.get_dict()
    return Trained(
        node.pk,
        node.inputs.twins.get_dict(),
        int(split["labels"]),
        frozenset(split["fingerprints"]),
        {key: outputs[key] for key in ERRORS},
        {key: outputs[label].get_dict() for key, label in ERRORS.items()},
    )


def running_training(name: str) -> dict[str, str]:
    """What the trainings under way have said last, by ``short_ranged`` and ``long_ranged``; of jobs on this machine."""
    query = _under_way(name)
    query.append(
        orm.WorkChainNode,
        with_incoming="twin",
        edge_filters={"label": {"like": "train_%"}},
        edge_project="label",
        tag="training",
    )
    query.append(orm.CalcJobNode, with_incoming="training", project="*", tag="job")
    query.order_by([{"job": OLDEST_FIRST}])
    said: dict[str, str] = {}
    for job, label in query.iterall():
        lines = [line for line in job_texts(job).get(MD_LOG, "").splitlines() if line.startswith("epoch")]
        said[label.removeprefix("train_")] = clean(lines[-1]) if lines else "starting"
    return said
