"""What several commands share."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import click

PROFILE = "falsemetal"
WIDE = 150
"""Columns of a table in a log."""
SENTENCE = 100
"""Columns of a sentence at a terminal."""


def load_profile() -> None:
    """Load the profile: the one named by AIIDA_PROFILE or ``verdi -p``, else ``falsemetal``.

    :raises click.ClickException: if there is none yet.
    """
    import os

    from aiida import load_profile as load
    from aiida.common.exceptions import ConfigurationError
    from aiida.manage.configuration import get_profile

    if get_profile() is not None:
        return
    name = os.environ.get("AIIDA_PROFILE", PROFILE)
    try:
        load(name)
    except ConfigurationError as error:
        raise click.ClickException(f"there is no AiiDA profile {name!r} yet; run `falsemetal setup`.") from error


def print_rows(rows: list[dict[str, Any]], form: str, columns: list[str] | None = None) -> None:
    """Print rows as ``table``, ``json`` or ``csv``."""
    names = columns or (list(rows[0]) if rows else [])
    if form == "table":
        _print_table(rows, names)
    else:
        click.echo(as_text(rows, form, names), nl=False)


def as_text(rows: list[dict[str, Any]], form: str, names: list[str]) -> str:
    """Rows as the text of a ``json`` or ``csv`` file."""
    if form == "json":
        return json.dumps([{name: row.get(name) for name in names} for row in rows], indent=1) + "\n"
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return buffer.getvalue()


def _print_table(rows: list[dict[str, Any]], names: list[str]) -> None:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in names:
        table.add_column(_cell(name), overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(name)) for name in names))
    wide_console().print(table)


def wide_console() -> Any:
    """A console as wide as the terminal, or ``WIDE`` in a log, which has no width of its own."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=WIDE)


def _cell(value: Any) -> str:
    from rich.markup import escape

    from ..campaign.errors import printable

    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4g}"
    return escape("\n".join(map(printable, str(value).split("\n"))))


def results_folder(campaign: str) -> Path:
    """Where a campaign's report goes unless told otherwise."""
    return Path("results") / campaign


format_option = click.option(
    "--format", "form", type=click.Choice(["table", "json", "csv"]), default="table", show_default=True
)
