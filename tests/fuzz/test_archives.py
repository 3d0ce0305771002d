"""Archives that someone else has made: their zip file, their metadata and their database spoilt."""

from __future__ import annotations

import io
import json
import sqlite3
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from aiida import orm
from aiida.common.links import LinkType
from aiida.tools import delete_nodes
from hypothesis import strategies as st

from aiida_falsemetal.archive.contents import ArchiveError
from aiida_falsemetal.archive.labels import read_labels, write_labels
from aiida_falsemetal.cli.archive import DEMO
from aiida_falsemetal.names import TWINS_GROUP
from tests.data import nodes

from .harness import fuzzed, run, sentence
from .hostile import spoilt as spoilt_data
from .hostile import texts, values

_FOLDER = tempfile.TemporaryDirectory(prefix="falsemetal-fuzz-")
FOLDER = Path(_FOLDER.name)
_LABELS = tempfile.TemporaryDirectory(prefix="falsemetal-fuzz-")
FILE = FOLDER / "spoilt.aiida"
NAMES = (
    "../../evil",
    "/etc/evil",
    "repo/../evil",
    "repo/x",
    "metadata.json",
    "db.sqlite3",
    "run.py",
    "a\x00b",
    "C:\\x",
    "repo/" + "0" * 64,
)
SYMLINK = 0o120777 << 16
COLUMNS = (
    "attributes",
    "extras",
    "repository_metadata",
    "node_type",
    "process_type",
    "label",
    "uuid",
    "ctime",
    "user_id",
    "dbcomputer_id",
)
JSON = ("null", "[]", "{", "", "1e999", "[" * 5000, '{"o": {"../x": {"k": "../../y"}}}', '{"a": 1, "a": 2}', "\x00")


class Content(bytes):
    """Bytes that take no megabytes where a case is shown."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@cache
def entries(path: Path) -> dict[str, bytes]:
    """What a right archive holds."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@cache
def labels() -> Path:
    """An archive of one sampling run, written by the package; the profile does not keep it."""
    run = orm.WorkChainNode(process_type="aiida.workflows:falsemetal.sample", computer=None)
    run.base.links.add_incoming(orm.Dict({"frames": 3}).store(), LinkType.INPUT_WORK, "source")
    run.store()
    orm.Dict({"a": 1}).store().base.links.add_incoming(run, LinkType.RETURN, "result")
    nodes.finish(run)
    run.seal()
    group = orm.Group(label=f"{TWINS_GROUP}right").store()
    group.add_nodes([run])
    path = Path(_LABELS.name) / "right.aiida"
    write_labels("right", path)
    orm.Group.collection.delete(group.pk)
    _forget()
    return path


def _forget() -> None:
    """Take what was imported out of the profile, so that the next import has something to do."""
    pks = orm.QueryBuilder().append(orm.Node, project="id").all(flat=True)
    delete_nodes(pks, dry_run=False)
    for group in orm.QueryBuilder().append(orm.Group).all(flat=True):
        orm.Group.collection.delete(group.pk)


