"""Families whose packages are not installed here: what their files say, and what they refuse, needs torch alone."""

from __future__ import annotations

import ast
import io
import itertools
import json
import sys
import tarfile
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from ase import Atoms

from aiida_falsemetal.mlips import families
from aiida_falsemetal.mlips.families import _tools, grace
from aiida_falsemetal.mlips.families._tools import bundle, download, unbundled
from aiida_falsemetal.mlips.family import Family, ModelError, ModelFacts
from aiida_falsemetal.mlips.registry import family_names, load_family

SEVENNET = {
    "chemical_species": ["O", "H"],
    "cutoff": 5.0,
    "num_convolution_layer": 3,
    "dtype": "double",
    "_modal_map": {"PBE": 0, "R2SCAN": 1},
}
WATER = Atoms("OHH")
CHECKPOINTS = ("sevennet", "chgnet", "so3lr", "mace")


class TinySo3(torch.nn.Module):
    """As much of So3krates as is looked at."""

    def __init__(self, **more: Any) -> None:
        super().__init__()
        self.r_max, self.num_layers = 4.5, 2
        self.electrostatic_energy_bool = True
        self.partial_charges_output_block = torch.nn.Identity()
        self.atomic_energy_output_block = torch.nn.Module()
        self.atomic_energy_output_block.energy_scales = torch.nn.Linear(118, 1, bias=False)
        scales = torch.ones(1, 118)
        scales[0, [0, 7]] = 0.7
        self.atomic_energy_output_block.energy_scales.weight.data = scales
        for key, value in more.items():
            setattr(self, key, value)


