"""The AiiDA daemon of the profile: started when a screen is followed, stopped by whoever started it.

A daemon that was killed leaves orphans behind (its worker and the ZeroMQ broker go on for themselves) and, at times,
processes that the broker has no task for. Both are dealt with before a new daemon starts.
"""

from __future__ import annotations

import shutil
import time
from typing import Any

import click

from ..names import ENDED
from .environment import own_programs_first
from .family import daemons, end, family, is_daemon, orphans

START_SECONDS = 60
STOP_SECONDS = 30.0
BEGIN_SECONDS = 20.0
"""In which a daemon begins what it is told of."""
PAUSED = "after failed transport task"
"""What AiiDA says of a process that it has paused itself."""
SUBMITTED = ("falsemetal.screen", "falsemetal.twin")
"""What our commands submit to the daemon."""


def daemon_runs() -> bool:
    """Whether the daemon's main process lives and answers. A pid file alone is no proof of life."""
    from aiida.engine.daemon.client import get_daemon_client

    client = get_daemon_client()
    pid = client.get_daemon_pid()
    if pid is None or not is_daemon(pid):
        return False
    try:
        return bool(client.get_status().get("status") == "active")
    except Exception:  # circus raises many kinds for a dead or deaf endpoint
        return False


def daemon_settles() -> bool:
    """Whether the daemon runs, once that can be said: one that a killed command has just started has no process id
    yet, one that is ending still lives, and one on a machine under load answers late."""
    deadline = time.monotonic() + START_SECONDS
    while not (runs := daemon_runs()) and daemons() and time.monotonic() < deadline:
        time.sleep(0.5)
    return runs


def require_daemon() -> None:
    """Refuse to submit where nothing would compute.

    :raises click.ClickException: if no daemon runs.
    """
    from aiida.manage.configuration import get_profile

    if not daemon_runs():
        raise click.ClickException(
            "no AiiDA daemon runs, so nothing would compute. Add --follow, which starts one and stops it at the end, "
            f"or start your own with `verdi -p {get_profile().name} daemon start`."
        )


def ensure_daemon() -> bool:
    """Start the daemon unless it runs.

    :return: whether it was started here.
    :raises click.ClickException: if it does not start.
    """
    if daemon_runs():
        return False
    from aiida.common.exceptions import ConfigurationError
    from aiida.engine.daemon import client
    from aiida.engine.daemon.client import DaemonException, get_daemon_client

    own_programs_first()
    client.VERDI_BIN = shutil.which("verdi")  # looked up when AiiDA was imported, maybe on another PATH
    # A second daemon beside one that lives would overwrite the address of the first, and give its tasks out twice.
    end(daemons())
    end(orphans())
    _forget_broker()
    end_cut_off()
    lost = lost_processes()
    try:
        get_daemon_client().start_daemon(number_workers=1, timeout=START_SECONDS)
    except (ConfigurationError, DaemonException) as error:
        raise click.ClickException(
            f"the AiiDA daemon did not start ({error}); look at it with `verdi -p {_profile().name} daemon logshow`."
        ) from error
    _await_broker()
    if lost:
        click.echo(f"going on with {len(lost)} processes that an earlier daemon left", err=True)
        _go_on_with(lost)
    return True


def stop_daemon() -> None:
    """Stop the daemon, its workers and its broker."""
    from aiida.engine.daemon.client import DaemonException, get_daemon_client

    # Known before it ends: its file is gone before it is, and on a machine under load a worker may outlive it.
    pid = get_daemon_client().get_daemon_pid()
    own = family(pid)
    try:
        get_daemon_client().stop_daemon(wait=True, timeout=int(STOP_SECONDS))
    except DaemonException:
        pass  # it was killed: what it left is ended below
    deadline = time.monotonic() + STOP_SECONDS
    for last in {pid, get_daemon_client().get_daemon_pid()} - {None}:
        while is_daemon(last) and time.monotonic() < deadline:
            time.sleep(0.2)
        if is_daemon(last):
            import psutil

            end([psutil.Process(last)])
    end([process for process in own if process.is_running()])
    end(orphans())


def lost_processes() -> list[Any]:
    """Unfinished processes of campaigns that no task in the broker's queue will continue. The daemon must be stopped:
    reading the queue of a broker at work would give its tasks out twice."""
    from aiida.engine.processes.control import get_process_tasks
    from aiida.manage import get_manager

    tasks = set(get_process_tasks(get_manager().get_broker()))
    return [node for node in _unfinished() if node.pk not in tasks]


