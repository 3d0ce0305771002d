"""What `falsemetal twins` prints at its end: the labels by source, and the twins with their errors, files and cards."""

from __future__ import annotations

import json
from typing import Any

import click


def show(content: Any) -> None:
    """Print the labels by source."""
    from ..query.twins import by_source, label_rows, sample_rows
    from .common import print_rows

    for row in sample_rows(content.name):
        if row["reason"]:
            click.echo(f"SampleWorkChain<{row['pk']}>: {row['reason']}", err=True)
    table = []
    for (source, number), own in by_source(label_rows(content.name)).items():
        drops = [abs(row["drop"]) for row in own if row["drop"] is not None]
        gaps = [row["gap"] for row in own if row["gap"] is not None]
        table.append(
            {
                "source": source,
                **({"round": number} if content.rounds.number else {}),
                "labels": sum(row["exit_code"] == 0 for row in own),
                "metallic": sum(bool(row["metallic"]) for row in own),
                "failed": sum(row["exit_code"] != 0 for row in own),
                "largest drop (V)": max(drops, default=None),
                "smallest gap (eV)": min(gaps, default=None),
                "core-hours": sum(row["wall_seconds"] or 0.0 for row in own) * content.label.ranks / 3600.0,
            }
        )
    print_rows(table, "table")


def show_twins(content: Any) -> None:
    """Print the errors, write the models' files and cards, and say how a campaign uses them."""
    from ..query.cards import twin_card
    from ..query.twins import trained_twins
    from ..report.card import model_card
    from .common import print_rows, results_folder

    made = trained_twins(content.name)
    if made is None:
        return
    rows = []
    for name, errors in made.errors.items():
        for row in errors["rows"]:
            if row["part"] != "train" or row["source"] == "all":
                rows.append({"twin": name.replace("_", "-"), **row})
    click.echo("errors in meV/Å and meV an atom; test frames are held out")
    print_rows(rows, "table")
    for name, errors in made.errors.items():
        for part, found in errors["slopes"].items():
            click.echo(f"{name.replace('_', '-')}, missing-energy slope, {part} films: {_slope(found)}")
    folder = results_folder("twins") / content.name
    folder.mkdir(parents=True, exist_ok=True)
    click.echo("in a campaign file in this folder:\nmlips:")
    for kind, node in made.models.items():
        # The checksum in the name: a later training does not replace an earlier one's file.
        path = folder / f"{node.label}-{node.sha256[:8]}.model"
        path.write_bytes(node.get_content(mode="rb"))
        path.with_suffix(".md").write_text(model_card(twin_card(made, kind)), encoding="utf-8")
        facts = node.facts
        given = {"family": node.family, "file": str(path), "kwargs": node.kwargs}
        given.update({key: facts[key] for key in ("licence", "reference") if facts.get(key)})
        click.echo(f"  {node.label}: {json.dumps(given, ensure_ascii=False)}  # MlipData<{node.pk}>")


def _slope(found: dict[str, Any]) -> str:
    if found["slope"] is None:
        return str(found["says"])
    return (
        f"{found['slope']:.2f} [{found['low']:.2f}, {found['high']:.2f}] of {found['frames']} frames; {found['says']}"
    )
