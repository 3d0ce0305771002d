"""`falsemetal export`, `open` and `demo`: a campaign as one file, and what may be read from such a file."""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from operator import itemgetter
from pathlib import Path
from typing import Any

import click

from ..names import ENDED, FINAL
from .common import load_profile, results_folder
from .query import (
    Choice,
    concluded,
    current_rows,
    figures_option,
    query,
    refuse_unknown,
    report,
    show_results,
    write_report,
)
from .status import status
from .why import why

DEMO = Path(__file__).parents[1] / "demo" / "quickstart.aiida"
READERS = {str(command.name): command for command in (query, why, status, report)}
"""Commands that read and change nothing, which is all that an archive allows."""
_SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
"""Names of campaigns; of an archive they need not be the names of a campaign file, and become folders."""

folder_option = click.Path(file_okay=False, path_type=Path)


@click.command()
@click.argument("campaign")
@click.option("--output", type=folder_option, help="Folder; results/CAMPAIGN by default.")
@click.option(
    "--without-trajectories", is_flag=True, help="Leave the frames of the MD out: smaller; reports need none."
)
@click.option("--thin", is_flag=True, help="Leave out all files that no report, query or story needs.")
@click.option("--overwrite", is_flag=True, help="Replace an archive that is there.")
@figures_option
def export(
    campaign: str, output: Path | None, without_trajectories: bool, thin: bool, overwrite: bool, figures: Choice
) -> None:
    """Write CAMPAIGN.aiida, all of CAMPAIGN that is in the graph, with its report beside it."""
    load_profile()
    from ..archive.contents import ArchiveError
    from ..archive.thin import OF_CAMPAIGN, TRAJECTORIES
    from ..archive.write import write_archive

    rows, pairs = current_rows(campaign)
    refuse_unknown(campaign, pairs)
    _judge(campaign, pairs)
    folder = output or results_folder(campaign)
    path = folder / f"{campaign}.aiida"
    if not overwrite:
        _refuse_other(campaign, path)
    try:
        without = OF_CAMPAIGN if thin else (TRAJECTORIES,) if without_trajectories else ()
        held = write_archive(campaign, path, without)
    except ArchiveError as error:
        raise click.ClickException(str(error)) from error
    except OSError as error:
        raise click.ClickException(f"{error.filename}: {error.strerror}; name another folder with --output.") from error
    page = write_report(campaign, folder, rows, pairs, *concluded(campaign), figures)
    click.echo(f"{path}: {held}")
    click.echo(f"report: {page}")


def _judge(campaign: str, pairs: list[dict[str, Any]]) -> None:
    """Judge a campaign that was ended before it came to that; verdicts that are there stay."""
    cell = itemgetter("interface", "mlip")
    results = {cell(pair) for pair in pairs if pair["exit_code"] in FINAL}
    waiting = {cell(pair) for pair in pairs if pair["state"] not in ENDED}
    judged = set(map(cell, concluded(campaign)[0]))
    if results - waiting - judged:
        from ..workflows.conclude import conclude_campaign
        from .verdict import stored_thresholds

        for sentence in conclude_campaign(campaign, stored_thresholds(campaign)):
            click.echo(sentence, err=True)


def _refuse_other(campaign: str, path: Path) -> None:
    """Refuse to replace an archive, or another campaign's report; this one's own is written anew every time.

    :raises click.ClickException: naming the file.
    """
    if path.exists():
        raise click.ClickException(f"{path} is there already; give --overwrite, or another folder with --output.")
    results = path.parent / "results.json"
    try:
        other = json.loads(results.read_text())["campaign"] if results.exists() else campaign
    except (ValueError, KeyError, TypeError, OSError):
        other = "something else"
    if other != campaign:
        raise click.ClickException(f"{results} is of {other}; give --overwrite, or another folder with --output.")


