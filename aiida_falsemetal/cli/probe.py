"""Looks at a machine before it becomes a computer of the profile: login, scheduler, programs, folder for work."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import click

LOCAL = "local"
"""Kind of a transport; the others are backends of AiiDA's ``core.ssh_async``."""
PATIENCE = 30.0
"""Seconds for the login, and for each command."""
COMMANDS = {"slurm": "sbatch", "pbspro": "qsub", "torque": "qsub", "sge": "qsub", "lsf": "bsub"}
"""What each scheduler's jobs are submitted with; AiiDA knows it as ``core.NAME``."""
MARK = "falsemetal-answer:"
"""Before each answer: a login shell may greet."""

Ask = Callable[[str], Awaitable[tuple[int, str, str]]]


@dataclass(frozen=True)
class Wanted:
    """What is looked for.

    :param host: as in ``ssh HOST``; None for this machine.
    :param transport: ``local``, ``asyncssh`` or ``openssh``.
    :param scheduler: a key of ``COMMANDS``, or ``direct``.
    :param queue: partition or queue, or None.
    :param workdir: AiiDA's folder for work; ``{username}`` stands for the user.
    :param programs: Quantum ESPRESSO's by name: a path, or the name itself for the one on PATH.
    :param needed: those of them without which nothing is made.
    :param prepend: shell lines before these.
    :param python: of the MD.
    :param python_prepend: shell lines before it.
    """

    host: str | None
    transport: str
    scheduler: str
    queue: str | None
    workdir: str
    programs: dict[str, str]
    needed: tuple[str, ...]
    prepend: str
    python: str
    python_prepend: str

    @property
    def place(self) -> str:
        """For messages."""
        return self.host or "this machine"


@dataclass(frozen=True)
class Found:
    """Absolute paths there.

    :param programs: of those that are there, by name.
    :param python: of the MD.
    :param longest: job in seconds that the partition takes, None where that is not known.
    """

    programs: dict[str, str]
    python: str
    longest: int | None


def probe(wanted: Wanted) -> Found:
    """Look at a machine; nothing is changed there, but that its folder for work is made.

    :raises click.ClickException: if it is not reached, or something is not there; the message names the remedy.
    """
    try:
        return asyncio.run(_probe(wanted))
    except (TimeoutError, OSError) as error:
        raise click.ClickException(
            f"{wanted.place} did not answer within {PATIENCE:g} s, or hung up ({_tail(str(error)) or 'no answer'}); "
            "see what its login shell (`bash -l`) waits for, and try again."
        ) from error


async def _probe(wanted: Wanted) -> Found:
    async with _login(wanted) as ask:
        longest = await _scheduler(wanted, ask)
        programs = {name: await _program(wanted, name, given, ask) for name, given in wanted.programs.items()}
        python = await _python(wanted, ask)
        await _workdir(wanted, ask)
    return Found({name: path for name, path in programs.items() if path is not None}, python, longest)


@asynccontextmanager
async def _login(wanted: Wanted) -> Any:
    """A way to run shell lines there, as AiiDA will."""
    if wanted.transport == LOCAL:
        yield _shell
        return
    from aiida.plugins import TransportFactory

    host = str(wanted.host)
    transport = TransportFactory("core.ssh_async")(machine=host, host=host, backend=wanted.transport, safe_interval=0.0)

    async def ask(line: str) -> tuple[int, str, str]:
        code, out, err = await asyncio.wait_for(transport.exec_command_wait_async(line), PATIENCE)
        return int(code), str(out), str(err)

    try:
        await asyncio.wait_for(transport.open_async(), PATIENCE)
        code, _, err = await ask("true")  # the program ssh logs in with every command, and not before
        if code != 0:
            raise OSError(_tail(err) or f"`true` ended with {code}")
    except Exception as error:  # asyncssh and the operating system raise many kinds
        raise click.ClickException(_no_login(host, error)) from error
    try:
        yield ask
    finally:
        await transport.close_async()


