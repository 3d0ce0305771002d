"""A graph made by hand, written as an archive and read from it: the same rows, and the same report."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiida import orm
from aiida.manage import get_manager
from aiida.manage.configuration import get_config
from sqlalchemy.exc import OperationalError

import aiida_falsemetal
from aiida_falsemetal.archive.contents import ArchiveError, contents
from aiida_falsemetal.archive.mount import mounted
from aiida_falsemetal.archive.thin import OF_CAMPAIGN, TRAJECTORIES, Bulk, leave_files_out
from aiida_falsemetal.archive.write import write_archive
from aiida_falsemetal.cli.archive import DEMO
from aiida_falsemetal.cli.query import concluded, current_rows, write_report
from aiida_falsemetal.query.cells import cell_rows, law_rows
from aiida_falsemetal.query.rows import frame_rows, pair_rows, pair_series
from aiida_falsemetal.query.structures import frame_structures
from tests.cli.test_query import conclude
from tests.data import nodes
from tests.query.test_rows import INFO, Graph, graph  # noqa: F401  (a fixture)

ROWS: tuple[Callable[..., list[dict[str, Any]]], ...] = (frame_rows, pair_rows, cell_rows, law_rows)


def end(after: int) -> None:
    """What the engine does to every process that has ended, and nodes made by hand lack.

    :param after: nodes with a larger pk.
    """
    for node in orm.QueryBuilder().append(orm.ProcessNode, filters={"id": {">": after}}).all(flat=True):
        if not node.is_terminated:
            nodes.finish(node)
        node.seal()


@pytest.fixture
def campaign(graph: Graph) -> str:  # noqa: F811
    """Name of a campaign with a failed frame, a pair that failed, an MD, verdicts and a law."""
    first = orm.Int(0).store().pk
    trajectory = nodes.trajectory([0, 10, 20])
    series = nodes.series([0, 10, 20], np.array([1.0, 2.0, 3.0]))
    outputs = {"series": series, "trajectory": trajectory}
    job = nodes.calculation("falsemetal.md", graph.computer, outputs=dict(outputs))
    job.base.extras.set("_aiida_hash", "a" * 64)
    versions = orm.Dict({"versions": {"ase": "3.29.0+local"}})
    verdict = orm.Dict({"verdict": "undecided", "min_gap": 3.9})
    pair = graph.pair(interface_info=orm.Dict(INFO), verdict=verdict, md_results=versions, **outputs)
    graph.gap(pair, 100, runs=2)
    graph.gap(pair, 200, exit_status=401, gap=None)
    graph.pair(seed=2, exit_status=310)
    conclude(graph.campaign, "cell", {"verdict": "undecided", "reason": "Two frames.", "seeds": 1})
    conclude(graph.campaign, "law", {"intercept": 4.2, "slope": 1.1, "frames": 1})
    group, _ = orm.Group.collection.get_or_create(label=f"falsemetal/{graph.campaign}")
    group.add_nodes([pair])
    end(first)
    return graph.campaign


def report(campaign: str, folder: Path) -> bytes:
    return write_report(campaign, folder, *current_rows(campaign), *concluded(campaign)).read_bytes()


def write(campaign: str, path: Path, without: Sequence[Bulk] = ()) -> Any:
    return write_archive(campaign, path, without)


def test_an_archive_gives_the_rows_and_the_report_of_the_graph(campaign: str, tmp_path: Path) -> None:
    before = [rows(campaign) for rows in ROWS]
    assert [len(rows) for rows in before] == [2, 2, 1, 1]
    page = report(campaign, tmp_path / "before")
    assert b"ase 3.29.0" in page and b"+local" not in page  # as the graph has it, whatever is installed here
    (with_series,) = pair_series([row["pair_pk"] for row in before[1]])
    held = write(campaign, tmp_path / "a.aiida")
    counted = {"pairs": 2, "frames": 2, "MD runs": 1, "pw.x runs": 3, "verdicts": 1}
    assert held.counts.items() >= counted.items()
    assert "2 pairs, 2 frames" in str(held)
    profile, folder = get_manager().get_profile(), get_config().dirpath
    with mounted(tmp_path / "a.aiida"):
        assert [rows(campaign) for rows in ROWS] == before
        assert [rows() for rows in ROWS] == before  # no other campaign came along
        assert report(campaign, tmp_path / "after") == page
        assert pair_series([with_series])[with_series]["dipole_z"].tolist() == [1.0, 2.0, 3.0]
        pair = orm.load_node(with_series)
        assert pair.outputs.trajectory.creator.process_type == "aiida.calculations:falsemetal.md"
        assert pair.outputs.trajectory.get_array("positions").shape[0] == 3
        assert [group.label for group in orm.QueryBuilder().append(orm.Group).all(flat=True)] == [
            f"falsemetal/{campaign}"
        ]
        with pytest.raises(OperationalError, match="readonly"):
            pair.base.extras.set("a", 1)
    assert (get_manager().get_profile(), get_config().dirpath) == (profile, folder)
    assert [rows(campaign) for rows in ROWS] == before


def test_without_trajectories(campaign: str, tmp_path: Path) -> None:
    """Node and links stay, and say what is missing; what made them is nobody's cache."""
    whole = write(campaign, tmp_path / "whole.aiida")
    thin = write(campaign, tmp_path / "thin.aiida", without=(TRAJECTORIES,))
    assert thin.counts == whole.counts and thin.files < whole.files
    assert str(thin).endswith("without trajectories") and "without" not in str(whole)
    before = [rows(campaign) for rows in ROWS]
    page = report(campaign, tmp_path / "before")
    with mounted(tmp_path / "thin.aiida"):
        assert [rows(campaign) for rows in ROWS] == before
        assert report(campaign, tmp_path / "after") == page
        (node,) = orm.QueryBuilder().append(orm.TrajectoryData).all(flat=True)
        assert "positions.npy" in node.base.extras.get("falsemetal_left_out")
        assert node.get_shape("positions")[0] == 3 and node.base.repository.list_object_names() == []
        assert "_aiida_hash" not in {*node.base.extras.keys(), *node.creator.base.extras.keys()}
        assert pair_series([before[1][0]["pair_pk"]])


