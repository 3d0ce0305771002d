"""`falsemetal`, the command."""

from __future__ import annotations

from typing import Any

import click

from .. import __version__
from ..campaign.errors import LONGEST, printable
from .archive import demo, export, open_archive
from .doctor import doctor
from .interface import interface
from .model import model
from .query import query, report
from .resources import disk
from .screen import screen
from .setup import setup
from .status import status
from .trajectory import trajectory
from .twins import twins
from .verdict import verdict
from .why import why


class Sentences(click.Group):
    """A group whose errors are text that any terminal shows as it is, whatever they quote."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            error.message = "\n".join(_shown(line) for line in error.message.split("\n"))
            raise


def _shown(line: str) -> str:
    # A message quotes what was wrong, before the remedy: what is too long is cut in its middle.
    line, half = printable(line), LONGEST
    return line if len(line) <= 2 * half + 5 else f"{line[:half]} ... {line[-half:]}"


@click.group(cls=Sentences, context_settings={"help_option_names": ["-h", "--help"]})
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
    disk,
    verdict,
    query,
    why,
    report,
    export,
    open_archive,
    demo,
):
    main.add_command(command)