def saved(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def params(folder: Path, text: str = "Rcr = 5.2000e+00\nRca = 3.5000e+00\nAtyp = [H,C,N,O]\n") -> dict[str, bytes]:
    return {"a.params": text.encode(), "sae_linfit.dat": b"", "train0/networks/ANN-H.nnf": b""}


@pytest.mark.parametrize("name", family_names())
def test_every_family_can_be_loaded_and_has_what_it_needs(name: str) -> None:
    family = load_family(name)
    assert isinstance(family, Family)
    assert family.name == name
    assert family.requires
    assert not name.startswith("_")


@pytest.mark.parametrize("path", sorted(Path(families.__path__[0]).glob("*.py")), ids=lambda path: path.stem)
def test_model_packages_are_imported_inside_of_functions_only(path: Path) -> None:
    """The families travel, all of them, to environments that have the package of one."""
    allowed = {"ase", "numpy", *sys.stdlib_module_names}
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            assert {alias.name.split(".")[0] for alias in node.names} <= allowed
        elif isinstance(node, ast.ImportFrom) and not node.level:
            assert str(node.module).split(".")[0] in allowed


def test_facts_of_a_sevennet_checkpoint(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pth", {"config": SEVENNET})
    facts = load_family("sevennet").inspect(path, {"modal": "PBE"})
    assert facts == ModelFacts(("H", "O"), 5.0, 3, False, "float64")
    assert facts.receptive_field == 15.0


@pytest.mark.parametrize(
    ("kwargs", "config", "text"),
    [
        ({}, SEVENNET, "modal must be PBE or R2SCAN with a.pth, not None"),
        ({"modal": "PBEsol"}, SEVENNET, "not 'PBEsol'"),
        ({"modal": "PBE"}, {**SEVENNET, "_modal_map": None}, "remove the keyword 'modal'"),
        ({"modality": "PBE"}, SEVENNET, "does not know the keyword 'modality'; it knows modal"),
        ({}, {"cutoff": 5.0}, "holds no SevenNet checkpoint; give the .pth"),
    ],
)
def test_sevennet_refuses(tmp_path: Path, kwargs: Any, config: Any, text: str) -> None:
    path = saved(tmp_path / "a.pth", {"config": config})
    with pytest.raises(ModelError, match=text):
        load_family("sevennet").inspect(path, kwargs)


def test_facts_of_a_chgnet_file(tmp_path: Path) -> None:
    state = {"atom_embedding.embedding.weight": torch.zeros(94, 64)}
    model = {"model_args": {"atom_graph_cutoff": 6, "bond_graph_cutoff": 3, "n_conv": 4}, "state_dict": state}
    path = saved(tmp_path / "a.pth.tar", {"model": model})
    facts = load_family("chgnet").inspect(path, {})
    assert (facts.cutoff, facts.layers, facts.long_ranged, facts.precision) == (6.0, 4, False, "float32")
    assert len(facts.elements) == 89
    assert not {"Po", "At", "Rn", "Fr", "Ra", "Am"} & set(facts.elements)
    assert {"H", "O", "Pu", "Ac"} <= set(facts.elements)
    with pytest.raises(ModelError, match="does not know the keyword 'x'; it takes none"):
        load_family("chgnet").inspect(path, {"x": 1})


def test_facts_of_an_ani_bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    facts = load_family("ani").inspect(bundle(params(tmp_path), "a"), {})
    assert facts == ModelFacts(("C", "H", "N", "O"), 5.2, 1, False, "float32")


@pytest.mark.parametrize(
    ("missing", "text"),
    [("a.params", r"0 files \*.params"), ("train0/networks/ANN-H.nnf", "no networks")],
)
def test_ani_bundle_that_lacks_something_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str, text: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    files = {name: content for name, content in params(tmp_path).items() if name != missing}
    with pytest.raises(ModelError, match=text):
        load_family("ani").inspect(bundle(files, "a"), {})
    with pytest.raises(ModelError, match="no complete .params"):
        load_family("ani").inspect(bundle(params(tmp_path, "Rcr = 5.2\n"), "b"), {})


def test_coulomb_term_of_so3lr_is_not_long_ranged(tmp_path: Path) -> None:
    family, path = load_family("so3lr"), saved(tmp_path / "a.model", TinySo3())
    facts = family.inspect(path, {})
    assert facts == ModelFacts(("H", "O"), 4.5, 2, False, "float32", coulomb_cutoff=12.0)
    # Its charges are what the layers have found, so both reaches add up.
    assert facts.receptive_field == 2 * 4.5 + 12.0
    wider = family.inspect(path, {"r_max_lr": 20, "default_dtype": "float64"})
    assert (wider.coulomb_cutoff, wider.long_ranged, wider.precision) == (20.0, False, "float64")


def test_so3krates_without_coulomb_and_with_ewald(tmp_path: Path) -> None:
    family = load_family("so3lr")
    plain = family.inspect(saved(tmp_path / "a.model", TinySo3(electrostatic_energy_bool=False)), {})
    assert (plain.long_ranged, plain.coulomb_cutoff, plain.receptive_field) == (False, None, 9.0)
    ewald = family.inspect(saved(tmp_path / "b.model", TinySo3(use_pme=True)), {})
    assert (ewald.long_ranged, ewald.coulomb_cutoff, ewald.boundary) == (True, None, "tin-foil")


@pytest.mark.parametrize("value", [None, "12", True, 3.0, 1e6, float("nan")])
def test_so3lr_refuses_a_radius_that_is_none(tmp_path: Path, value: Any) -> None:
    path = saved(tmp_path / "a.model", TinySo3())
    with pytest.raises(ModelError, match="r_max_lr must be a length between 5 and 100 Å"):
        load_family("so3lr").inspect(path, {"r_max_lr": value})


@pytest.mark.parametrize("name", [*CHECKPOINTS, "ani"])
def test_files_of_something_else_are_refused(tmp_path: Path, name: str) -> None:
    family = load_family(name)
    for content in (b"", b"no model at all", b"PK\x03\x04 and no more"):
        path = tmp_path / "broken.file"
        path.write_bytes(content)
        with pytest.raises(ModelError, match="broken.file .*complete"):
            family.inspect(path, {})
    if name in CHECKPOINTS:
        with pytest.raises(ModelError, match="weights.file holds"):
            family.inspect(saved(tmp_path / "weights.file", {"layer": torch.zeros(3)}), {})


def test_a_pickle_of_a_package_that_is_not_here_says_so(tmp_path: Path) -> None:
    module = type(sys)("les_not_here")
    module.Les = type("Les", (torch.nn.Module,), {"__module__": "les_not_here"})
    sys.modules["les_not_here"] = module
    try:
        path = saved(tmp_path / "les.model", module.Les())
    finally:
        del sys.modules["les_not_here"]
    with pytest.raises(ModelError, match="les.model needs the Python package 'les_not_here'.*install it"):
        load_family("mace").inspect(path, {})


def test_receptive_field_of_fixed_charges_is_the_larger_radius() -> None:
    assert ModelFacts(("H",), 6.0, 1, False, "mixed", coulomb_cutoff=6.0).receptive_field == 6.0
    assert ModelFacts(("H",), 6.0, 1, False, "mixed", coulomb_cutoff=9.0).receptive_field == 9.0
    assert ModelFacts(("H",), 6.0, 2, True, "mixed").receptive_field == 12.0


def test_openmm_says_where_its_coulomb_term_ends() -> None:
    from aiida_falsemetal.mlips.catalogue import model_path, presets

    for name, expected in (("spcfw-truncated", (False, 6.0)), ("spcfw-ewald", (True, None))):
        entry = presets()[name]
        facts = load_family(entry.family).inspect(model_path(entry), entry.kwargs)
        assert (facts.long_ranged, facts.coulomb_cutoff) == expected
        assert facts.receptive_field == 6.0


def test_unknown_element_is_named_with_the_remedy() -> None:
    with pytest.raises(ModelError, match="`ani` model was not trained on Cu, Zn .it knows H, O.; use a model made for"):
        load_family("ani").check_elements(Atoms("ZnCuH"), ("O", "H"))
    load_family("ani").check_elements(WATER, ("O", "H"))


def test_families_without_weights_of_their_own_say_so() -> None:
    with pytest.raises(ModelError, match="`openmm` ships no weights.*give a model with `file:`"):
        load_family("openmm").locate("spce")
    with pytest.raises(ModelError, match="`mace` needs a model file; give one with `file:`"):
        load_family("mace").stand_in({})


def test_bundle_is_the_same_file_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = bundle({"b/c": b"2", "a": b"1"}, "weights").read_bytes()
    assert bundle({"a": b"1", "b/c": b"2"}, "weights").read_bytes() == first
    assert bundle({"a": b"1"}, "weights").read_bytes() != first
    with unbundled(bundle({"b/c": b"2"}, "weights"), "bundle") as folder:
        assert (folder / "b" / "c").read_bytes() == b"2"
    assert not folder.exists()
    assert [path.name for path in (tmp_path / "aiida-falsemetal").iterdir()] == ["weights.zip"]


def test_bundle_does_not_write_outside_of_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "evil.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("../../evil.txt", "x")
    with unbundled(path, "bundle") as folder:
        assert not (folder.parent / "evil.txt").exists()
        assert not (folder.parent.parent / "evil.txt").exists()


def test_weights_that_cannot_be_downloaded() -> None:
    def offline() -> str:
        raise OSError("Name or service\n not known")

    with pytest.raises(ModelError) as refused:
        download("7net-omni", "its releases", offline)
    assert str(refused.value) == (
        "the weights of 7net-omni are not on this machine and cannot be downloaded from it "
        "(OSError: Name or service not known); download them from its releases and give the local file with `file:`."
    )
    with pytest.raises(ModelError, match="/nowhere is not there"):
        download("x", "y", lambda: "/nowhere")


def test_weights_in_the_cache_need_no_network(tmp_path: Path) -> None:
    (tmp_path / "w").write_bytes(b"1")
    assert download("x", "y", lambda: tmp_path / "w") == tmp_path / "w"

    def without() -> str:
        raise ModuleNotFoundError("No module named 'sevenn'", name="sevenn")

    with pytest.raises(ImportError):
        download("x", "y", without)


def test_foundation_model_of_mace_is_looked_up_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from mace.calculators import foundations_models

    asked: list[str] = []

    def fetch(address: str) -> str:
        asked.append(address)
        path = tmp_path / "weights"
        path.touch()
        return str(path)

    monkeypatch.setattr(foundations_models, "download_mace_mp_checkpoint", fetch)
    family = load_family("mace")
    for source in ("mp/medium-0b3", "off/small", "polar/polar-1-s", "omol/extra_large"):
        assert family.locate(source) == tmp_path / "weights"
    assert [address.rpartition("/")[2] for address in asked] == [
        "mace-mp-0b3-medium.model",
        "MACE-OFF23_small.model",
        "MACE-POLAR-1-S.model",
        "MACE-omol-0-extra-large-1024.model",
    ]
    with pytest.raises(ModelError, match="knows no foundation model 'mp/huge'; it knows mp/small"):
        family.locate("mp/huge")


def test_cache_folder_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert _tools.cache_folder() == tmp_path / "aiida-falsemetal"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert _tools.cache_folder() == Path.home() / ".cache" / "aiida-falsemetal"


@pytest.mark.parametrize("name", ["mattersim", "orb"])
@pytest.mark.parametrize(
    ("elements", "text"),
    [
        (None, "do not tell which elements they were trained on; state them"),
        ([], "state them, as in `elements: .H, O.`"),
        ("HO", "state them"),
        (["H", "Qq"], "'Qq' is no element that this"),
    ],
)
def test_files_that_do_not_tell_their_elements_need_them_stated(
    tmp_path: Path, name: str, elements: Any, text: str
) -> None:
    content = {"model_args": {"cutoff": 5.0, "num_blocks": 3, "max_z": 94}, "model": {"a": torch.zeros(1)}}
    path = saved(tmp_path / "a.pth", content)
    with pytest.raises(ModelError, match=text):
        load_family(name).inspect(path, {} if elements is None else {"elements": elements})


def test_facts_of_a_mattersim_checkpoint(tmp_path: Path) -> None:
    content = {"model_args": {"cutoff": 5.0, "num_blocks": 3, "max_z": 94}, "model": {"a": torch.zeros(1)}}
    facts = load_family("mattersim").inspect(saved(tmp_path / "a.pth", content), {"elements": ["O", "H", "H"]})
    assert facts == ModelFacts(("H", "O"), 5.0, 3, False, "float32")
    with pytest.raises(ModelError, match="holds no MatterSim checkpoint"):
        load_family("mattersim").inspect(saved(tmp_path / "b.pth", {"model": 1}), {"elements": ["H"]})


AIMNET = {
    "cutoff": 5.0,
    "model_yaml": "class: aimnet.models.AIMNet2\nkwargs: {hidden: [[8], [8], [8]]}\n",
    "coulomb_mode": "sr_embedded",
    "implemented_species": [1, 8],
    "state_dict": {},
}


@pytest.mark.parametrize(
    ("kwargs", "mode", "long_ranged", "coulomb"),
    [
        ({}, "sr_embedded", False, 15.0),
        ({"coulomb_cutoff": 9}, "sr_embedded", False, 9.0),
        ({"coulomb": "ewald"}, "sr_embedded", True, None),
        ({"coulomb": "pme"}, "sr_embedded", True, None),
        ({"coulomb": "ewald"}, "none", False, None),
        ({}, "none", False, None),
    ],
)
def test_aimnet_is_long_ranged_only_with_a_full_sum(
    tmp_path: Path, kwargs: Any, mode: str, long_ranged: bool, coulomb: float | None
) -> None:
    path = saved(tmp_path / "a.pt", {**AIMNET, "coulomb_mode": mode})
    facts = load_family("aimnet").inspect(path, kwargs)
    boundary: Any = "tin-foil" if long_ranged else "isolated"
    assert facts == ModelFacts(("H", "O"), 5.0, 3, long_ranged, "float32", coulomb_cutoff=coulomb, boundary=boundary)
    assert facts.receptive_field == 15.0 + (coulomb or 0.0)


@pytest.mark.parametrize(
    ("kwargs", "change", "text"),
    [
        ({"coulomb": "simple"}, {}, "coulomb must be dsf, ewald or pme, not 'simple'"),
        ({"coulomb_cutoff": "15"}, {}, "must be a length between 5 and 100 Å"),
        ({"charge": 1}, {}, "does not know the keyword 'charge'"),
        ({}, {"model_yaml": "nothing: 1"}, "does not say how many passes"),
        ({}, {"model_yaml": "a: [}"}, "does not say how many passes"),
    ],
)
def test_aimnet_refuses(tmp_path: Path, kwargs: Any, change: Any, text: str) -> None:
    path = saved(tmp_path / "a.pt", {**AIMNET, **change})
    with pytest.raises(ModelError, match=text):
        load_family("aimnet").inspect(path, kwargs)


def test_aimnet_runs_nothing_that_is_in_the_file(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.pt", TinySo3())
    with pytest.raises(ModelError, match="cannot be loaded as an AIMNet2 file of format 2 .UnpicklingError"):
        load_family("aimnet").inspect(path, {})
    with pytest.raises(ModelError, match="holds no AIMNet2 model of format 2"):
        load_family("aimnet").inspect(saved(tmp_path / "b.pt", {"cutoff": 5.0}), {})


SAID = {"type_names": "O H", "r_max": "6.0", "model_dtype": "float32", "allow_tf32": "0"}


def compiled(path: Path, said: dict[str, str]) -> Path:
    """As much of what nequip-compile writes as tells of the model."""
    with zipfile.ZipFile(path, "w") as archive:
        if path.suffix == ".pth":
            for key, value in said.items():
                archive.writestr(f"a.nequip/extra/{key}", value)
        else:
            archive.writestr("a.nequip/data/aotinductor/model/c3tt.wrapper_metadata.json", json.dumps(said))
    return path


@pytest.mark.parametrize("name", ["a.nequip.pth", "a.nequip.pt2"])
def test_facts_of_a_compiled_nequip_model(tmp_path: Path, name: str) -> None:
    """They are read as text: nequip is not here, and nothing of the file is loaded."""
    family, path = load_family("nequip"), compiled(tmp_path / name, SAID)
    assert family.inspect(path, {"layers": 6}) == ModelFacts(("H", "O"), 6.0, 6, False, "float32")
    with pytest.raises(ModelError, match=f"{name} does not tell how many layers it has; state them"):
        family.inspect(path, {})


@pytest.mark.parametrize(
    ("name", "kwargs", "said", "text"),
    [
        ("a.nequip.pth", {"layers": 0}, SAID, "layers must be a whole number of 1 or more, not 0"),
        ("a.nequip.pth", {"layers": True}, SAID, "layers must be a whole number"),
        ("a.nequip.pth", {"layer": 1}, SAID, "does not know the keyword 'layer'; it knows layers"),
        ("a.pth", {"layers": 6}, SAID, "a.pth has none of nequip's endings; give a package .*under its own name"),
        ("a.nequip.pt2", {"layers": 6}, {"r_max": "6"}, "a.nequip.pt2 holds no compiled model of nequip"),
        ("a.nequip.pt2", {"layers": 6}, {**SAID, "type_names": "Hw O"}, "the type 'Hw', which is no element"),
    ],
)
def test_nequip_refuses(tmp_path: Path, name: str, kwargs: Any, said: Any, text: str) -> None:
    with pytest.raises(ModelError, match=text):
        load_family("nequip").inspect(compiled(tmp_path / name, said), kwargs)


def packed(path: Path, names: list[str]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name in names:
            archive.addfile(tarfile.TarInfo(name), io.BytesIO())
    return path


@pytest.mark.parametrize(
    ("names", "text"),
    [
        ([], "a.tar.gz holds 0 SavedModels instead of one; give the .tar.gz as published"),
        (["a/saved_model.pb", "b/saved_model.pb"], "holds 2 SavedModels"),
        (["a/saved_model.pb", "../evil.txt"], "not a complete archive .OutsideDestinationError"),
    ],
)
def test_archives_that_are_no_grace_model_are_refused(tmp_path: Path, names: list[str], text: str) -> None:
    with pytest.raises(ModelError, match=text):
        load_family("grace").inspect(packed(tmp_path / "a.tar.gz", names), {})


@pytest.mark.parametrize("content", [b"", b"no model at all", b"\x1f\x8b\x08 and no more"])
def test_broken_files_of_grace_and_nequip_are_refused(tmp_path: Path, content: bytes) -> None:
    for family, name in (("grace", "a.tar.gz"), ("nequip", "a.nequip.pth"), ("nequip", "a.nequip.pt2")):
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(ModelError, match=f"{name} .*complete"):
            load_family(family).inspect(path, {"layers": 2})


def test_layers_of_grace_are_sums_over_neighbours_that_follow_each_other() -> None:
    kind = type("_UserObject", (SimpleNamespace,), {"__hash__": object.__hash__})
    element = kind(element_map_symbols=1)
    first = kind(angular=kind(), indicator=element)
    other = kind(angular=kind(), indicator=element)
    outcome = kind(instructions=[first, kind(left=first, right=first)])
    second = kind(angular=kind(), indicator=outcome)
    assert grace._layers(SimpleNamespace(instructions={"A": first, "B": other})) == 1
    assert grace._layers(SimpleNamespace(instructions=[first, other, outcome, second])) == 2
    third = kind(angular=kind(), indicator=kind(origin=(second,)))
    assert grace._layers(SimpleNamespace(instructions=[third])) == 3
    # What the second layer takes cannot be followed: better no number than one too few.
    lost = kind(angular=kind(), indicator=kind())
    assert grace._layers(SimpleNamespace(instructions=[first, lost])) is None
    assert grace._layers(SimpleNamespace()) is None


def test_sizes_of_grace_are_a_ladder_without_a_memory() -> None:
    bounds = grace._bounds(48)
    assert {atoms for atoms, _ in bounds} == {49}
    sizes = [size for _, size in bounds]
    assert sizes[0] == 256 and sizes[-1] > 10**9
    assert all(low < high <= 1.05 * low + 1 for low, high in itertools.pairwise(sizes))
