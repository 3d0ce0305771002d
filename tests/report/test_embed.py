"""What the page's script works on says the same as the rows."""

from __future__ import annotations

import json
from typing import Any

from aiida_falsemetal.report.embed import by_columns, frame_names, viewer_code
from aiida_falsemetal.report.page import embedded_json

from .conftest import Campaign
from .large import large_campaign


def rows_of(packed: dict[str, Any]) -> list[dict[str, Any]]:
    """Rows from their form by columns, as ``frames.js`` reads it."""
    if "rows" in packed:
        return list(packed["rows"])

    def value(column: Any, index: int) -> Any:
        if isinstance(column, list):
            return column[index]
        return column["words"][column["at"][index]] if "words" in column else column["same"]

    columns = dict(zip(packed["keys"], packed["columns"], strict=True))
    return [{key: value(column, index) for key, column in columns.items()} for index in range(packed["number"])]


def test_columns_hold_the_rows(campaign: Campaign) -> None:
    packed = by_columns(campaign.rows)
    assert "rows" not in packed
    assert rows_of(packed) == campaign.rows
    assert len(json.dumps(packed)) < 0.5 * len(json.dumps(campaign.rows))


def test_rows_with_other_keys_are_left_as_they_are(campaign: Campaign) -> None:
    del campaign.rows[3]["drop"]
    assert by_columns(campaign.rows) == {"rows": campaign.rows}


def test_no_rows() -> None:
    assert rows_of(by_columns([])) == []


def test_many_different_texts_are_a_list() -> None:
    rows = [{"text": f"message {index}"} for index in range(100)]
    assert by_columns(rows)["columns"] == [[row["text"] for row in rows]]


def test_a_frame_goes_by_its_pk_or_by_its_place() -> None:
    assert frame_names([{"gap_pk": 7}, {"gap_pk": 8}, {}, {"gap_pk": 8}]) == ["7", "row-1", "row-2", "row-3"]


def test_the_viewer_goes_with_its_licence_and_cannot_end_its_script() -> None:
    code = viewer_code()
    assert "Redistribution and use in source and binary forms" in code["licence"]
    assert "3dmol v2.5.5" not in code["code"] and code["version"].endswith("2.5.5")
    text = embedded_json(code)
    assert not set("<>&") & set(text) and json.loads(text) == code


def test_the_large_campaign_has_every_column() -> None:
    """Else what is measured with it would be too good."""
    given = large_campaign(frames=100, pairs=4, samples=200)
    assert len(given.rows) == 100 and len({row["gap_pk"] for row in given.rows}) == 100
    assert {"expected_drop", "energy_mlip", "energy", "witness"} <= {key for key, v in given.rows[0].items() if v}
