"""Installs a pseudopotential family: a folder of UPF files, or a published family by name through aiida-pseudo."""

from __future__ import annotations

import contextlib
import difflib
import io
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import click

Echo = Callable[[str], Any]

EXAMPLES = ("SSSP/1.3/PBE/efficiency", "PseudoDojo/0.4/PBE/SR/standard/upf")
SSSP_OPTIONS = ("-v", "-x", "-p")
DOJO_OPTIONS = ("-v", "-x", "-r", "-p", "-f")
"""Of `aiida-pseudo install`, in the order of a label's parts."""


def published() -> dict[str, list[str]]:
    """Labels of the families that aiida-pseudo can download and pw.x can read, with the command that installs each."""
    with warnings.catch_warnings():
        # AiiDA tells of the configuration folder that it makes; the profile in it is made later.
        warnings.simplefilter("ignore")
        from aiida_pseudo.groups.family import PseudoDojoFamily, SsspFamily

    found: dict[str, list[str]] = {}
    for label in SsspFamily.get_valid_labels():
        found[label] = ["sssp", *_options(SSSP_OPTIONS, label)]
    for label in PseudoDojoFamily.get_valid_labels():
        if label.endswith("/upf"):
            found[label] = ["pseudo-dojo", *_options(DOJO_OPTIONS, label)]
    return found


def _options(names: tuple[str, ...], label: str) -> list[str]:
    return [word for pair in zip(names, label.split("/")[1:], strict=True) for word in pair]


def check_name(name: str) -> None:
    """Refuse what is neither a folder nor a published family; looks at no profile.

    :raises click.ClickException: with the closest names.
    """
    if Path(name).is_dir():
        _upf_files(Path(name))
        return
    labels = published()
    if name not in labels:
        close = difflib.get_close_matches(name, labels, n=3) or EXAMPLES
        raise click.ClickException(
            f"{name!r} is neither a folder of UPF files nor a family that aiida-pseudo can download; "
            f"such are {', '.join(close)}."
        )


def install_pseudos(name: str, echo: Echo) -> str:
    """Install a family into the loaded profile, unless it is there; returns its label.

    :param name: a folder of UPF files, whose name becomes the label, or one of :func:`published`.
    :raises click.ClickException: if it cannot be installed; nothing of it is left then.
    """
    check_name(name)
    folder = Path(name)
    label = folder.resolve().name if folder.is_dir() else name
    if folder.is_dir():
        made = _install_folder(folder, label)
    else:
        made = _install_published(label)
    echo(f"pseudopotentials {label}: {'installed' if made else 'there already'}; name it in gap.pseudo_family")
    return label


def _existing(label: str) -> Any:
    from aiida import orm
    from aiida.common.exceptions import NotExistent

    try:
        return orm.load_group(label)
    except NotExistent:
        return None


@contextlib.contextmanager
def _all_or_nothing(label: str) -> Iterator[None]:
    """Remove a family that an installation has left unfinished."""
    from aiida import orm

    try:
        yield
    except BaseException:
        group = _existing(label)
        if group is not None:
            orm.Group.collection.delete(group.pk)
        raise


def _upf_files(folder: Path) -> list[Path]:
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() == ".upf")
    if not files:
        raise click.ClickException(f"the folder {folder} holds no file that ends in .upf or .UPF; give another folder.")
    return files


def _install_folder(folder: Path, label: str) -> bool:
    """Make a family of a folder's UPF files; False if it is there with the same files."""
    import hashlib

    from aiida.plugins import DataFactory, GroupFactory

    files = _upf_files(folder)
    group = _existing(label)
    if group is not None:
        here = {hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest() for path in files}
        if {getattr(node, "md5", None) for node in group.nodes} == here:
            return False
        raise click.ClickException(
            f"there is a group {label!r} with other files already, and results may rest on it; rename the folder."
        )
    # This kind of family can be given recommended cutoffs: `aiida-pseudo family cutoffs set`.
    family = GroupFactory("pseudo.family.cutoffs")
    with tempfile.TemporaryDirectory() as place:
        for path in files:
            shutil.copy(path, place)
        try:
            with _all_or_nothing(label):
                family.create_from_folder(Path(place), label, pseudo_type=DataFactory("pseudo.upf"))
        except (ValueError, OSError, UnicodeDecodeError) as error:
            reason = str(error).splitlines()[0][:200].replace(place, str(folder)).rstrip(".")
            raise click.ClickException(
                f"{folder} cannot become a family ({reason}); it needs one UPF file an element."
            ) from error
    return True


def _install_published(label: str) -> bool:
    """Let aiida-pseudo download and install a family; False if it is there."""
    if _existing(label) is not None:
        return False
    command = published()[label]
    said = io.StringIO()
    try:
        with _all_or_nothing(label), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            _aiida_pseudo(command)
    except (Exception, SystemExit) as error:
        raise click.ClickException(_download_message(label, command, error, said.getvalue())) from error
    return True


def _aiida_pseudo(command: list[str]) -> None:
    """Run `aiida-pseudo install ...` in this process, where the profile is loaded.

    :raises SystemExit: if it gives up.
    """
    from aiida_pseudo.cli.install import cmd_install

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cmd_install.main(args=command, prog_name="aiida-pseudo install", standalone_mode=False)


def _download_message(label: str, command: list[str], error: BaseException, said: str) -> str:
    import requests

    line = f"aiida-pseudo install {' '.join(command)}"
    if isinstance(error, requests.RequestException) or "Connection" in said or "Max retries" in said:
        return (
            f"{label} cannot be downloaded, for its server cannot be reached from here; nothing was installed. "
            f"With a network run `falsemetal setup --pseudos {label}`; without one, run `{line} --download-only` "
            f"elsewhere and `aiida-pseudo -p falsemetal install {command[0]} --from-download FILE` here."
        )
    reason = " ".join((said.strip().splitlines() or [str(error)])[-1].split())
    return f"{label} was not installed ({reason.rstrip('.')}); see what `{line}` says."
