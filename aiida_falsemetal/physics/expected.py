"""How wide a pair's dipole should be, for the geometry and the boundary condition that its MD really had.

What is measured is M = sum q z over fixed *screened* charges: 1/eps_inf times the dipole M0 that the nuclei would have
without any field. M0 fluctuates under the depolarising field of the MD cell. With a depolarisation factor n, the static
answer chi / (1 + n chi) (chi = eps - 1) holds the electrons' own, chi_inf / (1 + n chi_inf) (chi_inf = eps_inf - 1),
which are not sampled; the rest belongs to M0 / (1 + n chi_inf). Hence

    <M^2> / (eps0 V kT) = (eps - eps_inf) (1 + n chi_inf) / (eps_inf^2 (1 + n chi)).

n = 1 gives 1/eps_inf - 1/eps (:func:`.dielectric.screened_film`), eps_inf = 1 gives chi / (1 + n chi)
(:func:`.dielectric.tin_foil`).

n = 1 for an isolated film and for a film on a neutral metal with vacuum above. In an Ewald sum with tin-foil boundary
and without slab correction no potential drops over the whole cell: n = 1 - d/L, where a metal that screens is not part
of L. Between two metals without vacuum n is 0: the width is eps - 1 or so, large for good reasons, and tells nothing.

A classical model's own charges make its dipole: eps_inf = 1. Where M is taken with other charges, all c times its own,
the ratio is c^2 times that.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from . import dielectric
from .dipoles import SCREENED_CHARGES
from .missing_energy import EPS_INF
from .statistics import Spread

Geometry = Literal["film", "film on metal", "confined"]
Boundary = Literal["isolated", "tin-foil"]

EPS = 78.0
"""Static permittivity of water at 298 K."""
WATER = {"eps": EPS, "eps_inf": EPS_INF}
"""What infos of older versions, all films of water, do not say."""
ALIKE = 1e-3
"""Relative difference up to which charges count as one multiple of others."""
LEAST_VACUUM = 5.0
"""Å of vacuum below which there is none: a liquid's layers lie 3 Å apart."""


@dataclass(frozen=True)
class Width:
    """The width that full electrostatics gives.

    :param sd: of M_z/A in e/Å; None where there is no useful expectation.
    :param ratio: <M_z^2> / (eps0 V kT); None with ``sd``.
    :param formula: which formula, or why there is none.
    """

    sd: float | None
    ratio: float | None
    formula: str


@dataclass(frozen=True)
class Ratio:
    """A measured standard deviation over the expected one, with the interval of the measurement."""

    value: float
    low: float
    high: float


def screened_ratio(eps: float, eps_inf: float, depolarisation: float) -> float:
    """<M^2> / (eps0 V kT) of the dipole of fixed screened charges, see the module.

    :param eps: static relative permittivity.
    :param eps_inf: electronic one, 1 to ``eps``; 1 for a classical model whose own charges make M.
    :param depolarisation: n, 0 to 1.
    :raises ValueError: if an argument is out of range.
    """
    if not 1.0 <= eps_inf <= eps:
        raise ValueError(f"An electronic permittivity of {eps_inf} is not between 1 and the static one, {eps}.")
    if not 0.0 <= depolarisation <= 1.0:
        raise ValueError(f"A depolarisation factor of {depolarisation} is not between 0 and 1.")
    electrons = 1.0 + depolarisation * (eps_inf - 1.0)
    return (eps - eps_inf) * electrons / (eps_inf**2 * (1.0 + depolarisation * (eps - 1.0)))


