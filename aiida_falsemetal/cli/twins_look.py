"""How far a pair of twins is: in a line, and whether anything is left to do."""

from __future__ import annotations

from typing import Any

from .twins_submit import numbered, outlier_nodes, outliers_of, twins_content

DECIDING = (
    *("samplers", "sources", "outliers", "sampling", "label"),
    *("split", "rounds", "training", "baseline", "licence"),
)
"""Keys of a file's content that decide what its twins are."""
RESOURCES = ("walltime", "threads", "ranks", "at_once", "max_jobs", "code", "rescue")
"""Settings that change no model: where and how long something runs, and how often pw.x is tried."""


def is_complete(content: Any, runs: list[Any], settings: dict[str, Any], stop_after: str, retry: bool) -> bool:
    """Whether all that was asked for is there."""
    from ..query.twins import same, trained_twins
    from ..workflows.asked import in_turn, labels_of
    from ..workflows.known import known_samples

    found = known_samples(run.fingerprint for run in runs)
    samples = {key: found[run.fingerprint] for key, run in numbered(runs) if run.fingerprint in found}
    if stop_after == "samples" or len(samples) < len(runs):
        return len(samples) == len(runs)
    frames = [frame for _, frame, _ in in_turn(samples, content.label.most)]
    frames += [nodes["structure"].pk for nodes in outlier_nodes(content).values()]
    labels = labels_of(frames, settings)
    labelled = not labels["missing"] and not (retry and labels["failed"])
    rounds = bool(content.rounds.number)
    if stop_after == "labels" or not labelled or (stop_after == "rounds" and not rounds):
        return labelled
    made = trained_twins(content.name)
    if made is None or not labels["done"] <= made.fingerprints:
        return False
    if retry and _progress(content, runs, settings).active.failed:
        return False
    wanted = twins_content(content)
    return same(*({key: given.get(key) for key in DECIDING} for given in (_decided(made.content), _decided(wanted))))


def _decided(content: Any) -> Any:
    """The content without :data:`RESOURCES`."""
    if isinstance(content, dict):
        return {key: _decided(value) for key, value in content.items() if key not in RESOURCES}
    return content


def progress_line(content: Any, runs: list[Any], settings: dict[str, Any]) -> str:
    """One line: sampling runs, labels, time left, and what the trainings say."""
    from ..query.twins import running_training

    found = _progress(content, runs, settings)
    text = f"twins {content.name}: {_counts(found.sources, len(runs))}"
    if content.rounds.number:
        text += f"; active rounds: {_counts(found.active, len(_active(content)))}"
    if found.missing:
        text += f", about {duration(found.seconds / content.slots)} of labels left"
        text += f" ({found.seconds / 3600:.1f} core-hours)"
    for name, said in running_training(content.name).items():
        text += f"; {name.replace('_', '-')}: {said}"
    return text


def _counts(part: Any, runs: int) -> str:
    failed = f" ({part.runs_failed} failed)" if part.runs_failed else ""
    text = f"{part.runs} of {runs} sampling runs{failed}, {part.labels} of {part.asked} labels"
    notes = [f"{count} {word}" for count, word in ((part.metallic, "metallic"), (part.failed, "failed")) if count]
    return text + (f" ({', '.join(notes)})" if notes else "")


def _progress(content: Any, runs: list[Any], settings: dict[str, Any]) -> Any:
    from ..calculations.label import DETERMINING
    from ..query.twins import twins_progress

    counts = {run.fingerprint: run.content["selection"]["frames"] for run in runs}
    outliers = sum(len(frames) for _, frames in outliers_of(content))
    names = {*content.sources, *content.outliers}
    at = {key: settings[key] for key in DETERMINING}
    of = (content.label.most, _active(content), outliers, at, names)
    return twins_progress(content.name, counts, _atoms(runs), *of)


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


def duration(seconds: float) -> str:
    """Hours and minutes, or minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02d} min"
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"
