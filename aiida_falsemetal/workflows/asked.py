"""Which configurations a pair of twins wants labels of, and which of these labels the graph has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from aiida import orm

from ..calculations.label import label_fingerprint
from .known import configurations_of, known_labels
from .pseudos import decided_once, pseudos_of


def in_turn(samples: Mapping[str, int], most: int | None = None) -> list[tuple[str, int, int]]:
    """Run, PK of the frame and PK of its record of the configurations of sampling runs: of each run the first, then the
    second, and so on, so that what is labelled is balanced whenever it ends.

    :param samples: PKs of the runs by a key of theirs.
    :param most: how many; None for all.
    """
    ranked = sorted(
        (rank, key, frame, record)
        for key, pk in samples.items()
        for rank, (frame, record) in enumerate(configurations_of(pk))
    )
    return [found[1:] for found in ranked[:most]]


def digest_of(frame: int, settings: Mapping[str, Any]) -> str:
    """Fingerprint of the label that a configuration has at these settings.

    :param frame: PK of the StructureData.
    :param settings: of :func:`.label.label_settings`.
    """
    structure = orm.load_node(frame)
    return label_fingerprint(structure, settings, pseudos_of(settings["pseudo_family"], structure))


def labels_of(frames: Iterable[int], settings: Mapping[str, Any]) -> dict[str, set[str]]:
    """Fingerprints of the labels of these configurations: ``done``, ``failed`` and ``missing``."""
    with decided_once():
        wanted = {digest_of(frame, settings) for frame in frames}
    done, failed = known_labels(wanted)
    return {"done": set(done), "failed": set(failed), "missing": wanted - set(done) - set(failed)}