@click.command("open")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--report/--no-report", "wanted", default=None, help="Write the report (the default without a command).")
@click.option("--output", type=folder_option, help="Folder; results/FILE-opened by default.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def open_archive(file: Path, wanted: bool | None, output: Path | None, command: tuple[str, ...]) -> None:
    """Read the archive FILE: write its report, or run a COMMAND on it, as in `open FILE -- query --format csv`.

    It is a profile of its own while it is open. AiiDA's configuration and your profiles are not touched, and no program
    that computes is needed.
    """
    if command and command[0] not in READERS:
        known = ", ".join(READERS)
        raise click.ClickException(f"{command[0]!r} does not go with an archive, which is only read; use {known}.")
    writes = wanted or (wanted is None and not command)
    if output is not None and not writes:
        raise click.ClickException(
            "--output is for the report, which is not written; add --report, or give it after --."
        )
    with _opened(file):
        if not command:
            click.echo(_held(file))
        if writes:
            write_reports(output or opened_folder(file))
        if command:
            name, *arguments = command
            if name == "report":
                # Not results/CAMPAIGN, where a campaign of one's own of that name has its report. A later one counts.
                arguments = ["--output", str(opened_folder(file)), *arguments]
            READERS[name].main(arguments, prog_name=f"falsemetal open {file} -- {name}", standalone_mode=False)


@click.command()
@click.option("--output", type=folder_option, default=Path("results/demo"), show_default=True, help="Folder.")
def demo(output: Path) -> None:
    """Write the report of a campaign that comes with the package. Nothing is computed."""
    if not DEMO.is_file():
        raise click.ClickException(f"{DEMO} is missing from this installation; install the package again.")
    with _opened(DEMO):
        click.echo(f"A real run of workflows/campaigns/quickstart.yaml, {_held(DEMO)}")
        write_reports(output)
    click.echo(
        "Open it in a browser. Then try\n"
        f"  falsemetal open {DEMO} -- query\n"
        "      its frames, one row each, with the pk of every run\n"
        f"  falsemetal open {DEMO} -- why PK\n"
        "      the story of one of them, from the recipe of its interface to its gap\n"
        "  make screen\n"
        "      the same campaign computed here: minutes on two cores, Quantum ESPRESSO needed\n"
        "and read docs/my-mlip.md for a campaign of your own."
    )


def opened_folder(file: Path) -> Path:
    """Where the report of an archive goes unless told otherwise."""
    return results_folder(f"{file.stem}-opened")


def _held(file: Path) -> str:
    from ..archive.contents import contents

    return f"{file.name}: {contents(file)}"


@contextmanager
def _opened(file: Path) -> Iterator[None]:
    """The archive as the profile. Whatever is wrong with it is a sentence: it was made by someone else.

    :raises click.ClickException: with that sentence.
    """
    from ..archive.contents import ArchiveError
    from ..archive.mount import mounted

    try:
        with mounted(file):
            yield
    except (click.ClickException, click.Abort, click.exceptions.Exit):
        raise
    except ArchiveError as error:
        raise click.ClickException(str(error)) from error
    except Exception as error:
        raise click.ClickException(_fault(file, error)) from error


def _fault(file: Path, error: Exception) -> str:
    """A sentence on what went wrong while an archive was read."""
    # A file that is missing in the archive has no path on the disk.
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}; name another folder with --output."
    if isinstance(error, (zipfile.BadZipFile, zlib.error, EOFError, FileNotFoundError)):
        return f"{file}: a file in it is damaged or missing ({error}); copy the archive again."
    first = (str(error).splitlines() or [""])[0][:200]
    return (
        f"{file}: an archive, but not with a campaign's nodes as this version writes them "
        f"({type(error).__name__}: {first}); ask who made it for a new export."
    )


def write_reports(folder: Path) -> None:
    """Print the results and write the report of the campaign in the loaded profile; of several, each in its folder.

    :raises click.ClickException: if there is none, or its name is none.
    """
    from ..query.rows import pair_rows

    campaigns = sorted({pair["campaign"] for pair in pair_rows()}, key=str)
    if not campaigns:
        raise click.ClickException(
            "the archive holds no campaign of falsemetal; `verdi archive info` says what it does."
        )
    for campaign in campaigns:
        if not isinstance(campaign, str) or not _SAFE.fullmatch(campaign):
            raise click.ClickException(f"the archive's campaign has no name for a folder: {str(campaign)[:80]!a}.")
        place = folder / campaign if len(campaigns) > 1 else folder
        show_results(campaign, place)
