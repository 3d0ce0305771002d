"""The card of a twin: what it is, what it was trained on, how far it can be trusted, and where it comes from.

After M. Mitchell et al., Model Cards for Model Reporting, Proc. FAT* '19, 220 (2019): details, training data,
evaluation, limits. Everything is what the graph has recorded; what it has not is left out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .text import count, interval, number, significant

PARTS = {"test": "held out", "valid": "watched the training", "train": "trained on"}


def model_card(card: Mapping[str, Any]) -> str:
    """Markdown.

    :param card: see :func:`...query.cards.twin_card`; plain.
    """
    facts, label = card["facts"], card["label"]
    kind = "long-ranged" if facts.get("long_ranged") else "short-ranged"
    lines = [
        f"# {label}",
        "",
        f"The {kind} one of two matched MLIPs: trained on the same labels, with the same split, settings and seed as "
        f"its twin {card['twin']}; the two differ in their range alone. "
        "Made by `falsemetal twins` to show what a missing long-ranged term does at an interface.",
        "",
        *_details(card),
        *_labels(card),
        *_training(card),
        *_evaluation(card),
        *_limits(card),
        *_origin(card),
    ]
    return "\n".join(lines).rstrip() + "\n"


def markdown_table(headings: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Lines of a table in Markdown; a bar in a cell does not end it."""
    cells = [[str(cell).replace("|", "\\|") for cell in row] for row in rows]
    return [f"| {' | '.join(row)} |" for row in ([*headings], ["---"] * len(headings), *cells)]


def _details(card: Mapping[str, Any]) -> list[str]:
    facts = card["facts"]
    rows = [
        ("family", card["family"]),
        ("elements", ", ".join(facts["elements"])),
        ("cutoff, layers", f"{facts['cutoff']:g} Å, {facts['layers']}"),
        ("receptive field", f"{facts['receptive_field']:g} Å" if facts.get("receptive_field") else None),
        ("long-ranged", "yes" if facts.get("long_ranged") else "no"),
        *[(key, f"`{value}`") for key, value in card["kwargs"].items()],
        ("precision", facts.get("precision")),
        ("file", f"`{card['file']}`, {card['bytes'] / 1e6:.2f} MB, SHA-256 `{card['sha256']}`"),
        ("licence", facts.get("licence") or "none given: ask who made it"),
    ]
    return ["## The model", "", *markdown_table(("", ""), [row for row in rows if row[1]]), ""]


def _labels(card: Mapping[str, Any]) -> list[str]:
    dft, split = card["dft"], card["split"]
    rows = [
        (
            source["source"],
            source["round"] or "–",
            source["atoms"],
            ", ".join(f"{kelvin:g}" for kelvin in source["temperatures"]),
            source["labels"],
            number(source["largest_drop"]),
            ", ".join(source["samplers"]),
        )
        for source in card["sources"]
    ]
    headings = ("source", "round", "atoms", "K", "labels", "largest drop (V)", "moved by")
    return [
        "## Trained on",
        "",
        f"{count(split['usable'], 'label')} of {dft['functional']}: energies and forces by pw.x, "
        f"{dft['ecutwfc']:g} Ry, {dft['pseudo_family']}, Γ point; {split['train']} trained on, "
        f"{split['valid']} watched the training, {split['test']} held out. "
        f"{count(split['metallic'], 'metallic label')} left out.",
        "",
        *markdown_table(headings, rows),
        "",
    ]


def _training(card: Mapping[str, Any]) -> list[str]:
    given = ", ".join(f"`{key}` {value}" for key, value in card["training"].items())
    hours = card["training_seconds"] / 3600.0
    least = "" if card["training_whole"] else "at least "
    cost = f"{least}{significant(hours)} h on {card['threads']} core(s)"
    return ["## Training", "", f"mace_run_train, {cost}: {given}.", ""]


def _evaluation(card: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            PARTS.get(row["part"], row["part"]),
            row["source"],
            row["frames"],
            number(row["force_rmse"], 1),
            number(row["force_mae"], 1),
            number(row["energy_rmse"], 2),
        )
        for row in card["errors"]
    ]
    headings = ("", "source", "labels", "force RMSE (meV/Å)", "force MAE (meV/Å)", "energy RMSE (meV/atom)")
    slopes = [
        f"- {part}: {interval(found['slope'], found['low'], found['high'])} "
        f"({count(found['frames'], 'film')}); {found['says']}."
        for part, found in card["slopes"].items()
    ]
    return [
        "## Errors",
        "",
        *markdown_table(headings, rows),
        "",
        "Force RMSE by what moved the configurations. A short-ranged MLIP leads to films whose field a short-ranged "
        "model cannot see:",
        "",
        *_by_sampler(card["by_sampler"]),
        "",
        "Missing-energy slope, E(DFT) − E(MLIP) against the energy that a film's dipole costs "
        "(1: all of it is missing):",
        "",
        *slopes,
        "",
    ]


def _by_sampler(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    parts = [f"{PARTS[part]}: labels, meV/Å" for part in ("test", "train")]
    headings = ("", "moved by", "K", "smallest gap (eV)", *parts)
    cells = [
        (
            "bulk" if row["bulk"] else "film",
            row["sampler"],
            ", ".join(f"{kelvin:g}" for kelvin in row["temperatures"]),
            number(row["smallest_gap"]),
            *(f"{row[f'{part}_frames']}, {number(row[f'{part}_rmse'], 1)}" for part in ("test", "train")),
        )
        for row in rows
    ]
    return markdown_table(headings, cells)


def _limits(card: Mapping[str, Any]) -> list[str]:
    kelvin = sorted({value for source in card["sources"] for value in source["temperatures"]})
    lines = [
        f"- {', '.join(card['facts']['elements'])} as in the sources above, {kelvin[0]:g} to {kelvin[-1]:g} K; "
        "nothing else was seen.",
        "- Labels have no stress: for NVT only.",
        "- Held-out labels of the sources are from the trajectories that were trained on, a correlation time apart; "
        "those of active rounds are from trajectories of their own, of the same sources. Judge it by MD.",
        f"- Films with a drop, or a range of the potential inside, beyond {card['dft']['max_drop']:g} V "
        "were not labelled.",
    ]
    if not card["facts"].get("long_ranged"):
        lines.append(
            "- Without a long-ranged term: not for polar liquids at interfaces. That is what it is there to show."
        )
    return ["## Limits", "", *lines, ""]


def _origin(card: Mapping[str, Any]) -> list[str]:
    rows = [(name, f"`{uuid}`") for name, uuid in card["nodes"].items()]
    versions = ", ".join(f"{name} {version}" for name, version in card["versions"].items())
    return ["## Where it comes from", "", *markdown_table(("node", "UUID"), rows), "", f"Trained with {versions}."]
