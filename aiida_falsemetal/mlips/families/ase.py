"""Every model for which there is an ASE calculator, by ``module:Class`` and keyword arguments.

Such a model's facts cannot be read from it; whoever names it states them. In a campaign file::

    my-model:
      family: ase
      file: weights.pt                                  # only if the calculator takes one
      kwargs:
        calculator: orb_models.forcefield.calculator:ORBCalculator
        kwargs: {model: "{file}", device: cpu}          # {file} becomes the path of `file`
        facts: {elements: [H, O], cutoff: 6.0, layers: 5, long_ranged: false}

``facts`` may also have ``coulomb_cutoff``, ``precision``, ``boundary`` (``isolated`` or ``tin-foil``; of a long-ranged
model ``tin-foil`` unless it is said, for the cells are periodic in all directions) and ``charges`` (e by element, of a
classical model whose fixed charges make its dipole), see :class:`..family.ModelFacts`. Only subclasses of ASE's
calculator are ever called, and their class methods (``module:Class.method``).
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import BaseCalculator, Calculator
from ase.data import atomic_numbers

from ..family import Family, ModelError, ModelFacts
from ._tools import quietly

FORM = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)?", re.ASCII)
PLACE = "{file}"
EXAMPLE = "facts: {elements: [H, O], cutoff: 6.0, layers: 2, long_ranged: false}"
OPTIONAL = ("coulomb_cutoff", "precision", "boundary", "charges")
NEEDED = ("elements", "cutoff", "layers", "long_ranged")


class AseFamily(Family):
    """See the module."""

    name = "ase"
    requires = ("ase",)
    needs_file = False

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`. The facts are those of ``kwargs``; that there is such a calculator is checked."""
        facts = self._facts(kwargs)
        self._maker(kwargs)
        return facts

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`."""
        self.check_elements(atoms, self._facts(kwargs).elements)
        maker = self._maker(kwargs)
        try:
            with quietly():
                found = maker(**_filled(kwargs.get("kwargs", {}), str(path)))
        except Exception as error:  # the calculator's own constructor: any kind
            raise ModelError(
                f"{kwargs['calculator']} cannot be made ({type(error).__name__}: {error}); see its own documentation "
                "for the keywords under `kwargs`."
            ) from error
        if not isinstance(found, BaseCalculator):
            raise ModelError(f"{kwargs['calculator']} made a {type(found).__name__}, not an ASE calculator.")
        return found

    def stand_in(self, kwargs: dict[str, Any]) -> str:
        """See :meth:`Family.stand_in`; refuses keyword arguments that ask for a file."""
        self._facts(kwargs)
        if _filled(kwargs.get("kwargs", {}), "") != kwargs.get("kwargs", {}):
            raise ModelError(f"the kwargs of {kwargs['calculator']} ask for {PLACE}; give the model with `file:`.")
        return super().stand_in(kwargs)

    def _facts(self, kwargs: dict[str, Any]) -> ModelFacts:
        self.check_keys(kwargs, {"calculator", "kwargs", "facts"})
        name, inner, facts = kwargs.get("calculator"), kwargs.get("kwargs", {}), kwargs.get("facts")
        if not isinstance(name, str) or not FORM.fullmatch(name):
            raise ModelError(f"calculator must be `module:Class`, in letters, digits and underscores, not {name!r}.")
        if not isinstance(inner, dict) or not all(isinstance(key, str) for key in inner):
            raise ModelError(f"kwargs must be the keyword arguments of {name}, not {inner!r}.")
        if not isinstance(facts, dict):
            raise ModelError(f"facts of {name} are missing, and cannot be read from it; state them, as in `{EXAMPLE}`.")
        for key in sorted(set(facts) - {*NEEDED, *OPTIONAL}):
            raise ModelError(f"facts of {name} have no {key!r}; state {', '.join(NEEDED)}.")
        for key in NEEDED:
            if key not in facts:
                raise ModelError(f"facts of {name} lack {key!r}, which cannot be read from it; as in `{EXAMPLE}`.")
        return _checked(name, facts)

    def _maker(self, kwargs: dict[str, Any]) -> Any:
        """The class, or one of its class methods.

        :raises ImportError: if the module cannot be imported.
        """
        module, _, names = str(kwargs["calculator"]).partition(":")
        try:
            with quietly():
                place = importlib.import_module(module)
        except SystemExit as error:  # a program, as every `__main__` is
            raise ModelError(
                f"{module} is a program and no module with a calculator; name the calculator's."
            ) from error
        kind, _, method = names.partition(".")
        found = getattr(place, kind, None)
        if not (isinstance(found, type) and issubclass(found, BaseCalculator)):
            raise ModelError(f"{module} has no ASE calculator {kind}; give the class, not a function that makes one.")
        maker = getattr(found, method, None) if method else found
        if not callable(maker):
            raise ModelError(f"{module}:{kind} has no method {method!r}.")
        return maker


def _checked(name: str, facts: dict[str, Any]) -> ModelFacts:
    """``facts`` with every value of the right kind."""
    elements, long_ranged, layers = facts["elements"], facts["long_ranged"], facts["layers"]
    if not isinstance(elements, list | tuple) or not elements:
        raise ModelError(f"elements of {name} must be a list of chemical symbols, as in `{EXAMPLE}`.")
    for element in elements:
        if atomic_numbers.get(element, 0) < 1 if isinstance(element, str) else True:
            raise ModelError(f'elements of {name}: {element!r} is no chemical symbol (in YAML, quote "No" and "Y").')
    if not isinstance(long_ranged, bool):
        raise ModelError(f"long_ranged of {name} must be true or false, not {long_ranged!r}.")
    if isinstance(layers, bool) or not isinstance(layers, int) or layers < 1:
        raise ModelError(f"layers of {name} must be a whole number of 1 or more, not {layers!r}.")
    for key in ("cutoff", "coulomb_cutoff"):
        value: Any = facts.get(key)
        if (key == "cutoff" or value is not None) and not (_is_number(value) and 0.0 < value < 1000.0):
            raise ModelError(f"{key} of {name} must be a length in Å, not {value!r}.")
    coulomb = facts.get("coulomb_cutoff")
    if coulomb is not None and long_ranged:
        raise ModelError(f"{name} has a coulomb_cutoff, so its electrostatics ends there; say `long_ranged: false`.")
    boundary = facts.get("boundary", "tin-foil" if long_ranged else "isolated")
    if boundary not in ("isolated", "tin-foil"):
        raise ModelError(f"boundary of {name} must be `isolated` or `tin-foil`, not {boundary!r}.")
    return ModelFacts(
        elements=tuple(sorted(set(elements))),
        cutoff=float(facts["cutoff"]),
        layers=layers,
        long_ranged=long_ranged,
        precision=str(facts.get("precision", "")),
        coulomb_cutoff=None if coulomb is None else float(coulomb),
        boundary=boundary,
        charges=_charges(name, elements, facts.get("charges")),
    )


def _charges(name: str, elements: Any, given: Any) -> dict[str, float] | None:
    """``charges`` with every value of the right kind."""
    if given is None:
        return None
    if not isinstance(given, dict) or set(given) != set(elements) or not all(map(_is_number, given.values())):
        raise ModelError(f"charges of {name} must be a number (e) for each of its elements, as {{O: -0.82, H: 0.41}}.")
    return {element: float(charge) for element, charge in given.items()}


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _filled(value: Any, path: str) -> Any:
    """``value`` with ``{file}`` replaced in every text, however deep."""
    if isinstance(value, str):
        return value.replace(PLACE, path)
    if isinstance(value, dict):
        return {key: _filled(item, path) for key, item in value.items()}
    if isinstance(value, list):
        return [_filled(item, path) for item in value]
    return value


FAMILY = AseFamily()
