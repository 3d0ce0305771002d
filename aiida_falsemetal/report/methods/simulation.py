"""Sentences on the interfaces, the MD, the MLIPs and the choice of frames."""

from __future__ import annotations

from collections import Counter
from typing import Any

from ..text import count
from .citations import FAMILIES, named_in
from .prose import amounts, cite, figure, label, listing, paragraph, sentence, span, values

PACKED = ("film", "adsorbed", "confined")
"""Recipes that pack their liquid with Packmol."""
FEW = 6
"""Interfaces and MLIPs up to which each is described."""
HASH = 12
"""Characters of a file's SHA-256 that are given."""

Document = dict[str, Any]
Rows = list[dict[str, Any]]


def interfaces(document: Document) -> str:
    """What was screened."""
    pairs = document["pairs"]
    names, mlips = values(pairs, "interface"), values(pairs, "mlip")
    start = (
        f"False metallization{cite('parker2026')} was looked for with {count(len(mlips), 'interatomic potential')} at "
        f"{count(len(names), 'interface')}"
    )
    recipes = {row["interface"]: row for row in document["settings"].get("recorded", {}).get("recipes", [])}
    told = [_interface(name, pairs, recipes.get(name, {})) for name in names] if len(names) <= FEW else []
    packed = any(row.get("recipe") in PACKED for row in recipes.values())
    return paragraph(
        f"{start}{': ' if told else ''}{'; '.join(told)}.",
        f"Liquids were packed with Packmol{cite('martinez2009')}." if packed else "",
    )


def _interface(name: Any, pairs: Rows, recipe: dict[str, Any]) -> str:
    rows = [row for row in pairs if row["interface"] == name]
    parameters = recipe.get("parameters") or {}
    molecules = values(rows, "molecules")
    solvent = parameters.get("solvent")
    what = f"{count(molecules[0], 'molecule')}{f' of {label(solvent)}' if solvent else ''}" if molecules else ""
    area, thickness = ([value for value in values(rows, key) if value] for key in ("area", "thickness"))
    size = [f"area {span([round(x, 1) for x in area])} Å²"] if area else []
    size += [f"thickness {span([round(x, 1) for x in thickness])} Å"] if thickness else []
    inner = ", ".join(part for part in (what, *size) if part)
    return f"{label(name)} ({inner})" if inner else label(name)


def dynamics(document: Document) -> str:
    """How the trajectories were made."""
    pairs, recorded = document["pairs"], document["settings"].get("recorded", {})
    own = [row for row in pairs if not row.get("imported_from")]
    given = [row for row in pairs if row.get("imported_from")]
    return paragraph(
        _ensemble(own, recorded.get("md", []), document["settings"].get("versions") or {}) if own else "",
        _lengths(own),
        *(_precision(own) if own else ()),
        _imported(given),
        _equilibration(recorded.get("selection", [])),
    )


def _ensemble(pairs: Rows, md: Rows, versions: dict[str, str]) -> str:
    langevin = [row for row in md if row.get("friction") is not None]
    temperature = amounts(langevin or pairs, "temperature", "K")
    ase = f" with ASE{' ' + versions['ase'] if versions.get('ase') else ''}{cite('larsen2017')}"
    if not langevin:
        return sentence(f"Molecular dynamics was run in the NVT ensemble{f' at {temperature}' * bool(temperature)}")
    with_clauses = [
        f"a friction of {amounts(langevin, 'friction', 'per fs')}",
        f"a time step of {amounts(langevin, 'timestep', 'fs')}" if values(langevin, "timestep") else "",
        f"a hydrogen mass of {amounts(langevin, 'hydrogen_mass', 'u')}" if values(langevin, "hydrogen_mass") else "",
    ]
    return (
        f"Molecular dynamics was run in the NVT ensemble{ase}, by the BAOAB splitting of Langevin dynamics"
        f"{cite('leimkuhler2013')}{f' at {temperature}' * bool(temperature)}, with "
        f"{listing([clause for clause in with_clauses if clause])}."
    )


def _lengths(pairs: Rows) -> str:
    lengths = [row["md_ps"] for row in pairs if row.get("md_ps")]
    if not lengths:
        return ""
    seeds = Counter((row["interface"], row["mlip"]) for row in pairs)
    runs = span(list(seeds.values()))
    seeded = f"with {runs} {'seed' if runs == '1' else 'seeds'} for each interface and potential"
    return f"The runs were {span(lengths)} ps long, {seeded}."


def _precision(pairs: Rows) -> list[str]:
    wanted = values(pairs, "md_precision")
    if not wanted:
        return []
    shares = listing([f"±{figure(100 * value)} %" for value in wanted])
    return [f"A run went on until the standard deviation of M_z/A was known to {shares}, or its limit was reached."]


