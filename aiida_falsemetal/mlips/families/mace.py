"""MACE files through mace-torch: short-ranged MACE, and PolarMACE and MACELES, which are long-ranged.

A MACE file is a pickle: loading one runs code that it names. A campaign's files were scanned before they come here
(:mod:`aiida_falsemetal.mlips.scan`). MACELES needs the package `les` beside mace-torch; it is on no package index, its
repository is github.com/ChengUCB/les.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator
from ase.data import chemical_symbols

from ..family import Boundary, Family, ModelError, ModelFacts
from ._lockstep import Lockstep
from ._mace_forces import MaceForces, MaceTogether, is_plain
from ._tools import download, load_checkpoint, precision, quietly, repeatable

LONG_RANGED_CLASSES = ("PolarMACE", "MACELES")
"""Classes of mace-torch whose energy holds explicit long-ranged electrostatics."""
OMOL = "https://github.com/ACEsuit/mace-foundations/releases/download/mace_omol_0/MACE-omol-0-extra-large-1024.model"
"""mace-torch has this address inside of a function; those of the other foundation models can be asked for."""


class MaceFamily(Family):
    """Model files written by ``mace_run_train``."""

    name = "mace"
    requires = ("mace", "torch")
    environment = "mace"
    batches = True

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`."""
        self.check_keys(kwargs, {"default_dtype", "head"})
        model = load_model(path)
        check_head(model, path.name, kwargs)
        return facts_of(model)

    def batch(self, path: Path, kwargs: dict[str, Any], systems: Sequence[Atoms]) -> tuple[Lockstep, list[Calculator]]:
        """See :meth:`Family.batch`."""
        self.check_keys(kwargs, {"default_dtype", "head"})
        lockstep = mace_lockstep(path, kwargs, len(systems))
        return lockstep, [lockstep.calculator(place) for place in range(len(systems))]

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`."""
        self.check_keys(kwargs, {"default_dtype", "head"})
        return mace_calculator(path, kwargs)

    def locate(self, source: str) -> Path:
        """See :meth:`Family.locate`. ``source`` is a foundation model of mace-torch's: ``mp/medium-mpa-0``,
        ``off/small``, ``omol/extra_large``, ``polar/polar-1-s`` and so on. None is inside of the package."""
        with quietly():
            from mace.calculators import foundations_models as foundation

        addresses = {
            **{f"mp/{name}": address for name, address in foundation.mace_mp_urls.items()},
            **{f"off/{name}": address for name, address in foundation.mace_off_urls.items()},
            **{f"polar/{name}": address for name, address in foundation.polar_model_urls.items()},
            "omol/extra_large": OMOL,
        }
        if source not in addresses:
            raise ModelError(f"mace-torch knows no foundation model {source!r}; it knows {', '.join(addresses)}.")
        # Any address will do: the function only caches what it downloads from there.
        return download(source, addresses[source], lambda: foundation.download_mace_mp_checkpoint(addresses[source]))


def load_model(path: Path) -> Any:
    """The ``torch.nn.Module`` in ``path``, on the CPU.

    :raises ModelError: if the file is truncated or holds no MACE model.
    """
    model = load_checkpoint(path, "MACE model")
    if not all(hasattr(model, name) for name in ("atomic_numbers", "r_max", "num_interactions")):
        raise ModelError(f"{path.name} holds a {type(model).__name__}, not a MACE model.")
    return model


def check_head(model: Any, name: str, kwargs: dict[str, Any]) -> None:
    """See that the ``head`` that is asked for is there: mace-torch takes the last one for a name that it does not know,
    which is another level of theory.

    :param name: of the file.
    :raises ModelError: with the heads that there are.
    """
    heads = [str(head) for head in getattr(model, "heads", None) or ["Default"]]
    if "head" in kwargs and kwargs["head"] not in heads:
        raise ModelError(
            f"{name} has no head {kwargs['head']!r}; give one of {', '.join(heads)} as `kwargs: {{head: NAME}}`."
        )
    if "head" not in kwargs and len(heads) > 1 and "default" not in map(str.lower, heads):
        raise ModelError(f"{name} has several heads; give one of {', '.join(heads)} as `kwargs: {{head: NAME}}`.")


def boundary_of(long_ranged: bool) -> Boundary:
    """Boundary of the electrostatics in the cells of this package, which are periodic in all directions.

    Read in the packages. PolarMACE (mace-torch 0.3.16) sums with graph_longrange 0.4.0, which leaves k = 0 out
    (``k_factor_coulomb`` in ``_pbc_energy_batch``, energy.py). It has the slab correction of Yeh and Berkowitz, and
    applies it only where ``pbc`` is (True, True, False); features.py does the same with the potentials that the charges
    depend on. (tests/mlips/test_mace.py measures it.) MACELES: ``compute_potential_triclinic`` of les (module/ewald.py)
    sums over ``k_sq > 0`` and corrects nothing. Both are tin-foil.

    A film on a metal in the same cell is summed in the same way. Its atoms have learnt charges, and may screen.
    """
    return "tin-foil" if long_ranged else "isolated"


def read_facts(path: Path) -> ModelFacts:
    """Facts of a model in a file, see :func:`facts_of`."""
    return facts_of(load_model(path))


def facts_of(model: Any) -> ModelFacts:
    """Cutoff, layers, elements, range and precision as the model itself states them."""
    long_ranged = type(model).__name__ in LONG_RANGED_CLASSES
    return ModelFacts(
        elements=tuple(sorted(chemical_symbols[int(z)] for z in model.atomic_numbers)),
        cutoff=float(model.r_max),
        layers=int(model.num_interactions),
        long_ranged=long_ranged,
        precision=precision(model),
        boundary=boundary_of(long_ranged),
    )


def mace_calculator(path: Path, kwargs: dict[str, Any]) -> Calculator:
    """A calculator on the CPU or, where there is one, the GPU: the quick one, or mace-torch's for what it cannot do."""
    (calculator,) = _torch_calculators(path, kwargs, 1)
    return MaceForces(calculator) if is_plain(calculator.models[0]) else calculator


def mace_lockstep(path: Path, kwargs: dict[str, Any], count: int) -> Lockstep:
    """Serves ``count`` systems, all at once; with models that want further inputs, which mace-torch's calculator makes
    of one system, one after the other."""
    calculators = _torch_calculators(path, kwargs, count)
    if is_plain(calculators[0].models[0]):
        return Lockstep(MaceTogether(calculators[0], count), count)

    def in_turn(systems: Mapping[int, Atoms]) -> dict[int, dict[str, Any]]:
        for place, atoms in systems.items():
            calculators[place].calculate(atoms)
        return {place: dict(calculators[place].results) for place in systems}

    return Lockstep(in_turn, count)


def _torch_calculators(path: Path, kwargs: dict[str, Any], count: int) -> list[Any]:
    """mace-torch's calculators, which have the model in common."""
    with quietly():
        from mace.calculators import MACECalculator

    device = repeatable()
    model = load_model(path)
    check_head(model, path.name, kwargs)
    options = {"default_dtype": precision(model), **kwargs}
    if type(model).__name__ == "PolarMACE":
        options["model_type"] = "PolarMACE"
    with quietly():
        return [MACECalculator(models=[model], device=device, **options) for _ in range(count)]


FAMILY = MaceFamily()