def revive_created(campaign: str) -> None:
    """Tell the daemon of screens that were stored by commands which were killed before they could. To be called with
    the campaign's lock, so that nobody is about to: a daemon begins what it is told of at once."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    from ..workflows.steady import NEVER_BEGAN, end_process

    filters = {"extras.falsemetal_campaign": campaign, "attributes.process_state": "created"}
    deadline = time.monotonic() + BEGIN_SECONDS
    while True:
        query = orm.QueryBuilder()
        query.append(WorkflowFactory(SUBMITTED[0]), filters=filters, project=["*"])
        found = query.all(flat=True)
        if not found or time.monotonic() > deadline:
            break
        time.sleep(1.0)
    whole = [node for node in found if node.checkpoint is not None]
    for node in found:
        if node not in whole:
            end_process(node, NEVER_BEGAN)
    _go_on_with(whole)


def _go_on_with(nodes: list[Any]) -> None:
    """Tell the daemon's worker to go on with processes, in the way in which AiiDA tells it of one that is submitted.

    AiiDA's ``revive_processes`` has the worker take the task out of the queue as soon as it has begun, and not when the
    process has ended: where that worker is killed later, nobody goes on with the process.
    """
    from aiida.manage import get_manager

    controller = get_manager().get_process_controller()
    for node in nodes:
        controller.continue_process(node.pk, nowait=False, no_reply=True)


def play_paused() -> int:
    """Have jobs go on that AiiDA has paused because their machine or its disk failed it five times in a row; returns
    how many. What a user has paused stays so."""
    from aiida.engine.processes.control import play_processes

    paused = [node for node in _unfinished() if node.paused and PAUSED in str(node.process_status)]
    if paused:
        play_processes(paused)
    return len(paused)


def end_cut_off() -> None:
    """Mark as killed what nothing else would ever end: calcfunctions that a killed worker was in the middle of, and
    processes whose maker was killed while it made them. Whoever called one calls another. To be continued, one that
    never began would except, and its caller would take that for its end. The daemon must be stopped."""
    from aiida import orm
    from plumpy import ProcessState

    from ..workflows.steady import CUT_OFF, NEVER_BEGAN, cut_off, end_process

    for node in _active():
        if isinstance(node, orm.CalcFunctionNode):
            end_process(node, CUT_OFF)
        elif node.checkpoint is None and node.process_state in (None, ProcessState.CREATED):
            end_process(node, NEVER_BEGAN)
    # Of workchains that have ended, with a version that did not do it themselves.
    over = {"process_type": {"like": "aiida.workflows:falsemetal.%"}, "attributes.process_state": {"in": list(ENDED)}}
    for node in cut_off(over):
        end_process(node, CUT_OFF)


def _unfinished() -> list[Any]:
    """What a daemon can go on with. A calcfunction that was cut off runs again with the workchain that called it."""
    from aiida import orm

    kinds = (orm.WorkChainNode, orm.CalcJobNode)
    return [node for node in _active() if isinstance(node, kinds) and node.checkpoint is not None]


def _active() -> list[Any]:
    """Processes of submitted screens and twins that have not ended. Those that someone runs in a shell of their own are
    not among them: to continue one here would run it twice."""
    from aiida import orm
    from aiida.plugins import WorkflowFactory

    # A process has no state yet when it is stored.
    active = {"attributes.process_state": {"!in": list(ENDED)}}
    found: dict[int, Any] = {}
    for name in SUBMITTED:
        query = orm.QueryBuilder()
        query.append(WorkflowFactory(name), filters=active, project=["*"])
        found.update({node.pk: node for (node,) in query.iterall()})
    frontier = list(found)
    while frontier:
        query = orm.QueryBuilder()
        query.append(orm.WorkflowNode, filters={"id": {"in": frontier}}, tag="caller")
        query.append(orm.ProcessNode, with_incoming="caller", filters=active, project=["*"])
        called = {node.pk: node for (node,) in query.iterall()}
        frontier = [pk for pk in called if pk not in found]
        found.update(called)
    return list(found.values())


def _profile() -> Any:
    from aiida.manage.configuration import get_profile

    return get_profile()


def _forget_broker() -> None:
    """Remove what a killed ZeroMQ broker left: a worker that starts faster than the new broker would read the old
    address, connect to nobody and wait for ever."""
    from aiida.brokers.zeromq.broker import ZeromqBroker
    from aiida.brokers.zeromq.service import ZeromqBrokerService
    from aiida.manage import get_manager
    from aiida.manage.configuration import get_config

    broker = get_manager().get_broker()
    if not isinstance(broker, ZeromqBroker) or broker.check_service_reachable():
        return
    layout = ZeromqBrokerService.FilepathLayout(get_config().filepaths(_profile())["broker_service"]["dir"])
    for file in (layout.sockets_file, layout.pid_file, layout.status_file):
        file.unlink(missing_ok=True)
    get_manager().reset_broker()


def _await_broker() -> None:
    """Wait until the ZeroMQ broker that the daemon starts can be reached; another broker runs anyway."""
    from aiida.manage import get_manager

    broker = get_manager().get_broker()
    reachable = getattr(broker, "check_service_reachable", None)
    deadline = time.monotonic() + START_SECONDS
    while reachable is not None and not reachable():
        if time.monotonic() > deadline:
            raise click.ClickException("the ZeroMQ broker did not start; look at `verdi daemon logshow`.")
        time.sleep(0.2)
