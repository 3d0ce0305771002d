"""`falsemetal setup`: finds or installs Quantum ESPRESSO, then makes the AiiDA profile."""

from __future__ import annotations

from pathlib import Path

import click

from .environment import APT_LINE, VARIABLES, MissingError, espresso, optional_espresso


@click.command()
@click.option("--pw", type=click.Path(path_type=Path), help=f"pw.x; {VARIABLES['pw.x']} or the one on PATH by default.")
@click.option(
    "--projwfc",
    type=click.Path(path_type=Path),
    help=f"projwfc.x; {VARIABLES['projwfc.x']} or the one on PATH by default.",
)
@click.option(
    "--pseudos",
    metavar="NAME",
    help="Also install a pseudopotential family: a folder of UPF files, or one that is published, for example "
    "SSSP/1.3/PBE/efficiency or PseudoDojo/0.4/PBE/SR/standard/upf.",
)
@click.option("--system", is_flag=True, help=f"As root, install what is missing: {APT_LINE}")
def setup(pw: Path | None, projwfc: Path | None, pseudos: str | None, system: bool) -> None:
    """Make the AiiDA profile `falsemetal`: codes, computer, pseudopotentials. May be run again."""
    # Before AiiDA is imported: without pw.x nothing is made.
    try:
        found = espresso({"pw.x": pw, "projwfc.x": projwfc}, system, click.echo)
    except MissingError as error:
        raise click.ClickException(str(error)) from error
    from .profile import setup_profile
    from .pseudos import check_name, install_pseudos

    if pseudos is not None:
        check_name(pseudos)

    setup_profile(found["pw.x"], found["projwfc.x"], click.echo, optional_espresso(found["projwfc.x"]))
    if pseudos is not None:
        install_pseudos(pseudos, click.echo)
    click.echo("ready; `falsemetal doctor` looks at everything once more.")