def expected_width(
    area: float,
    thickness: float,
    kelvin: float,
    *,
    geometry: Geometry = "film",
    boundary: Boundary = "isolated",
    height: float | None = None,
    metal: float = 0.0,
    eps: float | None = EPS,
    eps_inf: float = EPS_INF,
) -> Width:
    """The standard deviation of M_z/A that full electrostatics gives.

    :param area: A in Å^2, positive.
    :param thickness: d of the liquid in Å, positive.
    :param kelvin: temperature in K.
    :param geometry: ``film`` with vacuum on both sides, ``film on metal`` with vacuum above, or ``confined`` between
        two metals.
    :param boundary: ``isolated`` for two-dimensional sums, slab corrections and models without an Ewald sum (a
        short-ranged one is compared with what it should do); ``tin-foil`` for a plain 3D Ewald sum.
    :param height: L of the cell in Å; needed for ``tin-foil``, and for ``confined`` to see whether there is vacuum.
    :param metal: thickness of the metal in Å where the model lets it screen; it is taken off L.
    :param eps: static permittivity; None for a solid whose dipoles do not turn in picoseconds.
    :param eps_inf: electronic permittivity; 1 where M_z is that of a classical model's own charges.
    :raises ValueError: if an argument is out of range or missing.
    """
    if not (area > 0.0 and thickness > 0.0 and metal >= 0.0):
        raise ValueError(
            f"Area {area} Å^2 and thickness {thickness} Å must be positive, the metal's {metal} Å not below 0."
        )
    if eps is None:
        return Width(None, None, "no expectation: dipoles that do not turn in picoseconds have no equilibrium width")
    if geometry == "confined":
        return Width(
            None, None, "no expectation: between two metals the dipole is short-circuited and fluctuates widely"
        )
    if boundary == "isolated":
        n, formula = 1.0, "isolated film: 1/eps_inf - 1/eps"
    else:
        share = _filled(thickness, height, metal)
        if share > 1.0 - LEAST_VACUUM / ((height or 0.0) - metal):
            return Width(None, None, "no expectation: the tin-foil cell has no vacuum, the film is short-circuited")
        n, formula = 1.0 - share, f"tin-foil, d/L = {share:.3g}: depolarisation factor 1 - d/L"
    ratio = screened_ratio(eps, eps_inf, n)
    return Width(dielectric.sd_dipole(ratio, area * thickness, kelvin) / area, ratio, formula)


def pair_width(
    info: Mapping[str, Any],
    facts: Mapping[str, Any] | None,
    kelvin: float,
    dipole_charges: Mapping[str, float] | None = None,
) -> Width:
    """The width that full electrostatics gives an interface, in the cell and with the boundary that a model's MD has.

    What older interfaces do not say is filled in: permittivities are water's, the height of a film without a substrate
    is thickness and vacuum. Where a height is missing still, the film counts as isolated, and ``formula`` says so.

    A short-ranged model is compared with what it should do. A metal is taken off the tin-foil cell's height, unless the
    model's charges are fixed: these do not screen. Substrates that are no metals count as vacuum: their electrons'
    polarisability is left out, which matters with tin-foil alone. The slab correction of a film on a metal leaves
    n = 1, as without the metal (:func:`.slab.slab_correction` takes the dipole of all charges of the cell).

    :param info: of the interface, :class:`..interfaces.recipe.BuiltInterface`: ``area``, ``thickness``, and of
        ``vacuum``, ``height``, ``metal_indices``, ``metal_thickness``, ``between_metals``, ``substrate_indices``,
        ``solvent_indices``, ``charges``, ``eps`` and ``eps_inf`` what there is.
    :param facts: of the model, :meth:`..mlips.family.ModelFacts.as_dict`; ``boundary`` and ``charges`` may be missing.
        None for a trajectory that is imported, whose model nobody knows: an isolated film.
    :param kelvin: temperature in K.
    :param dipole_charges: charges (e, by element) with which M_z was taken in place of the interface's own, if any;
        they matter to a model with fixed charges only.
    :raises ValueError: as :func:`expected_width`.
    """
    known = facts or {}
    own = known.get("charges")
    eps, eps_inf = (info.get(key, WATER[key]) for key in ("eps", "eps_inf"))
    scale = 1.0
    if own:
        used = _used_charges(info, dipole_charges)
        found = _multiple(used, [float(charge) for charge in own.values()])
        if found is None:
            return Width(None, None, "no expectation: the charges of M_z are not a multiple of the model's own")
        scale, eps_inf = found, 1.0
    metal = 0.0 if own else _metal_thickness(info)
    height, boundary = _height(info), known.get("boundary", "isolated")
    note = ""
    if boundary == "tin-foil" and (height is None or metal is None):
        boundary, note = "isolated", " (the model's sum is tin-foil, but the interface does not tell its cell's height)"
    width = expected_width(
        info["area"],
        info["thickness"],
        kelvin,
        geometry=_geometry(info),
        boundary=boundary,
        height=height,
        metal=metal or 0.0,
        eps=eps,
        eps_inf=eps_inf,
    )
    if width.sd is None or width.ratio is None:
        return width
    if own:
        note += f"; of the model's own charges (eps_inf = 1), times {scale:.4g}^2 for those of M_z"
    return replace(width, sd=width.sd * abs(scale), ratio=width.ratio * scale**2, formula=width.formula + note)