def _imported(pairs: Rows) -> str:
    if not pairs:
        return ""
    lengths = [row["md_ps"] for row in pairs if row.get("md_ps")]
    known = [amounts(pairs, "temperature", "K"), f"{span(lengths)} ps long" if lengths else ""]
    inner = ", ".join(part for part in known if part)
    kind = "trajectory was" if len(pairs) == 1 else "trajectories were"
    return f"{len(pairs)} {kind} taken from elsewhere{f' ({inner})' * bool(inner)}."


def _equilibration(selection: Rows) -> str:
    found = values(selection, "equilibration")
    fixed = [value for value in found if isinstance(value, (int, float))]
    parts = (
        [f"The first {listing([figure(value) for value in fixed])} ps were left out as equilibration"] if fixed else []
    )
    if "auto" in found:
        parts.append(f"{'elsewhere equilibration' if fixed else 'Equilibration'} was detected{cite('chodera2016')}")
    return sentence("; ".join(parts))


def potentials(document: Document) -> str:
    """The MLIPs, one clause each."""
    rows = {row["mlip"]: row for row in document["pairs"]}
    models = {row["mlip"]: row for row in document["settings"].get("recorded", {}).get("models", [])}
    if not rows or not any(row.get("sha256") or row["mlip"] in models for row in rows.values()):
        return ""
    told = [_potential(row, models.get(name, {})) for name, row in rows.items()]
    return f"Potentials: {'; '.join(told)}."


def _potential(row: dict[str, Any], model: dict[str, Any]) -> str:
    family, reference = model.get("family"), model.get("reference") or ""
    keys = [*FAMILIES.get(family or "", ()), *named_in(reference)]
    reach = {None: "", True: "long-ranged", False: "short-ranged"}[row.get("long_ranged")]
    facts = [
        f"family {label(family)}" if family else "",
        f"cutoff {row['cutoff']:.1f} Å" if row.get("cutoff") else "",
        count(row["layers"], "layer") if row.get("layers") else "",
        f"receptive field {row['receptive_field']:.1f} Å" if row.get("receptive_field") else "",
        reach,
        f"Coulomb term ends at {row['coulomb_cutoff']:.1f} Å" if row.get("coulomb_cutoff") else "",
        f"SHA-256 {row['sha256'][:HASH]}" if row.get("sha256") else "",
        label(reference) if reference and not keys else "",
    ]
    inner = ", ".join(fact for fact in facts if fact)
    return f"{label(row['mlip'])}{cite(*keys)}{f' ({inner})' * bool(inner)}"


def frames(document: Document) -> str:
    """Which frames were chosen, and what became of them."""
    selection = document["settings"].get("recorded", {}).get("selection", [])
    ranged = any(row.get("potential_range") is not None for row in document["frames"])
    return paragraph(
        "Dipoles M_z are those of screened point charges on whole molecules." if document["frames"] else "",
        *(_drawn(row, ranged) for row in selection[:1] if len(selection) == 1),
        _outcome(document["frames"]),
    )


def _drawn(selection: dict[str, Any], ranged: bool) -> str:
    """``ranged``: whether strata were of the range of the potential inside, as versions before did not have them."""
    of = "the range of these charges' plane-averaged potential inside the film" if ranged else "|M_z|/A"
    stratified, uniform = selection.get("stratified"), selection.get("uniform")
    parts = [f"{count(stratified, 'frame')} from {_strata(selection)} of {of}"] if stratified else []
    parts += [f"{count(uniform, 'frame')} with equal probability"] if uniform else []
    if not parts:
        return ""
    verb = "was" if parts[0].startswith("1 ") and len(parts) == 1 else "were"
    start = selection.get("start")
    later = f", {figure(start)} ps after its start or later" if start else ""
    text = f"From each run {listing(parts)} {verb} drawn with known probability{later}."
    if not selection.get("most"):
        return text
    wanted = selection.get("half_width")
    aim = f"until the half-width is {figure(100 * wanted)} % or a run has" if wanted else "until a run has"
    return (
        f"{text} Batches of {selection['batch']} frames were added, those that narrow the interval of the metallic "
        f"fraction most, {aim} {count(selection['most'], 'frame')}."
    )


def _strata(selection: dict[str, Any]) -> str:
    number = selection.get("strata")
    return {None: "strata", 1: "1 stratum"}.get(number, f"{number} strata")


def _outcome(rows: Rows) -> str:
    if not rows:
        return ""
    computed = [row for row in rows if row.get("gap") is not None]
    failed = [row for row in rows if row.get("gap") is None and row.get("exit_code") is not None]
    metallic = sum(bool(row.get("metallic")) for row in computed)
    lost = f"; {count(len(failed), 'calculation')} failed and {'counts' if len(failed) == 1 else 'count'} as unknown"
    return (
        f"In all {count(len(computed), 'frame')} {'has' if len(computed) == 1 else 'have'} a gap, {metallic} of "
        f"{'it' if len(computed) == 1 else 'them'} metallic{lost * bool(failed)}."
    )
