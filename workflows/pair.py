#!/usr/bin/env python
"""Run one pair of a campaign: ``verdi run workflows/pair.py FILE --interface NAME --mlip NAME [--seed S]``.

The pair is the same, to the last setting, as the one that ``falsemetal screen FILE`` would run; it is found by a later
screen, which then does not run it again.
"""

from __future__ import annotations

from pathlib import Path

import click
from aiida import engine

from aiida_falsemetal.cli.common import load_profile
from aiida_falsemetal.cli.screen import check_dft, read_campaign
from aiida_falsemetal.cli.submit import existing_pairs, missing_pairs, pair_builder


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--interface", required=True, help="Name of an interface in FILE.")
@click.option("--mlip", required=True, help="Name of an MLIP in FILE.")
@click.option("--seed", type=int, help="A seed in FILE; the first one by default.")
def main(file: Path, interface: str, mlip: str, seed: int | None) -> None:
    """Run one pair of the campaign in FILE."""
    campaign, pairs = read_campaign(file)
    seed = campaign.seeds[0] if seed is None else seed
    chosen = [(p, m) for p, m in pairs if (p.interface, p.mlip, p.seed) == (interface, mlip, seed)]
    if not chosen:
        names = ", ".join(f"{p.interface} x {p.mlip} x {p.seed}" for p, _ in pairs)
        raise click.ClickException(f"{file} has no pair {interface} x {mlip} x {seed}; it has {names}.")
    load_profile()
    check_dft(campaign, file)
    if not missing_pairs(chosen, existing_pairs(campaign.name)):
        click.echo("nothing to compute: the pair is in the graph already; see `falsemetal status`.")
        return
    outputs, node = engine.run_get_node(pair_builder(campaign, *chosen[0]))
    if "verdict" in outputs:
        verdict = outputs["verdict"].get_dict()
        click.echo(f"verdict: {verdict['verdict']}. {verdict['reason']}")
    click.echo(f"PairWorkChain<{node.pk}>")
    if not node.is_finished_ok:
        raise click.ClickException(str(node.exit_message))


if __name__ == "__main__":
    main()
