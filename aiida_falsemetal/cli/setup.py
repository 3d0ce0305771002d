"""`falsemetal setup`: finds or installs Quantum ESPRESSO, then makes the AiiDA profile, and a cluster's computer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from .common import PROFILE
from .engines import DATABASE_FORM, POSTGRES, RABBITMQ, SQLITE, ZEROMQ, read_engines
from .environment import APT_LINE, VARIABLES, MissingError, espresso, optional_espresso
from .setup_cluster import cluster_options, read_cluster


@click.command()
@click.option(
    "--profile", metavar="NAME", envvar="AIIDA_PROFILE", default=PROFILE, show_default=True, help="Also AIIDA_PROFILE."
)
@click.option(
    "--storage", type=click.Choice([SQLITE, POSTGRES]), help=f"Of a new profile; {SQLITE} by default, without a server."
)
@click.option("--database", metavar="URL", envvar="FALSEMETAL_DATABASE", help=f"{DATABASE_FORM}, of an empty database.")
@click.option(
    "--broker", type=click.Choice([ZEROMQ, RABBITMQ]), help=f"Of a new profile; {ZEROMQ} by default, without a server."
)
@click.option(
    "--rabbitmq",
    metavar="URL",
    envvar="FALSEMETAL_RABBITMQ",
    help="Address of RabbitMQ, amqp://guest:guest@127.0.0.1:5672 by default.",
)
@click.option("--pw", metavar="PATH", help=f"pw.x; {VARIABLES['pw.x']} or the one on PATH by default.")
@click.option("--projwfc", metavar="PATH", help=f"projwfc.x; {VARIABLES['projwfc.x']} or the one on PATH by default.")
@click.option(
    "--pseudos",
    metavar="NAME",
    help="Also install a pseudopotential family: a folder of UPF files, or one that is published, for example "
    "SSSP/1.3/PBE/efficiency or PseudoDojo/0.4/PBE/SR/standard/upf.",
)
@click.option("--system", is_flag=True, help=f"As root, install what is missing: {APT_LINE}")
@cluster_options
def setup(
    profile: str,
    storage: str | None,
    database: str | None,
    broker: str | None,
    rabbitmq: str | None,
    pw: str | None,
    projwfc: str | None,
    pseudos: str | None,
    system: bool,
    **cluster: Any,
) -> None:
    """Make the AiiDA profile: storage, broker, computer, codes, pseudopotentials. May be run again.

    With --scheduler, a cluster is added: --host HOST is it as in `ssh HOST`, and --pw, --projwfc, --python and
    --work-dir are paths there.
    """
    there = read_cluster(cluster, pw, projwfc)
    # Before AiiDA is imported: without pw.x nothing is made. A laptop that has a cluster needs none.
    try:
        found = espresso({} if there else _paths(pw, projwfc), system, click.echo)
    except MissingError as error:
        if there is None:
            raise click.ClickException(str(error)) from error
        click.echo(f"note: {error}", err=True)
        found = {}
    from .profile import check_profile, profile_exists, setup_profile
    from .pseudos import check_name, install_pseudos

    if pseudos is not None:
        check_name(pseudos)
    engines = read_engines(storage or SQLITE, database if storage else None, broker or ZEROMQ, rabbitmq)
    if profile_exists(profile):
        check_profile(profile, storage, broker)
    else:
        engines.check(click.echo)
    probed = None
    if there is not None:
        from .cluster import check_cluster

        probed = check_cluster(there)

    programs = {**found, **(optional_espresso(found["projwfc.x"]) if found else {})}
    setup_profile(programs, click.echo, profile, engines)
    if there is not None and probed is not None:
        from .cluster import ensure_cluster

        ensure_cluster(there, probed, click.echo)
    if pseudos is not None:
        install_pseudos(pseudos, click.echo)
    click.echo(_ready(profile, there))


def _paths(pw: str | None, projwfc: str | None) -> dict[str, Path | None]:
    given = {"pw.x": pw, "projwfc.x": projwfc}
    return {name: None if path is None else Path(path) for name, path in given.items()}


def _ready(profile: str, there: Any) -> str:
    before = "" if profile == PROFILE else f"AIIDA_PROFILE={profile} "
    if there is not None:
        return f"ready; `{before}falsemetal screen FILE --computer {there.computer}` runs a campaign's jobs there."
    return f"ready; `{before}falsemetal doctor` looks at everything once more."
