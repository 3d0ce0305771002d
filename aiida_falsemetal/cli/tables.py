"""Tables to a file: CSV, JSON or Parquet, whole or not at all."""

from __future__ import annotations

import importlib.util
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from .common import as_text

SUFFIXES = {".csv": "csv", ".json": "json", ".parquet": "parquet"}
PARQUET_PACKAGES = ("pyarrow", "fastparquet")
"""What pandas can write Parquet with. The extra ``parquet``: some hundred megabytes for one format among three."""


def chosen_form(form: str | None, output: Path | None) -> str:
    """The format that was asked for, or that the file's name says.

    :raises click.ClickException: where a file would hold a table for a terminal, Parquet would go to one, or the
        package for it is missing.
    """
    found = form or (SUFFIXES.get(output.suffix.lower(), "table") if output else "table")
    if output is not None and found == "table":
        raise click.ClickException(
            f"--output: a table is for the terminal; give --format csv, json or parquet, or end {output.name} with "
            f"{', '.join(SUFFIXES)}."
        )
    if found == "parquet":
        if output is None:
            raise click.ClickException("--format parquet: Parquet is no text; give --output FILE.")
        if not any(importlib.util.find_spec(name) for name in PARQUET_PACKAGES):
            raise click.ClickException(
                "--format parquet: needs a package that is not installed; run `pip install pyarrow` in this "
                "environment, or take --format csv or json."
            )
    return found


def write_table(names: list[str], rows: list[dict[str, Any]], form: str, output: Path) -> None:
    """Write rows to a file.

    :raises click.ClickException: if it cannot be written; then there is none, or the one that was there before.
    """
    if form == "parquet":
        write_whole(output, lambda path: _parquet(names, rows, path))
    else:
        write_whole(output, lambda path: path.write_text(as_text(rows, form, names)))


def write_whole(output: Path, write: Callable[[Path], object]) -> None:
    """Have ``write`` make a file beside ``output``, which then takes its place: never half a file under the name.

    :raises click.ClickException: if it cannot be written.
    """
    draft = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        draft.touch()
    except OSError as error:
        raise click.ClickException(f"--output: {output} cannot be written: {error.strerror}.") from error
    try:
        write(draft)
        draft.replace(output)
    except OSError as error:
        raise click.ClickException(f"{output} cannot be written: {error.strerror or error}.") from error
    finally:
        draft.unlink(missing_ok=True)


def _parquet(names: list[str], rows: list[dict[str, Any]], path: Path) -> None:
    """Lists, mappings and columns of several types become text: a column of Parquet has one type."""
    from ..query.dataframes import as_dataframe

    frame = as_dataframe(names, [{name: _plain(row.get(name)) for name in names} for row in rows])
    for name in (name for name in frame.columns if frame[name].dtype.kind == "O"):
        frame[name] = [None if value is None else str(value) for value in frame[name]]
    frame.to_parquet(path, index=False)


def _plain(value: Any) -> Any:
    return json.dumps(value, sort_keys=True) if isinstance(value, (list, dict)) else value
