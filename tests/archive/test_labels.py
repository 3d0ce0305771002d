"""What `falsemetal twins --import` takes: an archive of labels, whole, and nothing else; refused, it leaves nothing."""

from __future__ import annotations

import sqlite3
import zipfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.manage import get_manager
from aiida.tools import delete_nodes
from aiida.tools.archive import create_archive

from aiida_falsemetal.archive.contents import ArchiveError, database_of
from aiida_falsemetal.archive.labels import gather, read_labels, write_labels
from aiida_falsemetal.archive.mount import mounted
from aiida_falsemetal.archive.thin import OF_CAMPAIGN, leave_files_out
from aiida_falsemetal.cli.archive import DEMO
from aiida_falsemetal.names import TWINS_GROUP
from tests.data import nodes

NAME = "mine"


@pytest.fixture
def labels(aiida_profile_clean: Any, tmp_path: Path) -> Iterator[Path]:
    """An archive of a sampling run with one input; the profile has neither any more."""
    run = orm.WorkChainNode(process_type="aiida.workflows:falsemetal.sample")
    given = orm.ArrayData()
    given.set_array("x", nodes.series([0, 1]).get_array("step"))
    run.base.links.add_incoming(given.store(), LinkType.INPUT_WORK, "given")
    run.store()
    nodes.finish(run)
    run.seal()
    orm.Group(label=TWINS_GROUP + NAME).store().add_nodes([run])
    path = tmp_path / "labels.aiida"
    write_labels(NAME, path)
    delete_nodes([run.pk, given.pk], dry_run=False)
    get_manager().get_profile_storage().maintain(full=True)  # their files too
    yield path


def held() -> tuple[int, int]:
    return orm.QueryBuilder().append(orm.Node).count(), len(members())


def members() -> list[Any]:
    return list(orm.load_group(TWINS_GROUP + NAME).nodes)


def edited(path: Path, *lines: str) -> Path:
    """The archive after SQL statements on its database."""
    other = path.with_name("edited.aiida")
    with database_of(path) as database:
        with closing(sqlite3.connect(database)) as connection:
            for line in lines:
                connection.execute(line)
            connection.commit()
        with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
            for name in source.namelist():
                target.writestr(name, database.read_bytes() if name == "db.sqlite3" else source.read(name))
    return other


def test_an_archive_of_labels(labels: Path) -> None:
    assert held() == (0, 0)
    assert read_labels(labels, NAME) == 2 and held() == (2, 1)
    assert read_labels(labels, NAME) == 0 and held() == (2, 1)


def test_what_a_campaigns_archive_brought_is_put_into_the_group(aiida_profile_clean: Any) -> None:
    """It has the chains as the history of a model, and not their group; chains of other twins are left alone."""
    chains = {}
    for name in ("mine", "mine", "other"):
        chain = orm.WorkChainNode(process_type="aiida.workflows:falsemetal.label").store()
        chain.base.extras.set("falsemetal_twins", name)
        chains.setdefault(name, []).append(chain.uuid)
    orm.Group(label=TWINS_GROUP + NAME).store().add_nodes([orm.load_node(chains["mine"][0])])
    assert gather("mine") == 1
    assert {node.uuid for node in members()} == {*chains["mine"]}
    assert gather("mine") == 0
    assert gather("nobody") == 0
    assert orm.QueryBuilder().append(orm.Group, filters={"label": TWINS_GROUP + "nobody"}).count() == 0


def test_what_pw_left_of_labels_goes_and_what_it_printed_of_gaps_stays(
    aiida_profile_clean: Any, aiida_localhost: orm.Computer, tmp_path: Path
) -> None:
    """By who called it: of a campaign whose models were trained on labels, frames keep more."""
    for kind in ("gap", "label"):
        chain = nodes.workchain(f"falsemetal.{kind}")
        base = nodes.workchain("quantumespresso.pw.base", {}, {}, chain, "pw_run_1")
        folder, trajectory = orm.FolderData(), orm.TrajectoryData()
        for name in ("aiida.out", "data-file-schema.xml"):
            folder.base.repository.put_object_from_bytes(f"{kind} {name}".encode(), name)
        trajectory.set_trajectory(["H"], np.zeros((1, 1, 3)))
        outputs = {"retrieved": folder, "output_trajectory": trajectory}
        nodes.calculation("quantumespresso.pw", aiida_localhost, {}, outputs, base)
    for node in orm.QueryBuilder().append(orm.ProcessNode).all(flat=True):
        node.seal()
    create_archive(None, tmp_path / "whole.aiida", include_logs=False)
    leave_files_out(tmp_path / "whole.aiida", tmp_path / "thin.aiida", OF_CAMPAIGN)
    leave_files_out(tmp_path / "thin.aiida", tmp_path / "again.aiida", OF_CAMPAIGN)
    with mounted(tmp_path / "again.aiida"):
        found = orm.QueryBuilder().append(orm.FolderData).all(flat=True)
        kept = {tuple(node.base.repository.list_object_names()): node for node in found}
        assert {*kept} == {(), ("aiida.out",)}
        assert kept["aiida.out",].base.repository.get_object_content("aiida.out") == "gap aiida.out"
        assert kept["aiida.out",].base.extras.get("falsemetal_left_out") == ["data-file-schema.xml"]
        assert kept[()].base.extras.get("falsemetal_left_out") == ["aiida.out", "data-file-schema.xml"]
        frames = orm.QueryBuilder().append(orm.TrajectoryData).all(flat=True)
        assert sorted(bool(node.base.repository.list_object_names()) for node in frames) == [False, True]


