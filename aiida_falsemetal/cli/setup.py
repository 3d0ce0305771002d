"""`falsemetal setup`: finds or installs Quantum ESPRESSO, then makes the AiiDA profile."""

from __future__ import annotations

from pathlib import Path

import click

from .environment import APT_LINE, VARIABLES, MissingError, espresso


@click.command()
@click.option("--pw", type=click.Path(path_type=Path), help=f"pw.x; {VARIABLES['pw.x']} or the one on PATH by default.")
@click.option(
    "--projwfc",
    type=click.Path(path_type=Path),
    help=f"projwfc.x; {VARIABLES['projwfc.x']} or the one on PATH by default.",
)
@click.option("--system", is_flag=True, help=f"As root, install what is missing: {APT_LINE}")
def setup(pw: Path | None, projwfc: Path | None, system: bool) -> None:
    """Make the AiiDA profile `falsemetal`: codes, computer, pseudopotentials. May be run again."""
    # Before AiiDA is imported: without pw.x nothing is made.
    try:
        found = espresso({"pw.x": pw, "projwfc.x": projwfc}, system, click.echo)
    except MissingError as error:
        raise click.ClickException(str(error)) from error
    from .profile import setup_profile

    setup_profile(found["pw.x"], found["projwfc.x"], click.echo)
    click.echo("ready; `falsemetal doctor` looks at everything once more.")
