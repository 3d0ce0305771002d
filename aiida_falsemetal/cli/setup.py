"""`falsemetal setup`: finds or installs Quantum ESPRESSO, then makes the AiiDA profile."""

from __future__ import annotations

from pathlib import Path

import click

from .environment import APT_LINE, find_executable, install_with_apt, missing_message


@click.command()
@click.option("--pw", type=click.Path(path_type=Path), help="pw.x; the one on PATH by default.")
@click.option("--projwfc", type=click.Path(path_type=Path), help="projwfc.x; the one on PATH by default.")
@click.option("--system", is_flag=True, help=f"As root, install what is missing: {APT_LINE}")
def setup(pw: Path | None, projwfc: Path | None, system: bool) -> None:
    """Make the AiiDA profile `falsemetal`: codes, computer, pseudopotentials. May be run again."""
    found = executables(pw, projwfc, system)
    from .profile import setup_profile

    setup_profile(found["pw.x"], found["projwfc.x"], click.echo)
    click.echo("ready; `falsemetal doctor` looks at everything once more.")


def executables(pw: Path | None, projwfc: Path | None, system: bool) -> dict[str, Path]:
    """pw.x and projwfc.x, installed where that is allowed.

    :raises click.ClickException: with the line to run, where one is missing.
    """
    given = {"pw.x": pw, "projwfc.x": projwfc}
    for name, path in given.items():
        if path is not None and find_executable(str(path)) is None:
            raise click.ClickException(f"{path} is not an executable file; give the path of {name}, or leave it out.")
    found = {name: find_executable(str(path or name)) for name, path in given.items()}
    if None in found.values() and system:
        install_with_apt(click.echo)
        found = {name: find_executable(str(path or name)) for name, path in given.items()}
    missing = [name for name, path in found.items() if path is None]
    if missing:
        raise click.ClickException(missing_message(missing))
    return {name: path for name, path in found.items() if path is not None}