async def _shell(line: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *("bash", "-l", "-c", line), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    return int(process.returncode or 0), out.decode(errors="replace"), err.decode(errors="replace")


def _no_login(host: str, error: Exception) -> str:
    """A sentence for a login that failed, by its cause."""
    cause: BaseException = error
    while cause.__cause__ is not None or cause.__context__ is not None:
        cause = cause.__cause__ or cause.__context__ or cause
    kind, text = type(error).__name__, " ".join(str(error).split())[:200] or type(error).__name__
    if kind == "PermissionDenied" or "ermission denied" in text:
        remedy = (
            f"put your public key there with `ssh-copy-id {host}`; the key may have no passphrase, or be in ssh-agent"
        )
    elif kind == "HostKeyNotVerifiable" or "ost key" in text:
        remedy = f"log in once by hand with `ssh {host}` and accept its key"
    elif isinstance(error, TimeoutError) or isinstance(cause, OSError):
        remedy = f"see whether `ssh {host} true` works, and whether ~/.ssh/config has an entry `Host {host}`"
    else:
        remedy = f"see what `ssh {host} true` says"
    return f"`ssh {host}` does not log in without a password ({kind}: {text}); {remedy}."


async def _answer(ask: Ask, prepend: str, line: str) -> str | None:
    """The last line that ``line`` prints after ``prepend``, None where it fails."""
    script = f'{prepend}\nfalsemetal_answer=$({line}) && echo {MARK}"$falsemetal_answer"'
    code, out, _ = await ask(script)
    found = [text.removeprefix(MARK) for text in out.splitlines() if text.startswith(MARK)]
    return found[-1].strip() if code == 0 and found else None


async def _scheduler(wanted: Wanted, ask: Ask) -> int | None:
    """See whether the scheduler is there; the longest job in seconds that the partition takes, None if not known."""
    command = COMMANDS.get(wanted.scheduler)
    if command is None:
        return None
    if await _answer(ask, "", f"command -v {command}") is None:
        raise click.ClickException(
            f"{wanted.place} has no {command}, so --scheduler {wanted.scheduler} cannot work there; name the scheduler "
            "that it has, or see to it that a login shell (`bash -l`) finds its commands."
        )
    if wanted.scheduler != "slurm":
        return None
    code, out, err = await ask("sinfo --noheader --format='%P %l'")
    if code != 0:
        raise click.ClickException(f"SLURM at {wanted.place} does not answer ({_tail(err)}); try `sinfo` there.")
    limits = dict(line.split()[:2] for line in out.splitlines() if len(line.split()) == 2)
    names = {name.removesuffix("*"): limit for name, limit in limits.items()}
    if wanted.queue is not None and wanted.queue not in names:
        raise click.ClickException(
            f"SLURM at {wanted.place} has no partition {wanted.queue!r}; it has {', '.join(sorted(names))}."
        )
    taken = wanted.queue or next((name[:-1] for name in limits if name.endswith("*")), None)
    return None if taken is None else seconds(names[taken])


def seconds(limit: str) -> int | None:
    """SLURM's ``[days-]hours:minutes:seconds`` or ``minutes:seconds`` as seconds, None for no limit."""
    days, _, clock = limit.rpartition("-")
    parts = clock.split(":")
    if not all(part.isdigit() for part in (*parts, *([days] if days else []))):
        return None
    total = 0
    for part in parts:
        total = 60 * total + int(part)
    return 86400 * int(days or 0) + total


async def _program(wanted: Wanted, name: str, given: str, ask: Ask) -> str | None:
    """Absolute path of one of Quantum ESPRESSO's programs, None where a needless one is not there."""
    path = await _answer(ask, wanted.prepend, f"command -v {_word(given)}")
    if path is not None and path.startswith("/"):
        return path
    if name not in wanted.needed and given == name:
        return None
    option = f"--{name.removesuffix('.x')}"
    looked = f"{given} is no program" if given != name else f"{name} is not on PATH"
    raise click.ClickException(
        f"{looked} at {wanted.place}; give its path there with {option}, or the lines that make it known with "
        "--prepend, as in --prepend 'module load qe'."
    )


async def _python(wanted: Wanted, ask: Ask) -> str:
    """Absolute path of the Python of the MD, which must have ase."""
    python = _word(wanted.python)
    path = await _answer(ask, wanted.python_prepend, f"command -v {python}")
    if path is None or not path.startswith("/"):
        raise click.ClickException(f"{wanted.python} is no program at {wanted.place}; give another with --python.")
    if await _answer(ask, wanted.python_prepend, f"{python} -c 'import ase; print(ase.__version__)'") is None:
        raise click.ClickException(
            f"{path} at {wanted.place} cannot import ase; make an environment there, `python3 -m venv ~/mlip` and "
            "`~/mlip/bin/pip install ase` with the packages of your models, and give --python '~/mlip/bin/python'."
        )
    return path


async def _workdir(wanted: Wanted, ask: Ask) -> None:
    folder = wanted.workdir.replace("{username}", "$(whoami)")
    code, _, err = await ask(f'mkdir -p "{folder}" && test -w "{folder}"')
    if code != 0:
        raise click.ClickException(
            f"the folder for work {wanted.workdir} cannot be used at {wanted.place} ({_tail(err) or 'not writable'}); "
            "give one that all nodes see with --work-dir, as in --work-dir '/scratch/{username}/aiida'."
        )


def _tail(text: str) -> str:
    """The end of what a command complained of, in one line."""
    return " ".join(text.split())[-200:]


def _word(path: str) -> str:
    """A path for the shell there; ``~/`` is left for it to read."""
    return f"~/{shlex.quote(path[2:])}" if path.startswith("~/") else shlex.quote(path)
