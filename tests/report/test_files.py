"""The four files: strict, complete, the same every time, never half written."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from aiida_falsemetal.names import FRAME_COLUMNS
from aiida_falsemetal.report.build import _remove_others
from aiida_falsemetal.report.data import CELL_COLUMNS, plain

from .conftest import SETTINGS, Campaign

NAMES = ("report.html", "results.json", "results.csv", "cells.csv")


def build(folder: Path, given: Campaign, name: str = "water") -> Path:
    """The report of a synthetic campaign."""
    return given.write(folder, name)


def refuse(constant: str) -> Any:
    """For ``json.loads``: NaN is not JSON."""
    raise AssertionError(f"{constant} is not JSON")


def test_writes_four_files_and_nothing_else(tmp_path: Path, campaign: Campaign) -> None:
    assert build(tmp_path / "new" / "folder", campaign) == tmp_path / "new" / "folder" / "report.html"
    assert sorted(path.name for path in (tmp_path / "new" / "folder").iterdir()) == sorted(NAMES)


def test_same_input_gives_same_bytes(tmp_path: Path, campaign: Campaign) -> None:
    build(tmp_path / "one", campaign)
    build(tmp_path / "two", campaign)
    for name in NAMES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_arguments_are_left_alone(tmp_path: Path, campaign: Campaign) -> None:
    before = json.dumps([campaign.rows, campaign.pairs])
    build(tmp_path, campaign)
    assert json.dumps([campaign.rows, campaign.pairs]) == before


def test_json_is_strict_and_complete(tmp_path: Path, campaign: Campaign) -> None:
    campaign.rows[0]["witness"] = float("nan")
    campaign.rows[1]["fermi"] = np.float64("inf")
    build(tmp_path, campaign)
    found = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"), parse_constant=refuse)
    assert list(found) == ["campaign", "settings", "frames", "pairs", "cells", "laws"]
    assert found["frames"][0]["witness"] is None and found["frames"][1]["fermi"] is None
    assert found["frames"][2] == campaign.rows[2]
    assert [pair["pair_pk"] for pair in found["pairs"]] == [pair["pair_pk"] for pair in campaign.pairs]
    assert found["cells"] == campaign.cells and found["laws"] == campaign.laws


def test_cells_csv_has_one_line_a_cell(tmp_path: Path, campaign: Campaign) -> None:
    build(tmp_path, campaign)
    with (tmp_path / "cells.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert [row["verdict"] for row in found] == [row["verdict"] for row in campaign.cells]
    assert set(found[0]) == set(campaign.cells[0]) and len(found) == 5
    assert list(found[0])[:5] == ["campaign", "interface", "mlip", "verdict_pk", "verdict"]
    assert found[0]["metallized_bound"] == "" and float(found[0]["rhat"]) == campaign.cells[0]["rhat"]
    # Lists and dictionaries are JSON, as in results.json.
    assert json.loads(found[0]["failed"]) == {"410": 2}
    assert json.loads(found[1]["missing"]) == campaign.cells[1]["missing"]


def test_csv_has_one_line_a_frame(tmp_path: Path, campaign: Campaign) -> None:
    campaign.rows[3]["exit_message"] = 'a comma, a "quote"\nand a line'
    build(tmp_path, campaign)
    with (tmp_path / "results.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    assert len(found) == len(campaign.rows)
    assert found[3]["exit_message"] == campaign.rows[3]["exit_message"]
    assert float(found[2]["Mz_per_area"]) == campaign.rows[2]["Mz_per_area"]
    failed = next(index for index, row in enumerate(campaign.rows) if row["exit_code"] == 410)
    assert found[failed]["gap"] == "" and found[failed]["exit_code"] == "410"


def test_empty_campaign(tmp_path: Path) -> None:
    page = build(tmp_path, Campaign([], [], {}, SETTINGS)).read_text(encoding="utf-8")
    assert "This campaign has no pairs yet." in page and "No frame has been selected yet." in page
    assert (tmp_path / "results.csv").read_text() == ",".join(FRAME_COLUMNS) + "\n"
    assert (tmp_path / "cells.csv").read_text() == ",".join(CELL_COLUMNS) + "\n"


def test_a_failing_write_leaves_the_old_page(
    tmp_path: Path, campaign: Campaign, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "report.html").write_text("old")

    def full(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="no space left"):
        build(tmp_path, campaign)
    assert [path.name for path in tmp_path.iterdir()] == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "old"


def test_figures_of_an_earlier_report_do_not_stay_beside_new_numbers(tmp_path: Path) -> None:
    ours = b'{"figure":"gaps"}'
    for name in ("gaps_old", "gaps_new"):
        for end in ("csv", "json", "svg", "pdf"):
            (tmp_path / f"{name}.{end}").write_bytes(ours)
    for name in ("gaps_mine.svg", "gaps_theirs.json"):
        (tmp_path / name).write_text("{}")
    _remove_others(tmp_path, {"gaps_new.csv", "gaps_new.json"})
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["gaps_mine.svg", "gaps_new.csv", "gaps_new.json", "gaps_theirs.json"]


def test_nothing_is_written_if_a_row_cannot_be(tmp_path: Path, campaign: Campaign) -> None:
    campaign.rows[0]["gap"] = object()
    with pytest.raises(TypeError, match="a result cannot hold object"):
        build(tmp_path / "none", campaign)
    assert not (tmp_path / "none").exists()


def test_plain_converts_numpy() -> None:
    found = plain({"a": np.int64(3), "b": np.bool_(True), "c": np.array([1.0, np.nan]), 4: (np.float32(0.5), None)})
    assert found == {"a": 3, "b": True, "c": [1.0, None], "4": [0.5, None]}
    assert type(found["a"]) is int and found["b"] is True


def test_report_does_not_need_aiida() -> None:
    code = (
        "import sys; sys.modules['aiida'] = None; import aiida_falsemetal.report, aiida_falsemetal.report.table; "
        "print([name for name in sys.modules if name.startswith('aiida.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
