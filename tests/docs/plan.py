"""What is done with each code block of the pages: run, run in a slow test, or left out for a reason given here."""

from __future__ import annotations

import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs" / "_ext"))

from falsemetal_pages import Block, Command, answers, blocks, commands, pages  # noqa: E402, F401

NEEDS_NETWORK = "downloads; what is said without a network is a test in tests/cli"
INSTALLS = "installs an environment of gigabytes; tests/cli/test_model.py makes one without a network"
MAKE = "make installs the package first; its commands are run here or in CI"
TWINS = "labels of hours; tests/screen/test_twins.py runs each of these on tiny ones"
REFERENCE = "tests/docs/test_reference_campaign.py opens that archive"
BENCHMARK = "a benchmark, which takes minutes to days"
NOT_RUN: dict[str, str] = {
    "sudo apt-get update": "changes the system",
    "sudo apt-get install -y quantum-espresso libopenblas0-pthread": "changes the system; .ci/run does it",
    "conda install -c conda-forge qe": "needs conda",
    "export FALSEMETAL_PW=/path/to/pw.x FALSEMETAL_PROJWFC=/path/to/projwfc.x": "set in tests/cli",
    "make demo": MAKE,
    "make screen": MAKE,
    "make screen CAMPAIGN=mine.yaml": MAKE,
    "make test": MAKE,
    "make test-slow": MAKE,
    "make test-browser": MAKE,
    "make lint": MAKE,
    "make docs": MAKE,
    "make reference": MAKE,
    "source .venv/bin/activate": "changes the shell that it is given in",
    "less": "a pager",
    "sudo apt-get install -y postgresql rabbitmq-server": "changes the system",
    "sudo -u postgres createuser --pwprompt falsemetal": "changes the system",
    "sudo -u postgres createdb --owner=falsemetal falsemetal": "changes the system",
    "sudo systemctl restart rabbitmq-server": "changes the system",
    "export FALSEMETAL_DATABASE=postgresql://falsemetal:PASSWORD@localhost/falsemetal": "needs a server; tests/engines",
    "falsemetal setup --profile servers --storage postgres --broker rabbitmq": "needs servers; tests/engines has them",
    "AIIDA_PROFILE=servers falsemetal screen mine.yaml --follow": "needs servers; tests/engines has them",
    "pytest tests/fuzz": "part of the default tests",
    "pytest tests/fuzz -m slow": "takes many minutes; a slow test itself",
    "python -m benchmarks.throughput.md --janus PATH/TO/janus": BENCHMARK,
    "python -m benchmarks.throughput.campaign quickstart": BENCHMARK,
    "python -m benchmarks.throughput.processes FOLDER --pairs 20": BENCHMARK,
    "python -m benchmarks.throughput.samples --ps 100 --folder FOLDER": BENCHMARK,
    "python -m benchmarks.growth.run FOLDER --pairs 30": BENCHMARK,
    "python -m benchmarks.growth.run FOLDER --pairs 1000 --gaps 1": BENCHMARK,
    "python -m benchmarks.growth.fit FOLDER...": BENCHMARK,
    "python -m benchmarks.growth.workchain FOLDER 10 30 100 300 1000": BENCHMARK,
    "python -m benchmarks.growth.soak FOLDER --pairs 500 --gaps 1 --seed 1": BENCHMARK,
    "python -m benchmarks.growth.soak FOLDER --pairs 500 --gaps 1 --check": BENCHMARK,
    "python -m benchmarks.growth.costs FOLDER": BENCHMARK,
    "pytest tests/faults": "part of the default tests",
    "pytest tests/faults -m slow": "takes more than an hour; slow tests themselves",
    "python3 -m venv '~/mlip'": "on the cluster",
    "'~/mlip/bin/pip' install ase mace-torch==0.3.16": "on the cluster",
    "verdi -p falsemetal computer test cluster": "there is no cluster",
    "falsemetal screen mine.yaml --computer cluster --follow": "needs a cluster; tests/engines has one",
    "verdi -p falsemetal daemon start": "would leave a daemon running; tests/cli/test_follow.py starts one",
    "verdi -p falsemetal node graph generate PAIR_PK": "needs graphviz; drawings are browser tests in tests/cli",
    "falsemetal why 555 --svg why.svg": "needs graphviz; run in tests/cli/test_query_tables.py",
    "falsemetal open mine.aiida -- why 555": "an archive has pks of its own; run in tests/cli/test_archive.py",
    "falsemetal model env sevennet": INSTALLS,
    "falsemetal model env chgnet": INSTALLS,
    "falsemetal model env ani": INSTALLS,
    "falsemetal model env so3lr": INSTALLS,
    "falsemetal model env sevennet --path /opt/sevennet": "needs sevenn; tests/mlips/test_packages.py has it",
    "falsemetal screen workflows/campaigns/library.yaml --follow": "needs four environments",
    "falsemetal model add mace-mpa-0 --file mace-mpa-0-medium.model": NEEDS_NETWORK,
    "falsemetal model add my-model --env /opt/my-env --family mace --file my.model": "run from docs/my-mlip.md",
    "falsemetal setup --pseudos SSSP/1.3/PBE/efficiency": NEEDS_NETWORK,
    "verdi -p falsemetal run calculations/gap.py my.cif --pseudos SSSP/1.3/PBE/efficiency": NEEDS_NETWORK,
    "verdi -p falsemetal run calculations/gap.py on-aluminium.cif --substrate Al --kpoints 2 2": (
        "a metal takes pw.x long; tests/workflows runs the option"
    ),
    "falsemetal twins workflows/twins/water.yaml --dry-run": TWINS,
    "falsemetal screen workflows/campaigns/reference.yaml --follow": "takes a day of two cores",
    "falsemetal screen workflows/campaigns/reference-seed3.yaml --follow": "takes two hours of two cores",
    "verdi -p falsemetal archive import workflows/campaigns/reference.aiida": "30 MB into a profile of others",
    "falsemetal open workflows/campaigns/reference.aiida": REFERENCE,
    "falsemetal open workflows/campaigns/reference.aiida -- query pairs": REFERENCE,
    "falsemetal export reference --thin": "needs the campaign in a profile; --thin is run from docs/archive.md",
    "falsemetal twins workflows/twins/water.yaml --follow --stop-after labels": TWINS,
    "falsemetal twins workflows/twins/water.yaml --export labels.aiida": TWINS,
    "falsemetal twins workflows/twins/water.yaml --import labels.aiida --follow": TWINS,
    "python training/make_labels.py LABELS --workers 2": "takes an hour",
    "python training/train.py LABELS OUT --twin sr": "takes hours",
    "python training/train.py LABELS OUT --twin lr": "takes hours",
    "python training/evaluate.py LABELS twin-sr": "needs the labels",
    "python training/evaluate.py LABELS twin-lr": "needs the labels",
    "falsemetal trajectory bulk FILE --temperature 300 '[--skip' 'FRAMES]' '[--charges' 'O -0.82 H 0.41]'": (
        "a synopsis; the command is run from docs/howto/bulk-electrostatics.md"
    ),
}
"""Commands that no test here runs, as :func:`shlex.join` writes them, each with the reason."""
STARTS_NOT_RUN: dict[str, str] = {
    "falsemetal setup --scheduler slurm --host cluster": "needs a cluster; tests/engines has one",
    "falsemetal model add my-model --env /opt/my-env --family ase --file weights.pt": "needs orb_models",
}
"""The same by how a long command begins."""
SLOW = (
    "verdi -p falsemetal run workflows/screen.py mine.yaml",
    "verdi -p falsemetal run workflows/pair.py mine.yaml --interface film24 --mlip my-model --seed 1",
    "verdi -p falsemetal run workflows/pair.py mine.yaml --interface film24 --mlip my-model --seed 2",
    "verdi -p falsemetal run calculations/md.py film.xyz --mlip spcfw-ewald --steps 5000 --seed 1",
    "verdi -p falsemetal run calculations/md.py film.xyz --mlip models/my.model --family mace --steps 5000 --seed 1",
    "verdi -p falsemetal run calculations/gap.py film.xyz",
    "verdi -p falsemetal run calculations/gap.py film.xyz --protocol fast",
    "verdi -p falsemetal run calculations/gap.py my.cif --functional revPBE",
    "verdi -p falsemetal run calculations/gap.py my.cif --potential",
)
"""Commands that compute; test_compute.py runs them on tiny inputs."""
COMPUTING = ("run_screen(", "engine.run_get_node(", "engine.submit(", "outputs.layers")
"""What tells a Python block that computes, or that reads what only a computed frame has."""
COMPUTED_BLOCKS: dict[tuple[str, str], str] = {
    ("README.md", "run_screen("): "the lines that `falsemetal screen` has; run in test_compute.py",
    ("docs/howto/one-stage.md", "engine.run_get_node("): "run in test_compute.py",
    ("docs/cluster.md", "engine.submit("): "there is no cluster; the builder before it is made",
    ("docs/howto/gap-of-a-structure.md", "outputs.layers"): "run in test_compute.py, on what gap.py has computed",
}
"""Python blocks that are not run here: page, what tells the block, reason."""
PLACEHOLDERS = ("555", "PK", "PAIR_PK", "PW_PK")
STANDS_FOR = {
    "mine": "quickstart",
    "on-the-cluster": "quickstart",
    "CAMPAIGN": "quickstart",
    "FILE": "models/my.model",
    "FOLDER": "folder",
    "NAME": "film24",
    "/opt/my-env": "my-env",
    "--follow": "--dry-run",
}
"""Words of a command that the sandbox has something else for: the campaign that is there, and no computing."""
MODULE = re.compile(r"^(RECIPE|FAMILY) = ", re.MULTILINE)
CAMPAIGN = re.compile(r"^(#[^\n]*\n)*name: ")


