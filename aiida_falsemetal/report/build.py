"""Writing the report of a campaign."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .data import CELL_COLUMNS, csv_text, json_text, plain
from .downloads import Downloads
from .page import render_page
from .publication import BEGINNING, ENDINGS, FOLDER, Choice, Published, begun
from .structures import pack_layers


def build_report(
    folder: Path,
    campaign: str,
    rows: list[dict[str, Any]],
    pairs: list[dict[str, Any]],
    series: dict[int, dict[str, Any]],
    settings: dict[str, Any] | Callable[[], dict[str, Any]],
    cells: Sequence[dict[str, Any]] = (),
    laws: Sequence[dict[str, Any]] = (),
    structures: dict[str, Any] | Callable[[], dict[str, Any]] | None = None,
    layers: Mapping[int, Mapping[str, Any]] | None = None,
    figures: Choice = "none",
) -> Path:
    """Write report.html, results.json, results.csv and cells.csv; the same arguments give the same bytes.

    With ``figures`` also the figures, and the numbers behind each, in a folder beside the page.

    Everything is rendered before anything is written, and each file replaces its predecessor in one step, so that a
    reader never meets half a file.

    :param folder: is made if it is missing.
    :param campaign: its name.
    :param rows: one dictionary a frame, see :func:`..query.rows.frame_rows`.
    :param pairs: one dictionary a pair, see :func:`..query.rows.pair_rows`.
    :param series: by ``pair_pk``, arrays ``time_ps`` (ps) and ``dipole_z`` (e Å, screened charges), each of shape (n,).
    :param settings: ``date``, ``versions``, and whatever else describes the campaign. Or a function that
        reads them, which is called while other processes draw.
    :param cells: one dictionary an interface and MLIP, see :func:`..query.cells.cell_rows`.
    :param laws: one dictionary an interface, see :func:`..query.cells.law_rows`.
    :param structures: of the frames, see :func:`.structures.pack_structures`; or a function, as ``settings``.
    :param layers: by ``gap_pk``, the most telling first, arrays of a frame's states by layer, see
        :func:`.publication.layers.layer_numbers`.
    :param figures: which are drawn, see :func:`.publication.publish`; with ``none`` there is no folder of figures.
    :return: path of report.html.
    :raises TypeError: if a row holds something that JSON cannot.
    :raises OSError: if the folder cannot be written.
    """
    document: dict[str, Any] = {
        **{"campaign": campaign, "settings": {}, "frames": plain(rows), "pairs": plain(pairs)},
        **{"cells": plain(list(cells)), "laws": plain(list(laws))},
    }
    layers = layers or {}
    with begun(document, series, layers, figures, folder) as published:
        document["settings"] = plain(settings() if callable(settings) else settings)
        found = structures() if callable(structures) else structures
        texts: dict[str, str | bytes | Path] = {
            "results.json": json_text(document),
            "results.csv": csv_text(document["frames"]),
            "cells.csv": csv_text(document["cells"], CELL_COLUMNS),
        }
        packed = pack_layers(layers, document["frames"])
        drawn: list[Published] = []

        def downloads() -> Downloads:
            drawn.extend(published())
            return Downloads(drawn, folder=figures != "none")

        texts["report.html"] = render_page(document, series, found, packed, downloads)
        folder.mkdir(parents=True, exist_ok=True)
        if figures != "none":
            (folder / FOLDER).mkdir(exist_ok=True)
            files = {name: data for figure in drawn for name, data in figure.files.items()}
            texts |= {f"{FOLDER}/{name}": data for name, data in files.items()}
            _remove_others(folder / FOLDER, set(files))
        for name, text in texts.items():
            _replace(folder / name, text)
    return folder / "report.html"


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Remove figures of an earlier report that this one has not: beside new numbers they would be taken for theirs."""
    for numbers in folder.glob("*.json"):
        with numbers.open("rb") as file:
            ours = file.read(len(BEGINNING)) == BEGINNING
        for name in (f"{numbers.stem}.{end}" for end in ENDINGS if ours):
            if name not in kept:
                (folder / name).unlink(missing_ok=True)


def _replace(path: Path, content: str | bytes | Path) -> None:
    """Write a file beside ``path``, unless it is a draft already, and move it there.

    Not by tempfile: its files are readable by their owner alone.
    """
    if isinstance(content, Path):
        content.replace(path)
        return
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        draft.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