def test_of_a_committee_job_the_frames_go_and_its_input_stays(aiida_profile_clean: Any, tmp_path: Path) -> None:
    """They were a copy of its trajectory; a job of another kind keeps a file of that name."""
    made = {}
    for kind in ("committee", "md"):
        job = orm.CalcJobNode(process_type=f"aiida.calculations:falsemetal.{kind}")
        for name in ("frames.npz", "input.json"):
            job.base.repository.put_object_from_bytes(f"{kind} {name}".encode(), name)
        made[kind] = job.store().uuid
        job.base.extras.set("_aiida_hash", kind)
        job.seal()
    create_archive(None, tmp_path / "whole.aiida", include_logs=False)
    leave_files_out(tmp_path / "whole.aiida", tmp_path / "thin.aiida", OF_CAMPAIGN)
    leave_files_out(tmp_path / "thin.aiida", tmp_path / "again.aiida", OF_CAMPAIGN)
    with mounted(tmp_path / "again.aiida"):
        thin, whole = (orm.load_node(made[kind]) for kind in ("committee", "md"))
        assert thin.base.repository.list_object_names() == ["input.json"]
        assert thin.base.repository.get_object_content("input.json") == "committee input.json"
        assert thin.base.extras.all == {"falsemetal_left_out": ["frames.npz"]}
        assert whole.base.repository.list_object_names() == ["frames.npz", "input.json"]
        assert whole.base.extras.get("_aiida_hash") == "md"


def test_what_is_under_way_is_left_out(labels: Path) -> None:
    """A committee's training set is made by the TwinWorkChain itself, which goes on while its labels are exported."""
    twins = orm.WorkChainNode(process_type="aiida.workflows:falsemetal.twin").store()
    made = orm.CalcFunctionNode(process_type="aiida_falsemetal.calculations.twins.training_set")
    made.base.links.add_incoming(twins, LinkType.CALL_CALC, "training_set")
    made.store()
    data = orm.Dict({"labels": 1})
    data.base.links.add_incoming(made, LinkType.CREATE, "labels")
    data.store()
    training = orm.WorkChainNode(process_type="aiida.workflows:falsemetal.train")
    training.base.links.add_incoming(data, LinkType.INPUT_WORK, "labels")
    training.store()
    for node in (made, training):
        nodes.finish(node)
        node.seal()
    orm.load_group(TWINS_GROUP + NAME).add_nodes([training])
    path = labels.with_name("under-way.aiida")
    write_labels(NAME, path)
    held_nodes = {node.uuid for node in (made, training, data)}
    with database_of(path) as database, closing(sqlite3.connect(database)) as connection:
        assert {uuid for (uuid,) in connection.execute("SELECT uuid FROM db_dbnode")} == held_nodes


def test_a_missing_file_is_a_sentence_and_nothing_is_imported(labels: Path) -> None:
    """Before, an exception of AiiDA's went through."""
    other = labels.with_name("lost.aiida")
    with zipfile.ZipFile(labels) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            if not name.startswith("repo/") or name == "repo/":
                target.writestr(name, source.read(name))
    with pytest.raises(ArchiveError, match=r"cannot be imported \(FileNotFoundError: .*, and nothing was"):
        read_labels(other, NAME)
    assert held() == (0, 0)


def test_results_of_a_campaign_are_no_labels(labels: Path) -> None:
    """A finished pair in it would be a result of whichever campaign it names."""
    with pytest.raises(ArchiveError, match="it holds results of a campaign, which `falsemetal open` reads"):
        read_labels(DEMO, NAME)
    line = 'UPDATE db_dbnode SET extras = \'{"falsemetal_campaign": "mine"}\''
    with pytest.raises(ArchiveError, match="it holds results of a campaign"):
        read_labels(edited(labels, line), NAME)
    assert held() == (0, 0)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("UPDATE db_dbnode SET process_type = 'x'", "it holds no sampling runs and no labels"),
        ("UPDATE db_dbnode SET node_type = 'data.core.int.Int.' WHERE process_type IS NOT NULL", "is no workchain"),
        ("CREATE TRIGGER t AFTER INSERT ON db_dbnode BEGIN DELETE FROM db_dbnode; END", "has a trigger"),
        ("DROP TABLE db_dblog", "its database lacks db_dblog"),
        ("UPDATE db_dbnode SET extras = '{'", "its database cannot be read"),
    ],
)
def test_databases_that_are_refused(line: str, said: str, labels: Path) -> None:
    with pytest.raises(ArchiveError, match=said):
        read_labels(edited(labels, line), NAME)
    assert held() == (0, 0)
