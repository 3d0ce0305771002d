"""The ladder of smearings that a frame's SCF cycle climbs down, each rung from the density of the one above.

What makes a closing gap hard is one mode: electrons that cross the film. One electron changes the drop by d/(eps0 A),
tens of volts, and the drop moves the levels that decide how many cross. The response of that mode is the occupations'
slope, 1/(4 kT) a state and spin, times d/(eps0 A): thousands at 0.001 Ry, hundreds at 0.01 Ry, where mixing copes. So
every frame starts at a large smearing. If no electron has moved there, smearing has no effect, and the first rung is
the last; else the next rung starts from a density in which the electrons have crossed already.

A rung that fails is tried again half-way (in the logarithm) to the last one that held, with calmer mixing. Where the
density above cannot be read (a full disk or a crash has cut its file short), the ladder begins once more at its top.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .protocols import DftError


@dataclass(frozen=True)
class Run:
    """An SCF cycle that has ended.

    :param degauss: its smearing in Ry.
    :param converged: whether it converged.
    :param moved: electrons that smearing has moved out of the lowest N/2 states; None where it did not converge.
    :param began: whether it made an iteration. One that was to start from a density and did not could not read it.
    """

    degauss: float
    converged: bool
    moved: float | None = None
    began: bool = True


@dataclass(frozen=True)
class Rung:
    """An SCF cycle to be run.

    :param degauss: smearing in Ry.
    :param start: index of the run whose density it starts from; None for atomic densities.
    :param changes: settings with other values than the protocol's.
    """

    degauss: float
    start: int | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


MIXING = ("mixing_beta", "mixing_mode", "mixing_ndim", "electron_maxstep", "diagonalization")
"""Settings that a rescue may change: those that do not change the result."""

ALMOST_OPEN = 0.01
"""With fewer electrons moved than this, the gap is several kT wide, and the last rung can follow at once."""


def next_rung(
    runs: Sequence[Run], smearing: Sequence[float], rescues: Sequence[Mapping[str, Any]], moved_limit: float
) -> Rung | None:
    """What to run after ``runs``; None if the frame is done or nothing is left to try. See :func:`is_done`.

    :param smearing: the rungs in Ry, falling; the last one is what metals are judged at.
    :param rescues: changes of settings for the first, second, ... attempt after a failure.
    :param moved_limit: electrons; with fewer moved, a smaller smearing would change nothing.
    """
    if is_done(runs, smearing, moved_limit):
        return None
    unread = next((index for index, run in enumerate(runs) if not run.began), None)
    if unread is not None:
        # What lies above is of no use: down from the top again, once.
        later = [replace(run, began=True) for run in runs[unread + 1 :]]
        rung = next_rung(later, smearing, rescues, moved_limit)
        return rung if rung is None or rung.start is None else replace(rung, start=rung.start + unread + 1)
    held = max((index for index, run in enumerate(runs) if run.converged), default=None)
    failures = len(runs) - (0 if held is None else held + 1)
    if failures > len(rescues):
        return None
    changes = rescues[failures - 1] if failures else {}
    if held is None:
        return Rung(smearing[0] * 2.0**failures, None, changes)
    above, moved = runs[held].degauss, runs[held].moved
    below = [value for value in smearing if value < above * (1 - 1e-9)]
    target = below[-1] if moved is not None and moved < ALMOST_OPEN else below[0]
    if not failures:
        return Rung(target, held)
    share = 0.5**failures
    return Rung(math.exp((1 - share) * math.log(above) + share * math.log(target)), held, changes)


def is_done(runs: Sequence[Run], smearing: Sequence[float], moved_limit: float) -> bool:
    """Whether the last run that converged has the frame's gap: at the last rung, or with no electron moved."""
    held = [run for run in runs if run.converged]
    if not held:
        return False
    last = held[-1]
    return last.degauss <= smearing[-1] * (1 + 1e-9) or (last.moved is not None and last.moved <= moved_limit)


def check_ladder(settings: Mapping[str, Any]) -> None:
    """Refuse a protocol whose ladder makes no sense.

    :param settings: of a gap protocol: ``smearing``, ``rescues``, ``moved_limit``.
    :raises DftError: naming the key.
    """
    for key in ("smearing", "rescues", "moved_limit"):
        if key not in settings:
            raise DftError(key, "is missing; give all settings of a gap protocol")
    smearing, rescues, limit = settings["smearing"], settings["rescues"], settings["moved_limit"]
    if not isinstance(smearing, (list, tuple)) or not smearing:
        raise DftError("smearing", f"{smearing!r} is no list of widths; give one or more in Ry, as [0.01, 0.001]")
    if not all(_is_number(value) and value > 0 for value in smearing):
        raise DftError("smearing", f"{smearing!r} holds a width that is not a number above zero; give widths in Ry")
    if any(later >= earlier for earlier, later in zip(smearing, smearing[1:], strict=False)):
        raise DftError("smearing", f"the widths {smearing!r} are not falling; give the largest first")
    if not isinstance(rescues, (list, tuple)) or not all(isinstance(changes, dict) for changes in rescues):
        raise DftError("rescues", f"{rescues!r} is no list of mappings; give changes, as [{{mixing_beta: 0.1}}]")
    unknown = sorted(str(key) for changes in rescues for key in changes if key not in MIXING)
    if unknown:
        raise DftError("rescues", f"a rescue cannot change {unknown[0]!r}; use {', '.join(MIXING)}")
    for changes in rescues:
        _check_rescue(changes)
    if not _is_number(limit) or limit < 0:
        raise DftError("moved_limit", f"{limit!r} is no number of electrons; give zero or more")


def _check_rescue(changes: Mapping[str, Any]) -> None:
    """Refuse values that pw.x would."""
    for key, value in changes.items():
        if key in ("mixing_mode", "diagonalization"):
            fits, wanted = isinstance(value, str), "a name of pw.x"
        elif key == "mixing_beta":
            fits, wanted = _is_number(value) and 0.0 < value <= 1.0, "a number above 0, at most 1"
        else:
            fits, wanted = (
                isinstance(value, int) and not isinstance(value, bool) and value > 0,
                "a whole number above 0",
            )
        if not fits:
            raise DftError("rescues", f"{key}: {value!r} does not fit; give {wanted}")


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
