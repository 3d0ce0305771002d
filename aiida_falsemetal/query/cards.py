"""What the graph knows of a twin, for its card."""

from __future__ import annotations

from typing import Any

from aiida import orm

from .heldout import errors_by_sampler
from .twins import Trained, by_source, label_rows

TRAINING_KEYS = (
    *("channels", "max_L", "correlation", "max_ell", "epochs", "batch_size", "lr"),
    *("energy_weight", "forces_weight", "dtype", "seed"),
)


def twin_card(made: Trained, kind: str) -> dict[str, Any]:
    """Of one of two twins.

    :param kind: ``short_ranged`` or ``long_ranged``.
    :return: what :func:`aiida_falsemetal.report.card.model_card` wants.
    """
    node = made.models[kind]
    (other,) = (model.label for key, model in made.models.items() if key != kind)
    chain = orm.load_node(made.pk)
    job = node.creator.inputs.model.creator  # that made the model's file
    results = job.outputs.results.get_dict()
    split = chain.outputs.split.get_dict()
    counts = {key: len(split[key]) for key in ("train", "valid", "test")}
    errors = made.errors[kind]
    return {
        "label": node.label,
        "twin": other,
        "family": node.family,
        "kwargs": node.kwargs,
        "facts": node.facts,
        "file": node.filename,
        "bytes": len(node.get_content(mode="rb")),
        "sha256": node.sha256,
        "dft": {**chain.inputs.label.get_dict(), "max_drop": made.content["label"]["max_drop"]},
        "split": {**counts, "usable": split["usable"], "metallic": split["metallic"]},
        "sources": _sources(made.content["name"], split),
        "training": {key: made.content["training"][key] for key in TRAINING_KEYS},
        **_cost(_jobs(job)),
        "threads": results["threads"],
        "errors": errors["rows"],
        "by_sampler": errors_by_sampler(made, kind),
        "slopes": errors["slopes"],
        "nodes": {
            "MlipData": node.uuid,
            "TwinWorkChain": chain.uuid,
            "training": job.uuid,
            "labels": job.inputs.labels.uuid,
        },
        "versions": results["versions"],
    }


def _jobs(last: Any) -> list[Any]:
    """All jobs of a training, the last one among them, and of the one before whose checkpoint was taken up.

    The first of them by ctime: an import gives pks in any order.
    """
    caller = last.caller
    own = [last] if caller is None else [job for job in caller.called if isinstance(job, orm.CalcJobNode)]
    before = min(own, key=lambda job: job.ctime).base.links.get_incoming(link_label_filter="checkpoint").all_nodes()
    makers = [node.creator for node in before if node.creator is not None]
    return [job for maker in makers for job in _jobs(maker)] + own


def _cost(jobs: list[Any]) -> dict[str, Any]:
    """Their wall time, and whether all of them could say theirs."""
    found = [_seconds(job) for job in jobs]
    known = [seconds for seconds in found if seconds is not None]
    return {"training_seconds": sum(known), "training_whole": len(known) == len(found)}


def _seconds(job: Any) -> float | None:
    """Wall time of a job, None of one that was killed before it could say."""
    found = job.base.links.get_outgoing(link_label_filter="results").all_nodes()
    return float(found[0].get_dict().get("wall_seconds") or 0.0) if found else None


def _sources(name: str, split: dict[str, Any]) -> list[dict[str, Any]]:
    """The usable labels by source and round, under the names of the file that these twins are of."""
    used, names = set(split["fingerprints"]), split.get("names", {})
    rows = [
        {**row, **names.get(row["fingerprint"], {})}
        for row in label_rows(name)
        if row["usable"] and row["fingerprint"] in used
    ]
    found = []
    for (source, number), own in by_source(rows).items():
        drops = [abs(row["drop"]) for row in own if row["drop"] is not None]
        found.append(
            {
                "source": source,
                "round": number,
                "atoms": own[0]["atoms"],
                "temperatures": sorted({row["temperature"] for row in own}),
                "labels": len(own),
                "largest_drop": max(drops, default=None),
                "samplers": sorted({str(row["sampler"]) for row in own}),
            }
        )
    return found
