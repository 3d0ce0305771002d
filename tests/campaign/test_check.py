"""Model files that are wrong are refused with file, field and remedy, and quickly."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aiida_falsemetal.campaign.check import ResolvedModel, check_campaign
from aiida_falsemetal.campaign.errors import CampaignError
from aiida_falsemetal.campaign.peek import peek_mace
from aiida_falsemetal.campaign.schema import load_campaign
from aiida_falsemetal.mlips.catalogue import model_path, presets
from aiida_falsemetal.mlips.family import ModelError
from aiida_falsemetal.mlips.registry import family_names, load_family

from .conftest import ARGON

REFUSAL_SECONDS = 5.0
"""A wrong file answers within this, the start of Python included."""

Write = Callable[[Any], Path]


def _check(path: Path) -> list[ResolvedModel]:
    return check_campaign(load_campaign(path), path)


def _refusal(path: Path) -> str:
    with pytest.raises(CampaignError) as raised:
        _check(path)
    sentence = str(raised.value)
    assert "\n" not in sentence and sentence.startswith(f"{path}: ") and sentence.endswith(".")
    return sentence


def _with_file(good: dict[str, Any], write: Write, name: str, content: bytes, **spec: Any) -> Path:
    path = write({**good, "mlips": {"mine": {"file": name, **spec}}})
    (path.parent / name).write_bytes(content)
    return path


def test_catalogue() -> None:
    assert list(presets())[:4] == ["spcfw-ewald", "spcfw-truncated", "twin-sr", "twin-lr"]
    for entry in presets().values():
        assert entry.family in family_names() and entry.licence and entry.reference and entry.summary
        if entry.family == "openmm":
            assert load_family("openmm").inspect(model_path(entry), entry.kwargs).elements == ("H", "O")


def test_a_gpu_is_asked_for_where_one_can_be_used(good: dict[str, Any], write: Write) -> None:
    good["mlips"] = {"spcfw-ewald": None, "twin-sr": {"preset": "twin-sr", "md": {"device": "cuda"}}}
    models = {model.name: model for model in _check(write(good))}
    assert set(models) == {"spcfw-ewald", "twin-sr"}
    sentence = _refusal(write({**good, "md": {**good.get("md", {}), "device": "cuda"}}))
    assert "md.device" in sentence and "`openmm`" in sentence and "MLIPs that can" in sentence
    good["mlips"] = {"spcfw-ewald": {"preset": "spcfw-ewald", "md": {"device": "cuda"}}}
    assert "mlips.spcfw-ewald.md.device" in _refusal(write(good))


def test_seeds_run_together_where_the_family_can(good: dict[str, Any], write: Write) -> None:
    good["mlips"] = {"spcfw-ewald": None, "twin-lr": {"preset": "twin-lr", "md": {"batch": 2}}}
    assert {model.name for model in _check(write(good))} == {"spcfw-ewald", "twin-lr"}
    sentence = _refusal(write({**good, "md": {**good.get("md", {}), "batch": 2}}))
    assert "md.batch" in sentence and "`openmm`" in sentence and "mace_ewald" in sentence
    good["mlips"] = {"spcfw-ewald": {"preset": "spcfw-ewald", "md": {"batch": 2}}}
    assert "mlips.spcfw-ewald.md.batch" in _refusal(write(good))


def test_shipped_model(good: dict[str, Any], write: Write) -> None:
    good["mlips"] = {
        "spcfw-ewald": None,
        "closer": {"preset": "spcfw-truncated", "kwargs": {"cutoff": 5.0}, "code": "md@localhost"},
    }
    ewald, closer = _check(write(good))
    assert ewald.facts.long_ranged and not closer.facts.long_ranged
    assert closer.facts.cutoff == 5.0 and closer.code == "md@localhost"
    assert closer.kwargs == {"electrostatics": "truncated", "cutoff": 5.0, "damping": 0.2}
    assert closer.sha256 == hashlib.sha256(closer.path.read_bytes()).hexdigest()
    assert "Fennell" in closer.facts.reference


def test_own_file_and_pin(good: dict[str, Any], write: Write) -> None:
    content = model_path(presets()["spcfw-ewald"]).read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    spec = {"family": "openmm", "licence": "CC0-1.0", "reference": "me"}
    (model,) = _check(_with_file(good, write, "my.xml", content, sha256=digest.upper(), **spec))
    assert model.path.is_absolute() and model.path.name == "my.xml"
    assert (model.facts.licence, model.facts.reference, model.preset) == ("CC0-1.0", "me", None)

    sentence = _refusal(_with_file(good, write, "my.xml", content, sha256="0" * 64, **spec))
    assert "mlips.mine.sha256" in sentence and digest in sentence and "pin" in sentence


def test_missing_file(good: dict[str, Any], write: Write) -> None:
    good["mlips"] = {"mine": {"family": "mace", "file": "models/none.model"}}
    sentence = _refusal(write(good))
    assert "mlips.mine.file: there is no model file" in sentence and "relative to the campaign file" in sentence


def test_missing_shipped_file(good: dict[str, Any], write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aiida_falsemetal.campaign.origin.model_path", lambda entry: Path("/nowhere") / entry.file)
    sentence = _refusal(write(good))
    assert "mlips.spcfw-ewald.preset" in sentence and "install the package again" in sentence


def test_folder_in_place_of_file(good: dict[str, Any], write: Write) -> None:
    good["mlips"] = {"mine": {"family": "mace", "file": "."}}
    assert "mlips.mine.file: there is no model file" in _refusal(write(good))


@pytest.mark.parametrize("family", ["openmm", "mace", "mace_ewald"])
@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 begun and never ended", b"<ForceField>"])
def test_truncated_file(family: str, content: bytes, good: dict[str, Any], write: Write) -> None:
    sentence = _refusal(_with_file(good, write, "my.model", content, family=family))
    assert "mlips.mine.file: my.model" in sentence and "; " in sentence


def test_zip_of_something_else(good: dict[str, Any], write: Write) -> None:
    path = _with_file(good, write, "my.model", b"", family="mace")
    with zipfile.ZipFile(path.parent / "my.model", "w") as archive:
        archive.writestr("readme", "no model")
    assert "torch.save did not write" in _refusal(path)


def test_unknown_element(good: dict[str, Any], write: Write) -> None:
    sentence = _refusal(_with_file(good, write, "ar.xml", ARGON.encode(), family="openmm"))
    for word in ("mlips.mine:", "ar.xml", "does not know H", "`film24`", "use a model made for H"):
        assert word in sentence


@pytest.mark.parametrize(
    ("kwargs", "words"),
    [
        ({"cutof": 5.0}, ["'cutof'", "cutoff"]),
        ({"cutoff": 50.0}, ["between 3 and 15"]),
        ({"cutoff": []}, ["TypeError"]),
    ],
)
def test_wrong_kwargs(kwargs: dict[str, Any], words: list[str], good: dict[str, Any], write: Write) -> None:
    good["mlips"] = {"spcfw-ewald": {"kwargs": kwargs}}
    sentence = _refusal(write(good))
    assert "mlips.spcfw-ewald.kwargs: " in sentence and all(word in sentence for word in words)


def test_peek_agrees_with_the_loaded_model(mace_models: dict[str, Path]) -> None:
    for path in mace_models.values():
        assert peek_mace(path) == load_family("mace").inspect(path, {})


def test_mace_model(mace_models: dict[str, Path], good: dict[str, Any], write: Write) -> None:
    good["mlips"] = {"mine": {"family": "mace", "file": str(mace_models["OH"]), "kwargs": {"default_dtype": "float32"}}}
    (model,) = _check(write(good))
    assert model.facts.elements == ("H", "O") and model.facts.receptive_field == 9.0


def test_weights_without_model(mace_models: dict[str, Path], tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    model = torch.load(mace_models["OH"], weights_only=False)
    torch.save(model.state_dict(), tmp_path / "weights.pt")
    with pytest.raises(ModelError, match="OrderedDict, not a MACE model; save the whole model"):
        peek_mace(tmp_path / "weights.pt")
    torch.save(torch.nn.Linear(1, 1), tmp_path / "linear.pt")
    with pytest.raises(ModelError, match="Linear without atomic_numbers"):
        peek_mace(tmp_path / "linear.pt")


def test_peek_runs_nothing_of_the_file(tmp_path: Path) -> None:
    """A pickle that would make a file when loaded makes none."""
    mark = tmp_path / "mark"
    with zipfile.ZipFile(tmp_path / "evil.model", "w") as archive:
        archive.writestr("evil/data.pkl", f"cos\nsystem\n(S'touch {mark}'\ntR.".encode())
    peek_mace(tmp_path / "evil.model")
    assert not mark.exists()


def _damage(model: Path, place: Path, how: str) -> None:
    content = bytearray(model.read_bytes())
    if how == "truncated":
        place.write_bytes(content[: len(content) * 3 // 4])
    elif how == "damaged":
        with zipfile.ZipFile(model) as archive:
            largest = max(archive.infolist(), key=lambda info: info.file_size)
        content[largest.header_offset + 200 + largest.file_size // 2] ^= 0xFF
        place.write_bytes(content)
    else:
        shutil.copy(model, place)


@pytest.mark.parametrize(
    ("model", "how", "words"),
    [
        ("OH", "truncated", ["mlips.mine.file", "truncated", "again"]),
        ("OH", "damaged", ["mlips.mine.file", "damaged", "again"]),
        ("CH", "whole", ["mlips.mine", "does not know O", "`film24`", "made for O"]),
    ],
)
def test_refusal_is_quick(
    model: str, how: str, words: list[str], mace_models: dict[str, Path], good: dict[str, Any], write: Write
) -> None:
    """In a new process, and behind a model that is right and slow to load."""
    good["mlips"] = {
        "first": {"family": "mace", "file": str(mace_models["OH"])},
        "mine": {"family": "mace", "file": "wrong.model"},
    }
    path = write(good)
    _damage(mace_models[model], path.parent / "wrong.model", how)
    script = (
        "import sys\n"
        "from aiida_falsemetal.campaign.check import check_campaign\n"
        "from aiida_falsemetal.campaign.errors import CampaignError\n"
        "from aiida_falsemetal.campaign.schema import load_campaign\n"
        "try:\n    check_campaign(load_campaign(sys.argv[1]), sys.argv[1])\n"
        "except CampaignError as error:\n    print(error, 'torch' in sys.modules)\n"
    )
    root = Path(__file__).parents[2]
    start = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", script, str(path)], cwd=root, capture_output=True, text=True, check=True
    )
    assert time.monotonic() - start < REFUSAL_SECONDS
    assert [word for word in words if word not in done.stdout] == [], done.stdout
    assert done.stdout.endswith("False\n"), "torch was imported for a refusal that does not need it"
