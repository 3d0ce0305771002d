"""Sentences on the DFT, the statistics, the verdict and the software."""

from __future__ import annotations

from typing import Any

from ...physics.gaplaw import BREAKDOWN
from ..text import count, interval
from .citations import FUNCTIONALS, PSEUDOPOTENTIALS
from .prose import amounts, cite, figure, label, listing, paragraph, values

Document = dict[str, Any]
Rows = list[dict[str, Any]]
PROGRAM = ("aiida-falsemetal", "aiida-core", "aiida-quantumespresso")
"""Named in this order; other packages follow."""
LAWS = 6
"""Gap laws up to which each is given."""


def electrons(document: Document) -> str:
    """How the gap of a frame was computed. Settings come from the nodes, else from what the report has of one pair."""
    if not document["frames"]:
        return ""
    settings = document["settings"]
    recorded = settings.get("recorded", {})
    gap = recorded.get("gap") or [settings]
    return paragraph(
        _program(recorded.get("pw_versions", []), gap),
        _pseudopotentials(gap),
        _cell(gap, document["frames"], bool(recorded.get("dipole_correction"))),
        _smearing(gap),
        "The gap is the difference of the eigenvalues N/2 + 1 and N/2, N being the number of electrons."
        if values(document["frames"], "gap_of") == ["film"]
        else "",
        _metallic(gap),
    )


def _program(versions: list[str], gap: Rows) -> str:
    names = values(gap, "functional")
    keys = [key for name in names for key in FUNCTIONALS.get(name, ())]
    functional = f" and the functional{'s' * (len(names) > 1)} {listing([label(n) for n in names])}{cite(*keys)}"
    version = f" {listing([label(version) for version in versions])}" if versions else ""
    return (
        f"Gaps were computed with pw.x of Quantum ESPRESSO{version}{cite('giannozzi2009', 'giannozzi2017')}"
        f"{functional * bool(names)}."
    )


def _pseudopotentials(gap: Rows) -> str:
    families = values(gap, "pseudo_family")
    found = [(name, keys) for family in families for name, keys in PSEUDOPOTENTIALS if name in family.lower()]
    keys = [key for _, some in found for key in some]
    parts = [f"pseudopotentials {listing([label(name) for name in families])}{cite(*keys)}"] if families else []
    waves, density = amounts(gap, "ecutwfc", "Ry"), amounts(gap, "ecutrho", "Ry")
    parts += (
        [f"cutoffs of {waves} for wavefunctions{f' and {density} for the density' * bool(density)}"] if waves else []
    )
    threshold = amounts(gap, "conv_thr", "Ry")
    parts += [f"an SCF threshold of {threshold}"] if threshold else []
    return f"The calculations used {listing(parts)}." if parts else ""


def _cell(gap: Rows, frames: Rows, corrected: bool) -> str:
    vacuum = amounts(gap, "vacuum", "Å")
    parts = [f"{vacuum} of vacuum"] if vacuum else []
    parts += [f"a dipole correction{cite('bengtsson1999')}"] if corrected else []
    text = f"Each film was isolated by {listing(parts)}" if parts else "Each film was"
    # A film on a metal has a mesh, whose size is not in the settings.
    gamma = values(frames, "gap_of") == ["film"] and gap != [] and all("kpoints" in row for row in gap)
    meshes = values(gap, "kpoints")
    sampled = ""
    if gamma and not meshes:
        sampled = "sampled at the Γ point"
    elif meshes:
        sampled = f"sampled on {listing([' × '.join(map(str, mesh)) + ' k-points' for mesh in meshes])}"
    if not parts and not sampled:
        return ""
    return f"{text}{' and' * bool(parts and sampled)}{' ' * bool(sampled)}{sampled}."


def _smearing(gap: Rows) -> str:
    ladders = [row["smearing"] for row in gap if row.get("smearing")]
    if not ladders or any(ladder != ladders[0] for ladder in ladders):
        return ""
    ladder = [figure(width) for width in (ladders[0] if isinstance(ladders[0], (list, tuple)) else [ladders[0]])]
    if len(ladder) == 1:
        return f"Occupations have Fermi-Dirac smearing of {ladder[0]} Ry."
    limit = [figure(value) for value in values(gap, "moved_limit")]
    until = f", or until fewer than {listing(limit)} electrons have left the lowest N/2 states" if limit else ""
    return (
        f"Fermi-Dirac smearing was lowered in the same way for every frame, from {ladder[0]} over "
        f"{listing(ladder[1:-1])} to {ladder[-1]} Ry{until}."
        if len(ladder) > 2
        else f"Fermi-Dirac smearing was lowered for every frame from {ladder[0]} to {ladder[1]} Ry{until}."
    )