def _geometry(info: Mapping[str, Any]) -> Geometry:
    """A liquid between two plates of which one at most is a metal is a film: vacuum is outside of them."""
    metals = info.get("metal_indices")
    if not metals:
        return "film"
    # Older infos: gaps of two plates, all of their atoms metal.
    both = len(info.get("gaps", ())) == 2 and set(metals) == set(info.get("substrate_indices", ()))
    return "confined" if info.get("between_metals", both) else "film on metal"


def _height(info: Mapping[str, Any]) -> float | None:
    """Of the cell in Å; None where older infos do not tell."""
    if info.get("height") is not None:
        return float(info["height"])
    if info.get("substrate_indices") or info.get("vacuum") is None:
        return None
    return float(info["thickness"] + info["vacuum"])


def _metal_thickness(info: Mapping[str, Any]) -> float | None:
    """Å, 0 without a metal, None where older infos do not tell."""
    found = info.get("metal_thickness") if info.get("metal_indices") else 0.0
    return None if found is None else float(found)


def _used_charges(info: Mapping[str, Any], table: Mapping[str, float] | None) -> list[float]:
    """Charges of which M_z was made, e, in any order, as :func:`.dipoles.atom_charges` takes them."""
    own = info.get("charges")
    if table is None and own is not None:
        return [float(own[index]) for index in info.get("solvent_indices", range(len(own)))]
    return [float(charge) for charge in (SCREENED_CHARGES if table is None else table).values()]


def _multiple(used: list[float], own: list[float]) -> float | None:
    """The c for which every value of ``used`` is c times one of ``own``; None where there is none, or more than one.

    Elements are not compared: an interface's info names charges by atom, and not what the atoms are. It suffices where
    the values say it, as water's do.
    """
    ours, theirs = ({value for value in values if value != 0.0} for values in (used, own))
    if not ours:
        return None
    found: list[float] = []
    for ratio in (max(ours, key=abs) / charge for charge in theirs):
        fits = all(any(math.isclose(value, ratio * charge, rel_tol=ALIKE) for charge in theirs) for value in ours)
        if fits and not any(math.isclose(ratio, other, rel_tol=ALIKE) for other in found):
            found.append(ratio)
    return found[0] if len(found) == 1 else None


def _filled(thickness: float, height: float | None, metal: float) -> float:
    """d/L without the metal."""
    if height is None:
        raise ValueError("The tin-foil width needs the cell's height.")
    if not height - metal >= thickness:
        raise ValueError(f"A cell {height} Å high does not hold {thickness} Å of liquid and {metal} Å of metal.")
    return thickness / (height - metal)


def width_ratio(spread: Spread, width: Width) -> Ratio | None:
    """Observed over expected width; None without an expectation. The theory's own error is not in the interval: it is
    that of a continuum with bulk water's permittivity, see docs/verdict.md."""
    if not width.sd:
        return None
    return Ratio(spread.value / width.sd, spread.low / width.sd, spread.high / width.sd)