def test_a_thin_archive_has_the_same_report(tmp_path: Path) -> None:
    """Of the campaign that comes with the package, whose pw.x, projections and MD are real."""
    thin = tmp_path / "thin.aiida"
    leave_files_out(DEMO, thin, OF_CAMPAIGN)
    assert contents(thin).counts == contents(DEMO).counts and thin.stat().st_size < 0.9 * DEMO.stat().st_size
    pages = []
    for file in (DEMO, thin):
        with mounted(file):
            pages.append((report("quickstart", tmp_path / file.stem), frame_rows(), pair_rows()))
            if file == thin:
                md = orm.QueryBuilder().append(orm.CalcJobNode, filters=MD_JOBS, tag="md")
                md.append(orm.FolderData, with_incoming="md")
                assert all(not node.base.repository.list_object_names() for node in md.all(flat=True))
                pw = orm.QueryBuilder().append(orm.CalcJobNode, filters=PW_JOBS, tag="pw")
                pw.append(orm.FolderData, with_incoming="pw")
                # It stays of frames: it is what one reads when a gap is in doubt. Of labels it would not.
                assert all("aiida.out" in node.base.repository.list_object_names() for node in pw.all(flat=True))
    assert pages[0] == pages[1]


MD_JOBS = {"process_type": "aiida.calculations:falsemetal.md"}
PW_JOBS = {"process_type": "aiida.calculations:quantumespresso.pw"}


def test_an_archive_of_an_archive_says_what_was_left_out_before(campaign: str, tmp_path: Path) -> None:
    write(campaign, tmp_path / "once.aiida", without=OF_CAMPAIGN)
    leave_files_out(tmp_path / "once.aiida", tmp_path / "twice.aiida", OF_CAMPAIGN)
    with mounted(tmp_path / "twice.aiida"):
        (node,) = orm.QueryBuilder().append(orm.TrajectoryData).all(flat=True)
        assert "positions.npy" in node.base.extras.get("falsemetal_left_out")


def test_an_archive_that_holds_more_is_not_written_over(campaign: str, tmp_path: Path) -> None:
    """Its results were to be imported first."""
    path = tmp_path / "a.aiida"
    write(campaign, path)
    write(campaign, path)
    before = path.read_bytes()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("aiida_falsemetal.archive.write._entities", lambda *_: [orm.Int(1).store()])
        with pytest.raises(ArchiveError, match="holds 1 pairs with results that are not in this profile; import it"):
            write(campaign, path)
        assert path.read_bytes() == before
        write(campaign, tmp_path / "b.aiida")


def test_a_child_that_has_not_ended_is_no_fault_of_twins(campaign: str, tmp_path: Path) -> None:
    (pair,) = [orm.load_node(row["pair_pk"]) for row in pair_rows(campaign) if row["exit_code"] == 0]
    child = next(node for node in pair.called if isinstance(node, orm.WorkChainNode))
    entity = child.backend_entity.model
    entity.attributes = {key: value for key, value in entity.attributes.items() if key != "sealed"}
    entity.save()
    with pytest.raises(ArchiveError, match="processes that its pairs have called have not ended .*; wait for them"):
        write(campaign, tmp_path / "a.aiida")


def test_a_campaign_under_way_is_not_exported(graph: Graph, tmp_path: Path) -> None:  # noqa: F811
    pair = graph.pair(exit_status=None)
    with pytest.raises(ArchiveError, match=rf"still under way \({pair.pk}\); wait until"):
        write(graph.campaign, tmp_path / "a.aiida")
    assert list(tmp_path.iterdir()) == []


def test_what_a_failure_interrupts_leaves_the_old_file(
    campaign: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.aiida"
    path.write_text("old")

    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device", "draft")

    monkeypatch.setattr("aiida_falsemetal.archive.write.leave_files_out", fail)
    with pytest.raises(OSError, match="No space"):
        write(campaign, path, without=(TRAJECTORIES,))
    assert path.read_text() == "old" and list(tmp_path.iterdir()) == [path]


def test_an_archive_is_a_file_like_any_other(campaign: str, tmp_path: Path) -> None:
    path = tmp_path / "a.aiida"
    (tmp_path / "other").touch()
    held, before = write(campaign, path), path.read_bytes()
    assert path.stat().st_mode == (tmp_path / "other").stat().st_mode
    with mounted(path):
        assert contents(path) == held
    assert path.read_bytes() == before


def test_the_demo_has_the_structures_of_its_frames() -> None:
    """They are what the report draws; an archive without trajectories keeps them."""
    with mounted(Path(aiida_falsemetal.__file__).parent / "demo" / "quickstart.aiida"):
        rows, _ = current_rows("quickstart")
        found = list(frame_structures([row["gap_pk"] for row in rows]))
    assert [pk for pk, *_ in found] == [row["gap_pk"] for row in rows] and len(rows) == 12
    assert all(len(species) == 48 and positions.shape == (48, 3) for _, species, _, positions in found)
