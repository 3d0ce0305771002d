"""`falsemetal`, the command."""

from __future__ import annotations

import click

from .. import __version__
from .archive import demo, export, open_archive
from .doctor import doctor
from .interface import interface
from .model import model
from .query import query, report
from .screen import screen
from .setup import setup
from .status import status
from .trajectory import trajectory
from .twins import twins
from .verdict import verdict
from .why import why


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="falsemetal")
def main() -> None:
    """Does this machine-learned potential turn this interface into a metal it is not?"""


for command in (
    setup,
    doctor,
    interface,
    model,
    trajectory,
    screen,
    twins,
    status,
    verdict,
    query,
    why,
    report,
    export,
    open_archive,
    demo,
):
    main.add_command(command)
