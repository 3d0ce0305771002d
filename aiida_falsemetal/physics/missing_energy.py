"""The missing-energy test: does E_DFT - E_MLIP grow with a film's dipole as the missing electrostatics would?

What a film's dipole costs. Let nuclei at rest polarise a film of volume V = A d by P0, the polarisation that they
would have without a macroscopic field. Around an isolated film, which is what DFT with a dipole correction computes,
D = 0, so the field inside is E = -P/eps0, and the electrons answer with p = eps0 (eps_inf - 1) E:

    P = P0 + p = P0 / eps_inf,    M_z = P V   (the screened dipole: it makes the potential drop that DFT finds)

Polarising the electrons costs p^2 / (2 eps0 (eps_inf - 1)) and the field eps0 E^2 / 2 a unit volume; together

    E_slab = P0 M_z / (2 eps0) = eps_inf M_z^2 / (2 eps0 V).

For charges without electrons (eps_inf = 1, their own M_z) this is the field's energy M_z^2 / (2 eps0 V) alone. The same
two formulas give the widths in :mod:`.dielectric`: with the nuclei's own stiffness, E_slab leads to <M_z^2> /
(eps0 V kT) = 1/eps_inf - 1/eps.

A model that sees a cutoff only knows what a polarised piece of liquid costs without the macroscopic field; E_slab is
missing from it, and E_DFT - E_MLIP rises with slope 1 against E_slab. A model that has it shows slope 0. The test needs
no gap. Three things lie between 0 and 1:

- What a cutoff keeps (:func:`missing_share`): in a film of thickness d, the share R/d at most, for a reach R.
- Tin-foil Ewald sums in the MD cell without slab correction lack the share d/L, L being the cell's height, because
  the film's periodic images lower its field.
- M_z from point charges is not exactly DFT's, which flattens the slope a little (errors in x).

Which M_z. That of screened point charges and not pw.x's own: every frame has it, it was fixed before pw.x ran, so that
no error of pw.x's enters both axes, and a closed gap does not bend it. pw.x's own dipole is pinned once electrons have
crossed the film; energy and dipole then leave E_slab together, and the frame says nothing about the MLIP. Metallic
frames are therefore left out, and counted.

Which weights. None. Frames are drawn with probabilities that depend on |M_z|, that is on x; choosing by x leaves a
regression on x unbiased, and weighting with 1/probability would take the weight from the polar frames, which know the
slope best. Frames whose pw.x failed have no energy; they are mostly polar too, and are left out and counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .constants import EPS0
from .statistics import fit_line

EPS_INF = 1.78
"""Electronic permittivity of water (PHYSICS.md, section 3)."""
LEAST = 4
"""Frames below which no interval is given: with three, one degree of freedom is left, and t is 12.7."""
USED, METALLIC, NO_DIPOLE = "used", "metallic", "without a dipole"
NO_DFT, NO_MLIP, NO_GAP = "without a DFT energy", "without an MLIP energy", "without a gap"
"""What a frame is to the test, see :func:`role`."""


@dataclass(frozen=True)
class MissingEnergy:
    """The regression of E_DFT - E_MLIP on E_slab over the frames of one pair.

    :param slope: dimensionless, in units of the expected one: 1 if E_slab is missing, 0 if it is not. None where it
        cannot be told, as for ``low`` and ``high``, the ends of its interval (95 %), and ``intercept`` (eV).
    :param frames: number of frames in the regression.
    :param says: the sentence: with which of 0 and 1 the slope is consistent, or why there is none.
    :param left_out: number of frames left out, by reason.
    """

    slope: float | None
    low: float | None
    high: float | None
    intercept: float | None
    frames: int
    says: str
    left_out: dict[str, int] = field(default_factory=dict)


def slab_energy(moment: NDArray[np.float64], volume: float, eps_inf: float = EPS_INF) -> NDArray[np.float64]:
    """E_slab = eps_inf M_z^2 / (2 eps0 V) in eV, see the module.

    :param moment: shape (n,), screened M_z in e Å; with ``eps_inf`` = 1, the dipole of bare charges.
    :param volume: V = A d of the film in Å^3, without the vacuum.
    :raises ValueError: if the volume is not positive or ``eps_inf`` is below 1.
    """
    if not (volume > 0.0 and eps_inf >= 1.0):
        raise ValueError(f"A volume of {volume} Å^3 must be positive, a permittivity of {eps_inf} at least 1.")
    return np.asarray(eps_inf * np.asarray(moment, dtype=float) ** 2 / (2.0 * EPS0 * volume))


def missing_share(kept: float, thickness: float) -> float:
    """Share of M_z^2 / (2 eps0 V) that a model with a cutoff lacks: 1 - kept/d.

    Two planes of charge +-P at distance d interact by the potential of a plane, 2 pi times the integral of r v(r) from
    the distance on, v being the pair interaction. With 1/r this gives the whole energy; an interaction that ends
    before d gives the share kept/d of it, with ``kept`` the integral of r v(r) dr from 0 to d.

    :param kept: in Å, v in units of q_i q_j / (4 pi eps0). For erfc(r/s)/r it is s/sqrt(pi); for a model that knows
        1/r up to its reach R and nothing beyond, it is R, and this is the most that a model can keep.
    :param thickness: d in Å, positive.
    :return: 0 where ``kept`` exceeds the thickness.
    :raises ValueError: if an argument is out of range.
    """
    if not (kept >= 0.0 and thickness > 0.0):
        raise ValueError(f"A reach of {kept} Å must not be negative and a thickness of {thickness} Å must be positive.")
    return max(0.0, 1.0 - kept / thickness)


def missing_energy(
    difference: NDArray[np.float64], moment: NDArray[np.float64], volume: float, eps_inf: float = EPS_INF
) -> MissingEnergy:
    """Regress E_DFT - E_MLIP on E_slab.

    The interval is that of :func:`.statistics.fit_line` (HC3, Student's t with n - 2 degrees of freedom). Simulated
    coverage of 4 to 24 frames (tests/physics/test_missing_energy.py): 93 to 99 % for noise of one size, 86 to 94 %
    where the noise grows tenfold with the dipole. Frames are taken to be independent: the first ones of a selection are
    a correlation time apart, those that were added to them may not be.

    :param difference: shape (n,), E_DFT - E_MLIP in eV, whatever the two zeros of energy.
    :param moment: shape (n,), screened M_z in e Å.
    :param volume: V = A d in Å^3.
    :param eps_inf: see :func:`slab_energy`.
    :return: without slope where the frames are fewer than ``LEAST`` or do not differ in M_z^2.
    :raises ValueError: as :func:`slab_energy` does, and where the arrays do not pair up or hold a number that is not
        finite.
    """
    x, y = slab_energy(moment, volume, eps_inf), np.asarray(difference, dtype=float)
    if x.ndim != 1 or x.shape != y.shape or not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError(f"Energies and dipoles must be one finite number a frame, got shapes {y.shape} and {x.shape}.")
    n = len(x)
    if n < LEAST:
        return _nothing(n, f"{n} of the {LEAST} frames that an interval needs have both energies and an open gap")
    try:
        fit = fit_line(x, y)
    except ValueError:
        return _nothing(n, "the frames (all, or all but one) have the same M_z^2")
    return MissingEnergy(
        slope=fit.slope,
        low=fit.slope_low,
        high=fit.slope_high,
        intercept=fit.intercept,
        frames=n,
        says=interpretation(fit.slope_low, fit.slope_high),
    )


def _nothing(frames: int, reason: str) -> MissingEnergy:
    return MissingEnergy(None, None, None, None, frames, f"not determined: {reason}")


def interpretation(low: float, high: float) -> str:
    """What an interval of the slope says.

    Consistency is not proof: an interval that holds 0 may hold a part of the term too, and its width says how much.
    """
    zero, one = low <= 0.0 <= high, low <= 1.0 <= high
    if zero and one:
        return "consistent with both 0 and 1: too uncertain to tell"
    if zero:
        return "consistent with 0, not with 1: no sign of missing electrostatics"
    if one:
        return "consistent with 1, not with 0: the long-ranged electrostatics is missing"
    if low > 1.0:
        return "consistent with neither 0 nor 1: above 1"
    if high < 0.0:
        return "consistent with neither 0 nor 1: below 0"
    return "consistent with neither 0 nor 1: a part of the long-ranged electrostatics is missing"


def role(frame: Mapping[str, Any]) -> str:
    """What a frame is to the test: ``USED``, or the reason why it is left out.

    :param frame: ``energy`` and ``energy_mlip`` (eV), ``Mz`` (e Å), ``metallic``; None or no key where not known, as in
        the results of older versions, which lack ``energy_mlip``.
    """
    if frame.get("energy") is None:
        return NO_DFT
    if frame.get("energy_mlip") is None:
        return NO_MLIP
    if frame.get("Mz") is None:
        return NO_DIPOLE
    if frame.get("metallic") is None:
        return NO_GAP
    return METALLIC if frame["metallic"] else USED


def residuals(frames: Sequence[Mapping[str, Any]]) -> dict[int, float]:
    """E_DFT - E_MLIP in eV about its mean, by the index of each frame that the test uses.

    :param frames: see :func:`role`; of one interface, MLIP and DFT setting.
    """
    used = [index for index, frame in enumerate(frames) if role(frame) == USED]
    found = {index: float(frames[index]["energy"] - frames[index]["energy_mlip"]) for index in used}
    mean = float(np.mean(list(found.values()))) if found else 0.0
    return {index: value - mean for index, value in found.items()}


def of_frames(frames: Sequence[Mapping[str, Any]], volume: float, eps_inf: float = EPS_INF) -> MissingEnergy:
    """The test over the frames of one pair.

    :param frames: see :func:`role`; all of them, failed and metallic ones too.
    :param volume: V = A d in Å^3.
    :raises ValueError: as :func:`missing_energy` does.
    """
    roles = [role(frame) for frame in frames]
    used = [frame for frame, found in zip(frames, roles, strict=True) if found == USED]
    difference = np.array([frame["energy"] - frame["energy_mlip"] for frame in used], dtype=float)
    found = missing_energy(difference, np.array([frame["Mz"] for frame in used], dtype=float), volume, eps_inf)
    left_out = {
        reason: roles.count(reason) for reason in (METALLIC, NO_GAP, NO_DFT, NO_MLIP, NO_DIPOLE) if reason in roles
    }
    says = found.says
    if left_out:
        says += f" (left out: {', '.join(f'{count} {reason}' for reason, count in left_out.items())})"
    return MissingEnergy(found.slope, found.low, found.high, found.intercept, found.frames, says, left_out)