def _metallic(gap: Rows) -> str:
    below, left = amounts(gap, "metallic_gap_eV", "eV"), [figure(value) for value in values(gap, "metallic_witness")]
    parts = [f"its gap is below {below}"] if below else []
    parts += [f"more than {listing(left)} electrons have left the lowest N/2 states"] if left else []
    return f"A frame is metallic where {listing(parts, 'or')}." if parts else ""


def statistics(document: Document) -> str:
    """Intervals, the gap law, the verdict's rule."""
    judged = [row for row in document["cells"] if row.get("verdict")] or [
        row for row in document["pairs"] if row.get("verdict")
    ]
    if not judged:
        return ""
    return paragraph(_intervals(judged), _law(document["laws"]), _rule(document, judged), _mlpeg(judged))


def _intervals(judged: Rows) -> str:
    parts = []
    if values(judged, "sd_low"):
        parts.append(
            "those of standard deviations come from the chi-square distribution with n_eff − 1 degrees of freedom, "
            f"n_eff being the number of independent samples by Geyer's initial monotone sequence{cite('geyer1992')}"
        )
    if values(judged, "metallized_low"):
        parts.append(
            f"those of the metallic fraction of a trajectory are score intervals, as Wilson's{cite('wilson1927')}, "
            f"about an estimate that weights frames with their probabilities{cite('horvitz1952')}"
        )
    confidence = [f"{figure(100 * value)} %" for value in values(judged, "confidence")]
    start = f"Intervals have {listing(confidence)} confidence" if confidence else "On intervals" if parts else ""
    rhat = f"Rank-normalised split R-hat{cite('vehtari2021')} tells whether seeds, and the halves of each, agree."
    text = f"{start}{': ' * bool(parts)}{'; '.join(parts)}." if start else ""
    return paragraph(text, rhat if values(judged, "rhat") else "")


def _law(laws: Rows) -> str:
    fitted = [law for law in laws if law.get("intercept") is not None and law.get("slope") is not None]
    if not fitted or len(fitted) > LAWS:
        return ""
    told = [
        f"{label(law['interface'])}: intercept {_ends(law, 'intercept')} eV, slope {_ends(law, 'slope', -1.0)} eV/V, "
        f"from {count(law['frames'], 'frame')}"
        for law in fitted
    ]
    return (
        f"The gap law{cite('parker2026')}, gap against the size of the potential drop M_z/(eps0 A), was fitted to the "
        f"frames of each interface ({'; '.join(told)})."
    )


def _ends(law: dict[str, Any], key: str, sign: float = 1.0) -> str:
    low, high = (None if end is None else sign * end for end in (law.get(f"{key}_low"), law.get(f"{key}_high")))
    if low is not None and high is not None:
        low, high = sorted((low, high))
    return interval(sign * law[key], low, high)


def _rule(document: Document, judged: Rows) -> str:
    acceptable = values(judged, "acceptable")
    if len(acceptable) != 1:
        return ""
    share = f"{figure(100 * acceptable[0])} %"
    rhat = values(document["settings"].get("recorded", {}).get("thresholds", []), "rhat")
    agree = f", R-hat is at most {figure(rhat[0])}" if len(rhat) == 1 else ", the seeds agree"
    names = values(judged, "reference")
    reference = (
        f" and the fraction exceeds that of the reference {listing([label(name) for name in names])}" if names else ""
    )
    return (
        f"A potential metallizes an interface falsely where the lower end of the metallic fraction exceeds {share}"
        f"{reference}; it is safe where the upper ends of that fraction and of the share beyond the window, or the "
        f"upper end by the gap law where every frame has a gap and none is metallic, are at most {share}{agree} and "
        "the runs are complete; else it is undecided. Failed frames count as metallic at the upper end and as not "
        "metallic at the lower one."
    )


def _mlpeg(judged: Rows) -> str:
    if not values(judged, "mlpeg_sigma"):
        return ""
    return (
        f"For comparison, the standard deviation of M_z/A and the share of |M_z|/A above {BREAKDOWN:.5f} e/Å are also "
        f"given over all samples, as in ML-PEG{cite('mlpeg')}."
    )


def software(document: Document) -> str:
    """Versions, as the graph has them."""
    versions = document["settings"].get("versions") or {}
    if not versions:
        return ""
    names = [*(name for name in PROGRAM if name in versions), *(name for name in versions if name not in PROGRAM)]
    told = [
        f"{label(name)} {label(versions[name])}{cite('huber2020', 'uhrin2021') if name == 'aiida-core' else ''}"
        for name in names
    ]
    date = document["settings"].get("date")
    return f"Software: {listing(told)}.{f' Data as of {label(date)}.' if date else ''}"