@dataclass(frozen=True)
class Step:
    """Something that the sandbox does.

    :param kind: ``command``, ``python``, ``module``, ``campaign`` or ``fragment`` (of a campaign file).
    :param text: the command as it stands on the page, or the block.
    :param answer: what the page says that it prints, empty for anything.
    """

    page: str
    line: int
    kind: str
    text: str
    words: tuple[str, ...] = ()
    answer: str = ""

    @property
    def name(self) -> str:
        """Where it stands."""
        return f"{self.page}:{self.line}"

    def as_dict(self) -> dict[str, Any]:
        """For the file that the sandbox reads."""
        return asdict(self)


def every_command() -> list[Command]:
    """All commands of all pages."""
    return [command for path in pages() for block in blocks(path) if block.is_shell for command in commands(block)]


def left_out(text: str) -> bool:
    """Whether a command is one of the tables."""
    return text in NOT_RUN or text in SLOW or any(text.startswith(start) for start in STARTS_NOT_RUN)


def steps(path: Path) -> list[Step]:
    """What the sandbox does for a page, in the page's order."""
    found, said = [], answers(path)
    for block in blocks(path):
        if block.is_shell:
            found += [
                Step(one.page, one.line, "command", one.text, one.words, said.get(one.line, ""))
                for one in commands(block)
                if not left_out(one.text)
            ]
        elif kind := kind_of(block):
            found.append(Step(block.page, block.line, kind, block.text))
    return found


def kind_of(block: Block) -> str:
    """Of a block that is not one of commands: empty for one that nothing is done with."""
    if block.language == "python" or (not block.language and block.text.startswith(("from ", "import "))):
        if any(block.page == page and mark in block.text for page, mark in COMPUTED_BLOCKS):
            return ""
        return "module" if MODULE.search(block.text) else "python"
    if CAMPAIGN.match(block.text):
        # A file of twins is none of a campaign; tests/campaign/test_twins.py parses it.
        return "" if "samplers:" in block.text else "campaign"
    return "fragment" if block.language == "yaml" else ""
