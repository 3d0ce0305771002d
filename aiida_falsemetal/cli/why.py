"""`falsemetal why`: the story of one frame, from the interface's recipe to its gap."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from textwrap import wrap
from typing import Any

import click

from .common import SENTENCE, load_profile
from .tables import write_whole


@click.command()
@click.argument("pk", type=click.IntRange(min=1))
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--svg", type=click.Path(dir_okay=False, path_type=Path), help="Also draw the graph that led to it.")
def why(pk: int, form: str, svg: Path | None) -> None:
    """The story of a frame. PK is that of its result, its GapWorkChain or its pw.x run."""
    load_profile()
    from ..query.story import tell
    from ..query.tokens import QueryError

    try:
        steps = tell(pk)
    except QueryError as error:
        raise click.ClickException(str(error)) from None
    if svg is not None:
        # The runs too that failed: nothing came of them, so that they are not behind the result.
        draw([step.pk for step in steps if step.what in ("gap", "attempt")], svg)
    if form == "json":
        numbered = [{"number": number, **step.as_dict()} for number, step in enumerate(steps, start=1)]
        click.echo(json.dumps({"pk": pk, "steps": numbered}, indent=1))
        return
    for number, step in enumerate(steps, start=1):
        click.echo("\n".join(_paragraph(number, f"{step.sentence} <{step.pk}>")))
    if svg is not None:
        click.echo(f"drawing: {svg}")


def _paragraph(number: int, sentence: str) -> list[str]:
    """A sentence with its number, the lines after the first one below the first word."""
    from ..campaign.errors import printable  # names in a story may be someone else's

    return wrap(
        f"{number:2}. {printable(sentence)}",
        SENTENCE,
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def draw(pks: list[int], output: Path) -> None:
    """Write everything that led to these nodes as SVG, with AiiDA's own drawing.

    :raises click.ClickException: if graphviz is missing or fails, or the file cannot be written.
    """
    if shutil.which("dot") is None:
        raise click.ClickException(
            "--svg: needs the program dot, which is not there; install the Debian package graphviz: "
            "`sudo apt-get install graphviz`."
        )
    from aiida.tools.visualization import Graph
    from graphviz import CalledProcessError

    graph: Any = Graph(graph_attr={"rankdir": "TB"})
    for pk in pks:
        graph.recurse_ancestors(pk, annotate_links="label")
    try:
        image = graph.graphviz.pipe(format="svg")
    except CalledProcessError as error:
        said = " ".join((error.stderr or b"").decode(errors="replace").split())[-200:] if error.stderr else ""
        raise click.ClickException(f"--svg: dot failed: {said or error}.") from error
    write_whole(output, lambda path: path.write_bytes(image))
