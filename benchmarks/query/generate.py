"""Fill a profile with campaigns of any size, to measure queries on.

    AIIDA_PROFILE=speed python -m benchmarks.query.generate --frames 100000

The nodes are copies of those of ``falsemetal demo``'s campaign, which is imported first. A run that was cut short goes
on where it stopped. See ``README.md`` in this folder.
"""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from aiida import load_profile, orm

from aiida_falsemetal.names import CAMPAIGN_GROUP

from .graph import Copier, Labels, conclusions, frames_in, pair_batch, pair_labels
from .sinks import Sink
from .template import PAIR, read_template

DEMO = "quickstart"


def generate(campaign: str, frames: int, per_pair: int, say: bool = False, drop_indexes: bool = False) -> None:
    """Make pairs of ``per_pair`` frames until the campaign has at least ``frames``.

    :raises ValueError: if the campaign is the demo's own.
    """
    if campaign == DEMO:
        raise ValueError(f"campaign {DEMO!r} is what the nodes are copied from; give another name.")
    sink = Sink()
    sink.index()
    import_demo()
    template = read_template(DEMO)
    group, _ = orm.Group.collection.get_or_create(CAMPAIGN_GROUP + campaign)
    verdicts = _made(campaign)
    pairs = -(-frames // per_pair)
    if len(verdicts) >= pairs:
        return
    user = orm.User.collection.get_default()
    assert user is not None and user.pk is not None and group.pk is not None
    now = time.strftime("%Y-%m-%d %H:%M:%S.000000", time.gmtime()) + ("+00" if sink.postgres else "")
    copier = Copier(now, sink.next_id("db_dbnode"), sink.next_id("db_dblink"), user.pk)
    started, count = time.monotonic(), 0
    with sink.without_indexes(drop_indexes):
        for number in range(len(verdicts), pairs):
            labels = pair_labels(campaign, number)
            batch, verdicts[labels] = pair_batch(template, copier, labels, number, per_pair)
            sink.write(batch, group.pk)
            count += frames_in(batch)
            if say and number % 100 == 99:
                print(f"{number + 1} of {pairs} pairs, {count / (time.monotonic() - started):.0f} frames/s", flush=True)
        for batch in conclusions(template, copier, verdicts, campaign):
            sink.write(batch, group.pk)
    sink.finish()


def import_demo() -> None:
    """Import the campaign of ``falsemetal demo`` unless it is there."""
    query = orm.QueryBuilder()
    filters = {"process_type": PAIR, "extras.falsemetal_campaign": DEMO}
    query.append(orm.WorkChainNode, filters=filters, project=["id"])
    if query.count() == 0:
        from aiida.tools.archive import import_archive

        import aiida_falsemetal

        import_archive(Path(aiida_falsemetal.__file__).parent / "demo" / f"{DEMO}.aiida")


def _made(campaign: str) -> dict[Labels, int]:
    """Id of the verdict of every pair that is there, in the order in which they were made."""
    query = orm.QueryBuilder()
    names = ("interface", "mlip", "seed")
    filters = {"process_type": PAIR, "extras.falsemetal_campaign": campaign}
    project = [f"extras.falsemetal_{name}" for name in names]
    query.append(orm.WorkChainNode, filters=filters, tag="pair", project=project)
    query.append(orm.Dict, with_incoming="pair", edge_filters={"label": "verdict"}, project=["id"])
    query.order_by([{"pair": "id"}])
    return {Labels(campaign, *names): pk for *names, pk in query.iterall()}


def main() -> None:
    """See the module."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--frames", type=int, default=100_000)
    parser.add_argument("--per-pair", type=int, default=100, help="frames of a pair")
    parser.add_argument("--campaign", default="speed")
    parser.add_argument("--copies", type=int, default=1, help="PostgreSQL: so many campaigns, copied by the server")
    parser.add_argument("--drop-indexes", action="store_true", help="PostgreSQL: make the indexes after the rows")
    given = parser.parse_args()
    load_profile(os.environ.get("AIIDA_PROFILE", "speed"))
    generate(given.campaign, given.frames, given.per_pair, say=True, drop_indexes=given.drop_indexes)
    if given.copies > 1:
        sink = Sink()
        with sink.without_indexes(given.drop_indexes):
            sink.multiply(given.campaign, given.copies)
        sink.finish()


if __name__ == "__main__":
    main()
