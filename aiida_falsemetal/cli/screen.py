"""`falsemetal screen`: check a campaign file, submit what is not yet there, follow it to its report."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from ..campaign.errors import CampaignError
from .common import load_profile, results_folder
from .machine import computer_option, find_machine

NULL_MEANS = {"ecutrho": 1.0, "functional": "", "kpoints": []}
"""Keys of the gap protocol that are null until a rule decides, and a value of the type that they take."""
MAY_BE_ZERO = ("moved_limit", "substrate_bands", "layers_empty_share")
"""Keys of the gap protocol for which zero makes sense."""


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the file and say what would be submitted.")
@click.option("--follow/--no-follow", default=None, help="Stay until it is done (the default at a terminal).")
@click.option("--output", type=click.Path(file_okay=False, path_type=Path), help="Folder; results/CAMPAIGN by default.")
@computer_option
def screen(file: Path, dry_run: bool, follow: bool | None, output: Path | None, computer: str) -> None:
    """Run the campaign in FILE. Pairs that are there already are not computed again."""
    campaign, pairs = read_campaign(file)
    load_profile()
    machine = find_machine(computer)
    check_dft(campaign, file)
    run_screen(campaign, pairs, dry_run, sys.stdout.isatty() if follow is None else follow, output, computer)
    if dry_run:
        from .resources import resource_lines
        from .submit import existing_pairs, missing_pairs

        for line in resource_lines(campaign, missing_pairs(pairs, existing_pairs(campaign.name)), file, machine):
            click.echo(line)


def read_campaign(file: Path) -> tuple[Any, list[tuple[Any, Any]]]:
    """Campaign and (pair, resolved model) tuples of a file; without AiiDA, unless the file names nodes.

    The model is None for a trajectory that is there already.

    :raises click.ClickException: with the sentence of :class:`CampaignError`.
    """
    from ..campaign.check import check_campaign
    from ..campaign.expand import expand, expand_trajectories, skipped
    from ..campaign.schema import load_campaign
    from .structures import find_atoms
    from .trajectories import find_trajectory

    try:
        campaign = load_campaign(file, find_atoms, find_trajectory)
        _check_overrides(campaign, file)
        models = check_campaign(campaign, file)
    except CampaignError as error:
        raise click.ClickException(str(error)) from error
    for (interface, mlip), unknown in skipped(campaign, models).items():
        click.echo(f"skipped {interface} x {mlip}: the model does not know {', '.join(unknown)}", err=True)
    by_name = {model.name: model for model in models}
    own: list[tuple[Any, Any]] = [(pair, by_name[pair.mlip]) for pair in expand(campaign, models)]
    return campaign, [*own, *((pair, None) for pair in expand_trajectories(campaign))]


def _check_overrides(campaign: Any, file: Path) -> None:
    """Refuse overrides that the gap protocol does not have, or of another type than its own.

    :raises CampaignError: naming the field.
    """
    from ..campaign.errors import shown
    from ..workflows.protocols import load_protocol, override

    given = campaign.gap.overrides
    try:
        known = load_protocol("gap", campaign.gap.protocol)
        override("gap", known, given)
    except ValueError as error:
        problem, _, remedy = str(error).partition("; ")
        raise CampaignError(str(file), "gap.overrides", problem, remedy) from error
    known = {key: NULL_MEANS.get(key, value) if value is None else value for key, value in known.items()}
    for key, value in given.items():
        if value is None and key in NULL_MEANS:
            continue
        number = isinstance(known[key], (int, float))
        fits = (
            isinstance(value, (int, float)) and not isinstance(value, bool)
            if number
            else type(value) is type(known[key])
        )
        zero = key in MAY_BE_ZERO
        if not fits or (number and (value < 0 or (value == 0 and not zero))):
            wanted = f"a {type(known[key]).__name__}"
            if number:
                wanted = "a number that is not negative" if zero else "a positive number"
            field = f"gap.overrides.{key}"
            raise CampaignError(str(file), field, f"{shown(value)} does not fit", f"give {wanted}")


def check_dft(campaign: Any, file: Path) -> None:
    """Refuse pseudopotentials, a functional or cutoffs that do not fit the interfaces or each other, and a ladder of
    smearings that makes no sense; print notes.

    Needs the profile, for the families are in it.

    :raises click.ClickException: naming the file, the field, the fault and the remedy.
    """
    from ..workflows.protocols import DftError
    from ..workflows.pseudos import cutoff_note, gap_settings
    from .submit import gap_overrides

    given = gap_overrides(campaign.gap.model_dump())
    notes = set()
    held = [interface.elements() for interface in campaign.interfaces.values()]
    for elements in held + [set(spec.found.elements) for spec in campaign.trajectories.values()]:
        try:
            notes.add(cutoff_note(gap_settings(campaign.gap.protocol, given, elements)))
        except DftError as error:
            own = error.field in type(campaign.gap).model_fields and error.field not in campaign.gap.overrides
            field = error.field if own else f"overrides.{error.field}"
            problem, _, remedy = error.message.partition("; ")
            said = CampaignError(str(file), f"gap.{field}", problem, remedy or "correct it")
            raise click.ClickException(str(said)) from error
    for note in sorted(note for note in notes if note is not None):
        click.echo(note, err=True)


def run_screen(
    campaign: Any,
    pairs: list[tuple[Any, Any]],
    dry_run: bool,
    follow: bool,
    output: Path | None,
    computer: str | None = None,
) -> None:
    """Submit what is missing, follow, report. Exits with 1 where a pair did not finish.

    :param computer: label of the one where the jobs run, see :func:`.machine.find_machine`.
    """
    from .submit import existing_pairs, mark_superseded, missing_pairs

    known = existing_pairs(campaign.name)
    missing = missing_pairs(pairs, known)
    done = len(pairs) - len(missing)
    click.echo(f"campaign {campaign.name}: {len(pairs)} pairs, {done} in the graph already, {len(missing)} to submit")
    if dry_run:
        for pair, _ in missing:
            click.echo(f"  would submit {pair.interface} x {pair.mlip} x seed {pair.seed}")
        return
    mark_superseded(campaign.name, pairs)
    if not missing and not known.active:
        click.echo("nothing to compute: every pair has finished; results are read from the graph")
        finish(campaign, output or results_folder(campaign.name))
        _exit_unless_complete(campaign.name)
        return
    if not follow:
        _submit_only(campaign, pairs, computer)
        return
    from .follow import follow_campaign

    follow_campaign(campaign, len(pairs), lambda: _submit(campaign, pairs, computer))
    finish(campaign, output or results_folder(campaign.name))
    _exit_unless_complete(campaign.name)


def _exit_unless_complete(campaign: str) -> None:
    """Exit with 1 where a pair failed, the first time and every later time."""
    from ..query.progress import campaign_progress

    failed = [item for item in campaign_progress(campaign) if item.stage != "done"]
    if failed:
        click.echo(
            f"{len(failed)} pairs did not finish; `falsemetal status {campaign}` names each one's reason", err=True
        )
        raise SystemExit(1)


def _submit(campaign: Any, pairs: list[tuple[Any, Any]], computer: str | None) -> None:
    """Submit what is missing by now: another command may have submitted it since this one looked."""
    from .daemon import revive_created
    from .locks import campaign_lock
    from .submit import existing_pairs, missing_pairs, submit_screen

    with campaign_lock("campaign", campaign.name):
        revive_created(campaign.name)
        missing = missing_pairs(pairs, existing_pairs(campaign.name))
        node = submit_screen(campaign, missing, find_machine(computer)) if missing else None
    if node is not None:
        click.echo(f"submitted ScreenWorkChain<{node.pk}>")


def _submit_only(campaign: Any, pairs: list[tuple[Any, Any]], computer: str | None) -> None:
    """Submit to a daemon that runs already: nothing of ours keeps running unasked.

    :raises click.ClickException: if none runs.
    """
    from .daemon import require_daemon

    require_daemon()
    _submit(campaign, pairs, computer)
    click.echo(f"watch it with `falsemetal status {campaign.name}`, or give the same command with --follow")


def finish(campaign: Any, folder: Path) -> None:
    """Judge the campaign by its file's thresholds, print the results table and write the report."""
    from ..workflows.conclude import conclude_campaign
    from .locks import campaign_lock
    from .query import show_results

    with campaign_lock("campaign", campaign.name):
        sentences = conclude_campaign(campaign.name, campaign.verdict.model_dump())
    for sentence in sentences:
        click.echo(sentence, err=True)
    show_results(campaign.name, folder)