def packed(held: dict[str, bytes], more: list[tuple[zipfile.ZipInfo, bytes]]) -> Content:
    """An archive of these entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in held.items():
            # The date is part of the file, which must be the same every time.
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_STORED)
        for info, content in more:
            archive.writestr(info, content)
    return Content(buffer.getvalue())


@st.composite
def zips(draw: st.DrawFn, right: Callable[[], Path]) -> Content:
    """The zip file itself: entries lost, added, doubled, linked or lied about; bytes changed."""
    held, more = dict(entries(right())), []
    for _ in range(draw(st.integers(0, 2))):
        name = draw(
            st.one_of(st.sampled_from(NAMES), texts.map(lambda text: text.encode("utf-8", "replace").decode()[:200]))
        )
        info = zipfile.ZipInfo(name or "x")
        info.external_attr = draw(st.sampled_from((0, SYMLINK)))
        more.append((info, draw(st.sampled_from((b"/etc/passwd", b"", b"x" * 100)))))
    kind = draw(st.sampled_from(("none", "lose", "metadata", "bytes", "end", "size", "bomb", "front")))
    if kind == "lose":
        held.pop(draw(st.sampled_from(sorted(held))))
    elif kind == "metadata":
        changed = draw(st.one_of(spoilt_data(json.loads(held["metadata.json"])), values))
        held["metadata.json"] = json.dumps(changed).encode()
    elif kind == "bomb":
        held["db.sqlite3"] = bytes(50_000_000)
    content = packed(held, more)
    if kind == "end":
        return Content(content[: draw(st.integers(0, len(content)))])
    if kind == "front":
        return Content(draw(st.binary(max_size=8)) + content)
    at = draw(st.integers(0, len(content) - 8))
    if kind == "bytes":
        content = Content(content[:at] + draw(st.binary(min_size=1, max_size=8)) + content[at + 4 :])
    elif kind == "size":  # of an entry, in the list at the end
        at = content.rfind(b"PK\x01\x02", 0, max(at, len(content) // 2))
        field = at + draw(st.sampled_from((8, 10, 16, 20, 24, 42)))
        if at >= 0:
            lie = struct.pack("<I", draw(st.integers(0, 2**32 - 1)))
            content = Content(content[:field] + lie + content[field + 4 :])
    return content


@st.composite
def databases(draw: st.DrawFn, right: Callable[[], Path]) -> Content:
    """The database: rows lost, linked in circles, and with anything in any column."""
    path = FOLDER / "db.sqlite3"
    path.write_bytes(entries(right())["db.sqlite3"])
    with closing(sqlite3.connect(path)) as connection:
        count = connection.execute("SELECT max(id) FROM db_dbnode").fetchone()[0]
        for _ in range(draw(st.integers(1, 4))):
            for line, given in _changes(draw, count):
                try:
                    connection.execute(line, given)
                except sqlite3.Error:
                    continue  # a constraint of the schema: such a database cannot be made
        connection.commit()
    content = bytearray(path.read_bytes())
    if draw(st.integers(0, 4)) == 3:
        at = draw(st.integers(0, len(content) - 1))
        content[at : at + 4] = draw(st.binary(min_size=4, max_size=4))
    return packed({**entries(right()), "db.sqlite3": bytes(content)}, [])


def _changes(draw: st.DrawFn, count: int) -> Iterator[tuple[str, list[Any]]]:
    first, second = draw(st.integers(1, count)), draw(st.integers(1, count))
    # One node, or all of them.
    where = draw(
        st.sampled_from(
            (
                f"id = {first}",
                f"id = {first}",
                "1",
                "process_type LIKE '%falsemetal.pair'",
                "extras LIKE '%falsemetal_kind%'",
            )
        )
    )
    kind = draw(st.sampled_from(("json", "json", "extras", "extras", "column", "circle", "lose", "schema")))
    if kind == "json":
        key = draw(
            st.sampled_from(
                (
                    "verdict",
                    "gap",
                    "exit_status",
                    "process_state",
                    "kinds",
                    "sites",
                    "array|positions",
                    "interface",
                    "labels",
                )
            )
        )
        place = draw(st.sampled_from(("attributes", "extras")))
        value = json.dumps(draw(values.filter(_strict)))
        yield f"UPDATE db_dbnode SET {place} = json_set({place}, ?, json(?)) WHERE {where}", [f'$."{key}"', value]
    elif kind == "extras":
        key = draw(st.sampled_from(("campaign", "interface", "mlip", "seed", "fingerprint", "kind")))
        value = json.dumps(draw(st.one_of(texts, values.filter(_strict))))
        yield f"UPDATE db_dbnode SET extras = json_set(extras, '$.falsemetal_{key}', json(?)) WHERE {where}", [value]
    elif kind == "column":
        value = draw(st.one_of(st.sampled_from(JSON), texts))
        yield (
            f"UPDATE db_dbnode SET {draw(st.sampled_from(COLUMNS))} = ? WHERE {where}",
            [value.encode("utf-8", "replace").decode()],
        )
    elif kind == "circle":
        link = draw(st.sampled_from(("create", "input_calc", "call_work", "return", "none")))
        line = "INSERT INTO db_dblink (input_id, output_id, label, type) VALUES (?, ?, 'x', ?)"
        yield line, [first, second, link]
        yield line, [second, first, link]
    elif kind == "lose":
        table = draw(
            st.sampled_from(("db_dbnode", "db_dblink", "db_dbgroup", "db_dbcomputer", "db_dbuser", "db_dblog"))
        )
        yield f"DELETE FROM {table} WHERE id >= ?", [first]
    else:
        yield (
            draw(
                st.sampled_from(
                    (
                        "CREATE TRIGGER t AFTER INSERT ON db_dbnode BEGIN DELETE FROM db_dbnode; END",
                        "CREATE VIEW v AS SELECT 1",
                        "DROP TABLE db_dblog",
                        "ALTER TABLE db_dbnode DROP COLUMN description",
                    )
                )
            ),
            [],
        )


def _strict(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False).encode()
    except ValueError:
        return False
    return True


COMMANDS = (
    ["query", "--format", "csv"],
    ["query", "pairs"],
    ["query", "interfaces"],
    ["query", "mlips"],
    ["status"],
    ["why", "100"],
    ["why", "1"],
)


def check_opened_archives(case: tuple[bytes, list[str]]) -> str:
    content, command = case
    FILE.write_bytes(content)
    said = run("open", FILE, "--", *command)
    assert sorted(path.name for path in FOLDER.iterdir() if path.name != "db.sqlite3") == [FILE.name]
    return "refused" if said == "refused" else "opened"


def check_imported_archives(content: bytes) -> str:
    FILE.write_bytes(content)
    before = orm.QueryBuilder().append(orm.Node).count()
    groups = orm.QueryBuilder().append(orm.Group).count()
    try:
        read_labels(FILE, "fuzz")
    except ArchiveError as error:
        sentence(str(error))
        assert orm.QueryBuilder().append(orm.Node).count() == before
        assert orm.QueryBuilder().append(orm.Group).count() == groups
        return "refused"
    _forget()
    return "imported"


@pytest.fixture(autouse=True)
def profile(aiida_profile_clean: Any) -> None:
    """What is imported goes there."""


@cache
def demo() -> Path:
    return DEMO


opened = st.one_of(
    st.tuples(zips(demo), st.just(["query", "pairs"])), *[st.tuples(databases(demo), st.sampled_from(COMMANDS))] * 2
)
imported = st.one_of(zips(labels), databases(labels), databases(labels))
test_opened, test_opened_long = fuzzed(check_opened_archives, opened, 5, 300)
test_imported, test_imported_long = fuzzed(check_imported_archives, imported, 5, 200)
