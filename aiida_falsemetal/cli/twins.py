"""`falsemetal twins`: a short-ranged and a long-ranged potential, trained on the same DFT labels."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..campaign.errors import CampaignError
from .common import load_profile

STAGES = ("samples", "labels", "rounds", "training")
archive_option = click.Path(dir_okay=False, path_type=Path)


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the file and say what would be computed.")
@click.option("--follow/--no-follow", default=None, help="Stay until it is done (the default at a terminal).")
@click.option("--stop-after", type=click.Choice(STAGES), default="training", show_default=True, help="Last stage.")
@click.option("--retry", is_flag=True, help="Try labels again whose pw.x has failed.")
@click.option("--export", "exported", type=archive_option, help="Write configurations and labels to an archive.")
@click.option("--import", "imported", type=archive_option, help="Read such an archive first.")
@click.option("--overwrite", is_flag=True, help="Let --export replace a file that is there.")
def twins(
    file: Path,
    dry_run: bool,
    follow: bool | None,
    stop_after: str,
    retry: bool,
    exported: Path | None,
    imported: Path | None,
    overwrite: bool,
) -> None:
    """Sample, label and train what FILE describes. What is in the graph already is not computed again."""
    content, samplers = read_twins(file)
    load_profile()
    settings = check_label(content, file)
    if imported is not None:
        _import(content.name, imported)
    if exported is not None:
        _export(content.name, exported, overwrite)
        return
    from .twins_run import run_twins

    stay = sys.stdout.isatty() if follow is None else follow
    run_twins(content, samplers, settings, stop_after=stop_after, retry=retry, dry_run=dry_run, follow=stay)


def read_twins(file: Path) -> tuple[Any, dict[str, Any]]:
    """A file's content and its samplers, checked; without AiiDA.

    :raises click.ClickException: with the sentence of :class:`CampaignError`.
    """
    from ..campaign.twin_runs import check_samplers
    from ..campaign.twins import load_twins

    try:
        content = load_twins(file)
        return content, check_samplers(content, file)
    except CampaignError as error:
        raise click.ClickException(str(error)) from error


def check_label(content: Any, file: Path) -> dict[str, Any]:
    """Settings of the labels with functional, pseudopotentials and cutoffs decided; needs the profile.

    :raises click.ClickException: naming the file, the field, the fault and the remedy.
    """
    from ..workflows.label import label_settings
    from ..workflows.protocols import DftError
    from ..workflows.pseudos import cutoff_note

    elements = set[str]().union(*(source.elements() for source in content.sources.values()))
    try:
        settings = label_settings(content.label.model_dump(), elements)
    except DftError as error:
        problem, _, remedy = error.message.partition("; ")
        said = CampaignError(str(file), f"label.{error.field}", problem, remedy or "correct it")
        raise click.ClickException(str(said)) from error
    note = cutoff_note(settings)
    if note is not None:
        click.echo(note, err=True)
    return settings


def _export(name: str, path: Path, overwrite: bool) -> None:
    """Write the archive of the labels.

    :raises click.ClickException: if it is there already or cannot be written.
    """
    from ..archive.contents import ArchiveError
    from ..archive.labels import write_labels

    if path.exists() and not overwrite:
        raise click.ClickException(f"{path} is there already; give --overwrite, or another file.")
    try:
        held = write_labels(name, path)
    except ArchiveError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}; name another file.") from error
    click.echo(f"{path}: {held}")


def _import(name: str, path: Path) -> None:
    """Read an archive of labels.

    :raises click.ClickException: if it cannot be read.
    """
    from ..archive.contents import ArchiveError
    from ..archive.labels import read_labels

    try:
        new = read_labels(path, name)
    except ArchiveError as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{path}: {new} new nodes imported")
