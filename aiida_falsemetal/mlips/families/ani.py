"""ANI networks through `torchani` (Smith et al., Chem. Sci. 8, 3192 (2017)): one layer, short-ranged, H C N O.

A model is many small files, and is kept as one zip file: ``NAME.params`` (the symmetry functions), ``sae_linfit.dat``
(energies of the free atoms) and ``trainN/networks/`` (the members of the ensemble). torchani's own helper looks for
them in a file that is empty in the released package, and then on the network; here they are loaded one by one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ase import Atoms
from ase.calculators.calculator import Calculator

from ..family import Family, ModelError, ModelFacts
from ._tools import bundle, quietly, repeatable, unbundled

KIND = "bundle of ANI networks"
FOLDERS = {"ani-1x": "ani-1x_8x"}


class AniFamily(Family):
    """Zip files of NeuroChem's files, as :meth:`locate` makes them of those that torchani ships."""

    name = "ani"
    requires = ("torchani", "torch")
    environment = "ani"

    def inspect(self, path: Path, kwargs: dict[str, Any]) -> ModelFacts:
        """See :meth:`Family.inspect`. Elements and the larger of the two cutoffs are those of the ``.params`` file."""
        self.check_keys(kwargs, set())
        with unbundled(path, KIND) as folder:
            settings = _settings(_one(folder, "*.params", path))
            _members(folder, path)
        try:
            elements = tuple(sorted(settings["Atyp"].strip("[] ").replace(" ", "").split(",")))
            cutoff = max(float(settings["Rcr"]), float(settings["Rca"]))
        except (KeyError, ValueError) as error:
            raise ModelError(f"{path.name} has no complete .params file ({error}); locate it again.") from error
        return ModelFacts(elements, cutoff, layers=1, long_ranged=False, precision="float32")

    def calculator(self, path: Path, kwargs: dict[str, Any], atoms: Atoms) -> Calculator:
        """See :meth:`Family.calculator`."""
        self.check_elements(atoms, self.inspect(path, kwargs).elements)
        with unbundled(path, KIND) as folder, quietly():
            import torchani
            from torchani import neurochem

            constants = neurochem.Constants(str(_one(folder, "*.params", path)))
            shifter, energies = neurochem.load_sae(str(_one(folder, "sae_linfit.dat", path)), return_dict=True)
            members = _members(folder, path)
            networks = [neurochem.load_model(constants.species, str(member)) for member in members]
            model = torchani.models.BuiltinEnsemble(
                torchani.nn.SpeciesConverter(constants.species),
                torchani.AEVComputer(**constants),
                torchani.nn.Ensemble(networks),
                shifter,
                constants.species_to_tensor,
                constants,
                energies,
                True,
            )
            return model.to(repeatable()).ase()

    def locate(self, source: str) -> Path:
        """See :meth:`Family.locate`. ``source`` is ``ani-1x``, the one model that torchani ships with its networks."""
        import torchani

        if source not in FOLDERS:
            raise ModelError(f"torchani ships no model {source!r}; it ships {', '.join(FOLDERS)}.")
        folder = Path(str(torchani.__file__)).parent / "resources" / FOLDERS[source]
        wanted = [*folder.glob("*.params"), folder / "sae_linfit.dat", *folder.glob("train*/networks/*")]
        if len(wanted) < 3 or not wanted[1].is_file():
            raise ModelError(f"this torchani lacks {folder}; install the version of environments/ani.txt.")
        return bundle({file.relative_to(folder).as_posix(): file.read_bytes() for file in wanted}, source)


def _one(folder: Path, pattern: str, path: Path) -> Path:
    """The one file of this pattern in a bundle."""
    found = sorted(folder.glob(pattern))
    if len(found) != 1:
        raise ModelError(f"{path.name} has {len(found)} files {pattern}, not one; it is no {KIND}.")
    return found[0]


def _members(folder: Path, path: Path) -> list[Path]:
    """Folders of the ensemble's members, in order."""
    found = sorted(folder.glob("train*/networks"))
    if not found:
        raise ModelError(f"{path.name} has no networks (train0/networks and so on); it is no {KIND}.")
    return found


def _settings(path: Path) -> dict[str, str]:
    """``key = value`` lines."""
    lines = [line.split("=", 1) for line in path.read_text().splitlines() if "=" in line]
    return {key.strip(): value.strip() for key, value in lines}


FAMILY = AniFamily()
