"""`falsemetal setup --pseudos`: folders, published families (their download replaced), a machine without network."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from pathlib import Path
from typing import Any

import click
import pytest
from aiida import orm

from aiida_falsemetal.cli.profile import pseudo_folder
from aiida_falsemetal.cli.pseudos import check_name, install_pseudos, published

from .conftest import Home

SSSP = "SSSP/1.3/PBE/efficiency"
UNREACHABLE = {"HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9", "NO_PROXY": ""}
"""Nothing listens there: whatever network the machine has, a download fails at once."""


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of two pseudopotentials and a file that is none."""
    place = tmp_path / "mine"
    place.mkdir()
    source = pseudo_folder()
    assert source is not None
    shutil.copy(source / "H.UPF", place / "h.upf")
    shutil.copy(source / "O.UPF", place / "O.UPF")
    (place / "README").write_text("not a pseudopotential")
    return place


def groups() -> list[str]:
    return sorted(group.label for (group,) in orm.QueryBuilder().append(orm.Group).all())


def test_folder_becomes_a_family_of_its_name(aiida_profile_clean: Any, folder: Path, said: list[str]) -> None:
    assert install_pseudos(str(folder), said.append) == "mine"
    assert sorted(node.element for node in orm.load_group("mine").nodes) == ["H", "O"]
    assert said == ["pseudopotentials mine: installed; name it in gap.pseudo_family"]


def test_second_time_changes_nothing(aiida_profile_clean: Any, folder: Path, said: list[str]) -> None:
    install_pseudos(str(folder), said.append)
    before = orm.load_group("mine").uuid, orm.QueryBuilder().append(orm.Node).count()
    install_pseudos(f"{folder}/", said.append)
    assert (orm.load_group("mine").uuid, orm.QueryBuilder().append(orm.Node).count()) == before
    assert "there already" in said[-1]


def test_family_is_not_replaced_under_results_that_rest_on_it(
    aiida_profile_clean: Any, folder: Path, said: list[str]
) -> None:
    install_pseudos(str(folder), said.append)
    (folder / "h.upf").unlink()
    with pytest.raises(click.ClickException, match="rename the folder"):
        install_pseudos(str(folder), said.append)
    assert orm.load_group("mine").count() == 2


@pytest.mark.parametrize("case", ["broken", "twice"])
def test_unusable_folder_leaves_nothing(case: str, aiida_profile_clean: Any, folder: Path, said: list[str]) -> None:
    if case == "broken":
        (folder / "C.UPF").write_text("hello")
    else:
        shutil.copy(folder / "O.UPF", folder / "O2.UPF")
    with pytest.raises(click.ClickException, match=f"{folder} cannot become a family .*one UPF file an element"):
        install_pseudos(str(folder), said.append)
    assert groups() == []


def test_folder_without_pseudopotentials_is_refused(tmp_path: Path) -> None:
    with pytest.raises(click.ClickException, match="holds no file that ends in .upf"):
        check_name(str(tmp_path))


def test_published_families_are_those_that_pw_reads() -> None:
    known = published()
    assert known[SSSP] == ["sssp", "-v", "1.3", "-x", "PBE", "-p", "efficiency"]
    dojo = known["PseudoDojo/0.4/PBE/SR/standard/upf"]
    assert dojo == ["pseudo-dojo", "-v", "0.4", "-x", "PBE", "-r", "SR", "-p", "standard", "-f", "upf"]
    assert not [label for label in known if "psp8" in label or "jthxml" in label or "psml" in label]


@pytest.mark.parametrize(
    ("name", "words"), [("SSSP/1.3/PBE/eficiency", "such are SSSP/1.3/PBE/efficiency"), ("x", "PseudoDojo/0.4/PBE")]
)
def test_name_that_is_not_known(name: str, words: str) -> None:
    with pytest.raises(click.ClickException, match=words):
        check_name(name)


def download(folder: Path, md5: str | None = None) -> Any:
    """Stands in for aiida-pseudo's download of SSSP: two pseudopotentials and their cutoffs."""

    def download_sssp(_: Any, archive: Path, metadata: Path, traceback: bool = False) -> str:
        facts = {}
        with tarfile.open(archive, "w:gz") as tar:
            for name, cutoff in (("h.upf", 60.0), ("O.UPF", 50.0)):
                tar.add(folder / name, name)
                digest = hashlib.md5((folder / name).read_bytes()).hexdigest()
                facts[name[0].upper()] = {"md5": md5 or digest, "cutoff_wfc": cutoff, "cutoff_rho": 8 * cutoff}
        metadata.write_text(json.dumps(facts))
        return "1.3.0"

    return download_sssp


def test_published_family_comes_with_its_cutoffs(
    aiida_profile_clean: Any, folder: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiida_pseudo.cli.install.download_sssp", download(folder))
    assert install_pseudos(SSSP, said.append) == SSSP
    family = orm.load_group(SSSP)
    assert family.get_recommended_cutoffs(elements=("H", "O"), unit="Ry") == pytest.approx((60.0, 480.0))
    uuid = family.uuid
    install_pseudos(SSSP, said.append)
    assert orm.load_group(SSSP).uuid == uuid
    assert "there already" in said[-1]


def test_damaged_download_leaves_nothing(
    aiida_profile_clean: Any, folder: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aiida_pseudo.cli.install.download_sssp", download(folder, md5="0" * 32))
    with pytest.raises(click.ClickException, match="was not installed .*md5"):
        install_pseudos(SSSP, said.append)
    assert groups() == []


def test_interrupted_installation_leaves_nothing(
    aiida_profile_clean: Any, folder: Path, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The family is there before its cutoffs are."""

    def set_cutoffs(*_: Any, **__: Any) -> None:
        raise OSError("disk full")

    monkeypatch.setattr("aiida_pseudo.cli.install.download_sssp", download(folder))
    monkeypatch.setattr("aiida_pseudo.groups.family.sssp.SsspFamily.set_cutoffs", set_cutoffs)
    with pytest.raises(click.ClickException, match="was not installed"):
        install_pseudos(SSSP, said.append)
    assert groups() == []


@pytest.mark.qe
@pytest.mark.parametrize("name", [SSSP, "PseudoDojo/0.4/PBE/SR/standard/upf"])
def test_without_a_network_one_sentence_says_what_to_do(name: str, home: Home) -> None:
    count = "print(json.dumps([orm.QueryBuilder().append(c).count() for c in (orm.Node, orm.Group)]))"
    before = home.ask(count)
    done = Home(home.folder, UNREACHABLE).run("setup", "--pseudos", name)
    assert done.returncode == 1
    assert done.stderr.startswith(f"Error: {name} cannot be downloaded")
    assert done.stderr.count("\n") == 1
    assert "--download-only" in done.stderr and "--from-download" in done.stderr
    assert home.ask(count) == before


@pytest.mark.qe
def test_unknown_name_is_refused_before_anything_is_made(empty_home: Home) -> None:
    done = empty_home.run("setup", "--pseudos", "SSSP/9")
    assert done.returncode == 1
    assert done.stderr.startswith("Error: 'SSSP/9' is neither a folder")
    assert not (empty_home.folder / ".aiida" / "repository").exists()
