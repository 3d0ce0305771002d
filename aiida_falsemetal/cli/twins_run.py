"""Submits twins, follows them, and says what has come out."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import click

from .room import worker_room
from .submit import load_code

POLL_SECONDS = 5.0
PLAIN_SECONDS = 20.0
"""Without a terminal a line is printed this often."""
LABEL_DEPTH = 3
"""Processes of one label under way at once: LabelWorkChain, PwBaseWorkChain, its job."""


def run_twins(
    content: Any,
    samplers: dict[str, Any],
    settings: dict[str, Any],
    *,
    stop_after: str,
    retry: bool,
    dry_run: bool,
    follow: bool,
) -> None:
    """Submit what is missing, follow, show. Exits with 1 where what was asked for did not happen."""
    from ..campaign.twin_runs import expand_runs
    from ..query.twins import is_active
    from .daemon import require_daemon
    from .follow import with_daemon
    from .locks import campaign_lock
    from .twins_show import show, show_twins

    runs = expand_runs(content, samplers)
    click.echo(_state(content, runs))
    if dry_run:
        return
    if not is_active(content.name) and _is_complete(content, runs, stop_after, retry):
        click.echo("nothing to compute: everything is in the graph")
        show(content)
        if stop_after == "training":
            show_twins(content)
        return

    def submit() -> None:
        with campaign_lock("twins", content.name):
            if is_active(content.name):
                click.echo("a TwinWorkChain of this name is under way already; going on with it")
                return
            node = submit_twins(content, samplers, settings, runs, stop_after, retry)
        click.echo(f"submitted TwinWorkChain<{node.pk}>")

    if not follow:
        require_daemon()
        submit()
        return
    with_daemon(submit, partial(_watch, content, runs))
    show(content)
    _exit_unless_well(content.name)
    if stop_after == "training":
        show_twins(content)


def _is_complete(content: Any, runs: list[Any], stop_after: str, retry: bool) -> bool:
    """Whether all that was asked for is there."""
    from ..query.twins import trained_twins

    sources = _progress(content, runs).sources
    sampled = bool(sources.runs == len(runs))
    if stop_after == "samples":
        return sampled
    labelled = sampled and not sources.missing and not (retry and sources.failed)
    rounds = bool(content.rounds.number)
    if stop_after == "labels" or not labelled or (stop_after == "rounds" and not rounds):
        return labelled
    made = trained_twins(content.name)
    if made is None or (not rounds and made.labels != min(sources.labels, sources.asked)):
        return False
    wanted = twins_content(content)
    keys = ["split", "training", "baseline", "licence"]
    # Without active rounds, the sources and settings of the sampling and of the labels are in the labels already.
    keys += ["rounds", "samplers", "sources", "sampling", "label"] if rounds else []
    return all(_same(made.content.get(key), wanted[key]) for key in keys)


def _same(stored: Any, wanted: Any) -> bool:
    """Whether two values are the same, but for the last digits of numbers, which AiiDA rounds on storing."""
    if isinstance(stored, dict) and isinstance(wanted, dict):
        return set(stored) == set(wanted) and all(_same(stored[key], wanted[key]) for key in stored)
    if isinstance(stored, (int, float)) and isinstance(wanted, (int, float)):
        return math.isclose(stored, wanted, rel_tol=1e-12)
    return bool(stored == wanted)


def submit_twins(
    content: Any, samplers: dict[str, Any], settings: dict[str, Any], runs: list[Any], stop_after: str, retry: bool
) -> Any:
    """Submit a TwinWorkChain; returns its node.

    :raises click.ClickException: if a code is not set up.
    """
    from aiida import engine

    return engine.submit(twins_builder(content, samplers, settings, runs, stop_after, retry))


def twins_builder(
    content: Any, samplers: dict[str, Any], settings: dict[str, Any], runs: list[Any], stop_after: str, retry: bool
) -> Any:
    """Builder of a TwinWorkChain; arguments as of :func:`submit_twins`. Nothing is stored."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    from ..campaign.twin_runs import expand_rounds
    from ..data.mlip import MlipData
    from .profile import MD_CODE, PW_CODE

    numbers = {name: f"s{number:03d}" for number, name in enumerate(samplers)}
    builder = WorkflowFactory("falsemetal.twin").get_builder()
    builder.twins = orm.Dict(twins_content(content))
    builder.train_code = load_code(content.training.code or MD_CODE)
    builder.runs = {
        f"r{number:04d}": orm.Dict(
            {
                **run.content,
                "fingerprint": run.fingerprint,
                "sampler_number": numbers[run.sampler],
                "slots": content.slots,
            }
        )
        for number, run in enumerate(runs)
    }
    builder.active_runs = orm.List(expand_rounds(content))
    builder.outliers = _outlier_nodes(content)
    builder.samplers = {
        numbers[name]: MlipData.find_or_make(s.path, s.family, s.kwargs, s.facts, name, accepted=s.accepted)
        for name, s in samplers.items()
    }
    builder.sampler_codes = {numbers[name]: load_code(s.code or MD_CODE) for name, s in samplers.items()}
    builder.label = orm.Dict(settings)
    builder.pw_code = load_code(PW_CODE)
    builder.pw_options = orm.Dict(
        {
            "slots": content.slots,
            "resources": {"num_machines": 1, "num_mpiprocs_per_machine": content.label.ranks},
            "max_wallclock_seconds": content.label.walltime,
        }
    )
    builder.at_once = orm.Int(max(1, min(content.label.at_once, (worker_room() - 10) // LABEL_DEPTH)))
    builder.stop_after = orm.Str(stop_after)
    builder.retry = orm.Bool(retry)
    return builder


def _outliers(content: Any) -> list[tuple[str, Any]]:
    """Of every entry of `outliers` its name and its frames.

    :raises click.ClickException: if a campaign or an MLIP is not in the graph.
    """
    found = []
    for name, wanted in content.outliers.items():
        try:
            frames = _frames(wanted.campaign, wanted.mlip, wanted.frames, content.label.max_drop)
        except ValueError as error:
            raise click.ClickException(f"outliers.{name}: {error} Run the campaign first, or name another.") from error
        found.append((name, frames))
    return found


@cache
def _frames(campaign: str, mlip: str, count: int, max_drop: float) -> Any:
    """Asked of the graph once: the progress wants their number every few seconds."""
    from ..query.outliers import find_outliers

    return find_outliers(campaign, mlip, count, max_drop)


def _outlier_nodes(content: Any) -> dict[str, dict[str, Any]]:
    """Nodes of these frames, as the workchain is given them."""
    from aiida import orm

    from ..query.outliers import configuration_nodes

    found: dict[str, dict[str, Any]] = {}
    for name, frames in _outliers(content):
        for frame in frames:
            kelvin = orm.load_node(frame.pair_pk).inputs.md.get_dict().get("temperature")
            said = {"source": name, "sampler": content.outliers[name].mlip, "residual": frame.residual}
            parameters = orm.Dict({**said, "campaign": content.outliers[name].campaign, "temperature": kelvin})
            found[f"o{len(found):04d}"] = {**configuration_nodes(frame), "parameters": parameters}
    return found


def twins_content(content: Any) -> dict[str, Any]:
    """The file's content as the workchain is given it, the long-ranged twin's charges decided."""
    baseline = {"charges": content.ewald.table(), "smearing": content.ewald.smearing}
    return {**content.model_dump(mode="json"), "baseline": baseline}


def _watch(content: Any, runs: list[Any], keep: Callable[[], None]) -> None:
    """Print progress until the end.

    :param keep: see :func:`.follow.with_daemon`.
    """
    from rich.live import Live
    from rich.text import Text

    from ..query.twins import is_active
    from .common import wide_console

    console = wide_console()
    begun = time.monotonic()
    printed = -PLAIN_SECONDS
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            active, line = _patient(lambda: (is_active(content.name), _state(content, runs)))
            now = time.monotonic()
            said = f"{line}; {_duration(now - begun)} so far"
            if console.is_terminal:
                live.update(Text(said), refresh=True)
            elif now - printed > PLAIN_SECONDS or not active:
                console.print(Text(said), soft_wrap=True)
                printed = now
            if not active:
                return
            keep()
            time.sleep(POLL_SECONDS)


def _patient(look: Callable[[], Any]) -> Any:
    """Look again where SQLite is locked for longer than a query waits, see :mod:`.follow`."""
    from aiida.manage import get_manager
    from sqlalchemy.exc import OperationalError

    from .follow import PATIENCE

    for looks in range(1, PATIENCE + 1):
        try:
            return look()
        except OperationalError as error:
            if "locked" not in str(error) or looks == PATIENCE:
                raise
            get_manager().get_profile_storage().get_session().rollback()
            time.sleep(POLL_SECONDS)
    raise AssertionError("unreachable")


def _state(content: Any, runs: list[Any]) -> str:
    """One line: sampling runs, labels, time left, and what the trainings say."""
    from ..query.twins import running_training

    found = _progress(content, runs)
    text = f"twins {content.name}: {_counts(found.sources, len(runs))}"
    if content.rounds.number:
        text += f"; active rounds: {_counts(found.active, len(_active(content)))}"
    if found.missing:
        text += f", about {_duration(found.seconds / content.slots)} of labels left"
        text += f" ({found.seconds / 3600:.1f} core-hours)"
    for name, said in running_training(content.name).items():
        text += f"; {name.replace('_', '-')}: {said}"
    return text


def _counts(part: Any, runs: int) -> str:
    failed = f" ({part.runs_failed} failed)" if part.runs_failed else ""
    text = f"{part.runs} of {runs} sampling runs{failed}, {part.labels} of {part.asked} labels"
    notes = [f"{count} {word}" for count, word in ((part.metallic, "metallic"), (part.failed, "failed")) if count]
    return text + (f" ({', '.join(notes)})" if notes else "")


def _progress(content: Any, runs: list[Any]) -> Any:
    from ..query.twins import twins_progress

    counts = {run.fingerprint: run.content["selection"]["frames"] for run in runs}
    outliers = sum(len(frames) for _, frames in _outliers(content))
    return twins_progress(content.name, counts, _atoms(runs), content.label.most, _active(content), outliers)


def _active(content: Any) -> list[int]:
    """Configurations that each run of the active rounds is asked for."""
    from ..campaign.twin_runs import expand_rounds
    from ..workflows.rounds import MOVERS

    return [run["selection"]["frames"] for run in expand_rounds(content)] * MOVERS


def _atoms(runs: list[Any]) -> int:
    """Atoms of a typical configuration: three a water, the mean over what is asked for."""
    from ..interfaces.film import FilmParameters

    sizes = []
    for run in runs:
        given = run.content["parameters"]
        number = given.get("molecules") or FilmParameters(**given).liquid().number
        sizes += [3 * number] * run.content["selection"]["frames"]
    return round(sum(sizes) / len(sizes))


def _exit_unless_well(name: str) -> None:
    """Exit with 1 where the newest TwinWorkChain did not end well."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    query = orm.QueryBuilder()
    query.append(
        WorkflowFactory("falsemetal.twin"), filters={"extras.falsemetal_twins": name}, project=["*"], tag="twin"
    )
    query.order_by({"twin": {"id": "desc"}})
    found = query.first()
    if found is not None and not found[0].is_finished_ok:
        click.echo(f"TwinWorkChain<{found[0].pk}>: {found[0].exit_message or found[0].process_state}", err=True)
        raise SystemExit(1)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
