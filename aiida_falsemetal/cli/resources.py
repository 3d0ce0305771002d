"""What a campaign will need before it is submitted, and what it has left: memory of pw.x, and the disk."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from .common import load_profile

MOST_BUILT = 12
"""Interfaces that a dry run builds; packing one takes some seconds."""
GAP_BYTES = 0.5e6
"""In AiiDA's storage by one gap: its nodes, pw.x's output, its bands; measured (docs/cluster.md)."""
FRAME_BYTES = 24.0
"""By an atom of a stored frame, three numbers."""
SAMPLE_BYTES = 48.0
"""By a sample of the series."""
RUNS = 2.0
"""Runs of pw.x for one gap, each with a work folder; more where it closes."""


@dataclass(frozen=True)
class Need:
    """Of one interface.

    :param atoms: number of atoms.
    :param memory: bytes that a run of pw.x needs, all its ranks together.
    :param share: bytes that it may take; None where nobody knows.
    :param saved: bytes that a run leaves in its work folder.
    """

    atoms: int
    memory: float
    share: float | None
    saved: float


def interface_need(campaign: Any, name: str, machine: Any) -> Need:
    """Build an interface and see what pw.x needs for it."""
    from aiida import orm

    from ..calculations.film import centred_film
    from ..workflows.memory import film_memory, slot_memory
    from ..workflows.pseudos import family_pseudos, gap_settings
    from .interface import built_from
    from .submit import gap_overrides, load_code

    built = built_from(campaign.interfaces[name])
    gap = campaign.gap.model_dump()
    settings = gap_settings(gap["protocol"], gap_overrides(gap), set(built.atoms.get_chemical_symbols()))
    film = centred_film(orm.StructureData(ase=built.atoms).get_ase(), settings["vacuum"])
    pseudos = family_pseudos(settings["pseudo_family"], set(film.get_chemical_symbols()))
    memory = film_memory(film, pseudos, settings, gap["ranks"])
    options = machine.pw_options(campaign.slots, gap["ranks"])
    share = slot_memory(options, load_code(machine.code("pw")).computer)
    return Need(len(film), gap["ranks"] * memory.total, share, memory.saved)


def resource_lines(campaign: Any, missing: list[tuple[Any, Any]], file: Path, machine: Any) -> Iterator[str]:
    """What the missing pairs of a campaign need.

    :raises click.ClickException: if a run of pw.x does not fit into its share of the memory.
    """
    from ..workflows.memory import refuse_need

    own = [pair for pair, model in missing if model is not None]
    names = list(dict.fromkeys(pair.interface for pair in own))
    needs = {}
    for name in names[:MOST_BUILT]:
        try:
            needs[name] = need = interface_need(campaign, name, machine)
            if need.share is not None:
                refuse_need(need.memory, need.share, campaign.gap.ranks)
        except ValueError as error:
            raise click.ClickException(f"{file}: interfaces.{name}: {error}") from error
        share = "" if need.share is None else f" of the {need.share / 1e9:.1f} GB that it may take"
        yield f"  {name}: {need.atoms} atoms, a run of pw.x needs about {need.memory / 1e9:.2g} GB{share}"
    if len(names) > MOST_BUILT:
        yield f"  {len(names) - MOST_BUILT} further interfaces are taken to be like these"
    if needs:
        yield _disk(campaign, own, needs)


def _disk(campaign: Any, pairs: list[Any], needs: dict[str, Need]) -> str:
    atoms = sum(need.atoms for need in needs.values()) / len(needs)
    saved = sum(need.saved for need in needs.values()) / len(needs)
    stored, frames = 0.0, 0
    for pair in pairs:
        size = needs[pair.interface].atoms if pair.interface in needs else atoms
        md = pair.md
        stored += FRAME_BYTES * size * (md["steps"] // md["frame_stride"] + 1)
        stored += SAMPLE_BYTES * (md["steps"] // md["stride"] + 1)
        frames += pair.selection["most"] or pair.selection["stratified"] + pair.selection["uniform"]
    stored += GAP_BYTES * frames
    from ..workflows.pair import GAPS_AT_ONCE

    left = frames if campaign.keep == "all" else min(frames, GAPS_AT_ONCE * len(pairs))
    what = "stay in work folders" if campaign.keep == "all" else "are in work folders at most at once"
    return (
        f"  disk: about {size_of(stored)} in AiiDA's storage for {frames} gaps at most and their trajectories; "
        f"{size_of(RUNS * saved * left)} {what} (keep: {campaign.keep})"
    )


def size_of(number: float) -> str:
    """Bytes as a person reads them."""
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if number >= factor:
            return f"{number / factor:.3g} {unit}"
    return f"{number / 1e3:.3g} kB"


@click.command()
@click.argument("campaign")
def disk(campaign: str) -> None:
    """What CAMPAIGN has left on the disk: its jobs' work folders, and the profile's repository."""
    load_profile()
    from ..query.disk import disk_usage
    from ..query.progress import campaign_names

    if campaign not in campaign_names():
        raise click.ClickException(f"no campaign {campaign!r} in this profile; `falsemetal status` lists them.")
    found = disk_usage(campaign)
    click.echo(f"work folders: {found.folders} with {size_of(found.size)}, {found.emptied} emptied")
    for computer, number in sorted(found.elsewhere.items()):
        click.echo(f"work folders on {computer}: {number}, whose size is not known here")
    if found.repository is not None:
        click.echo(f"repository of the profile, all campaigns: {size_of(found.repository)}")
    if found.folders:
        click.echo("`keep: failed` or `keep: none` in the campaign file empties work folders as results come in;")
        click.echo("`verdi calcjob cleanworkdir` empties those that are there.")
