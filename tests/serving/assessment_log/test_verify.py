"""Whatever is altered, removed, added or moved behind the log's back is found."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from serving.assessment_log.database import connected, database_at
from serving.assessment_log.heads import exported_heads, read_heads
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.opening import LogHome
from serving.assessment_log.refusals import LogRefused
from serving.assessment_log.rewrapping import rewrap
from serving.assessment_log.rows import DataKeyRow, EntryRow, WriterRow
from serving.assessment_log.site_key import SiteKeys, write_new_key
from serving.assessment_log.verify import Verification, verify
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using, with_rows

ROWS = 6
Attack = Callable[[sqlite3.Connection], Any]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two chains of six rows, the first with an outcome, a reference and an erasure."""
    folder = tmp_path_factory.mktemp("written")
    write_new_key(folder / "site.key")
    made = LogSettings(f"sqlite:///{folder}/rows.sqlite", folder / "site.key")

    async def first(log: AssessmentLog) -> None:
        for number in range(ROWS - 1):
            receipt = await log.append(an_entry(number, reference=f"patient {number}"))
        await log.record_outcome(receipt.id, b"{}", request_id="r", api_key_id="k")

    using(made, first)
    with_rows(made, ROWS)
    LogHome(made).database.forget_destroyed()
    return folder


@contextmanager
def attacked(folder: Path) -> Iterator[sqlite3.Connection]:
    """Open the file as somebody who may write to everything and has taken the triggers away."""
    connection = sqlite3.connect(folder / "rows.sqlite", isolation_level=None)
    for (trigger,) in list(
        connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")
    ):
        connection.execute(f"DROP TRIGGER {trigger}")
    try:
        yield connection
    finally:
        connection.close()


def verified(folder: Path, *, with_key: bool = True, heads: bytes | None = None) -> Verification:
    keys = SiteKeys.read(folder / "site.key") if with_key else None
    exported = [] if heads is None else read_heads(heads)
    return verify(database_at(f"sqlite:///{folder}/rows.sqlite"), keys, exported)


def kinds(folder: Path, *, with_key: bool = True, heads: bytes | None = None) -> set[str]:
    found = verified(folder, with_key=with_key, heads=heads).findings
    return {finding.kind for finding in found}


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(written, tmp_path / "copy"))


def exported(folder: Path) -> bytes:
    with connected(database_at(f"sqlite:///{folder}/rows.sqlite")) as connection:
        return exported_heads(connection)


def test_an_untouched_log_verifies(written: Path) -> None:
    whole = verified(written, heads=exported(written))
    assert (whole.rows, whole.writers, whole.findings) == (2 * ROWS, 2, ())


def test_an_auditor_without_the_key_verifies_all_but_the_seals(written: Path) -> None:
    found = verified(written, with_key=False)
    assert (found.rows, found.findings, found.with_site_key) == (2 * ROWS, (), False)


ATTACKS: dict[str, tuple[str, Attack]] = {
    "a row deleted": ("missing", lambda c: c.execute("DELETE FROM entry WHERE position = 3")),
    "the first row deleted": (
        "missing",
        lambda c: c.execute("DELETE FROM entry WHERE position = 1"),
    ),
    "the tail cut off": (
        "truncated",
        lambda c: c.execute(f"DELETE FROM entry WHERE position > {2 * ROWS - 2}"),
    ),
    "two rows exchanged": ("reordered", lambda c: exchange(c, 2, 3)),
    "two distant rows exchanged": ("reordered", lambda c: exchange(c, 1, 5)),
    "the content of two rows exchanged": ("altered", lambda c: exchange_answers(c)),
    "a row repeated": ("duplicated", lambda c: repeat(c, 2)),
    "an outcome cut off from its assessment": (
        "altered",
        lambda c: c.execute("UPDATE entry SET about = NULL WHERE about IS NOT NULL"),
    ),
    "a whole chain with its record": ("missing", lambda c: remove_chain(c, 0)),
    "the rows of a chain": ("truncated", lambda c: c.execute("DELETE FROM entry")),
    "the record of a writer": (
        "unknown_writer",
        lambda c: c.execute("DELETE FROM writer WHERE rowid IN (SELECT max(rowid) FROM writer)"),
    ),
    "a head set back with the rows": ("forged", lambda c: set_back(c)),
    "a key destroyed": ("missing", lambda c: c.execute("DELETE FROM data_key WHERE entry = "
        "(SELECT id FROM entry WHERE position = 2)")),
    "a reference taken away": (
        "altered",
        lambda c: c.execute("UPDATE data_key SET reference = NULL"),
    ),
    "a key given to another row": ("altered", lambda c: exchange_keys(c)),
    "a text that is not UTF-8": (
        "altered",
        lambda c: c.execute("UPDATE entry SET status = CAST(x'ff' AS TEXT) WHERE position = 2"),
    ),
    "a record of lists without end": (
        "unknown_writer",
        lambda c: c.execute("UPDATE writer SET follows = ?", ("[" * 100_000,)),
    ),
    "a record of an endless number": (
        "unknown_writer",
        lambda c: c.execute("""UPDATE writer SET follows = '[["00", 1e999, "00"]]'"""),
    ),
    "the secret deleted": ("missing", lambda c: c.execute("DELETE FROM log_secret")),
    "the example altered": (
        "altered",
        lambda c: c.execute("UPDATE dictionary SET content = x'00'"),
    ),
    "the example renamed": ("missing", lambda c: c.execute("UPDATE dictionary SET id = 'x'")),
    "everything that was written": ("missing", lambda c: empty(c)),
    "all but the example": ("missing", lambda c: empty(c, "log_secret")),
    "all but the secret": ("missing", lambda c: empty(c, "dictionary")),
}  # fmt: skip


def empty(connection: sqlite3.Connection, *others: str) -> None:
    for table in ("entry", "data_key", "writer", *others):
        connection.execute(f"DELETE FROM {table}")


def exchange(connection: sqlite3.Connection, one: int, other: int) -> None:
    for before, after in ((one, -1), (other, one), (-1, other)):
        connection.execute("UPDATE entry SET position = ? WHERE position = ?", (after, before))


def exchange_answers(connection: sqlite3.Connection) -> None:
    answers = connection.execute(
        "SELECT answer, position FROM entry WHERE position IN (1, 2) ORDER BY position DESC"
    ).fetchall()
    for (answer, _), position in zip(answers, (1, 2), strict=True):
        connection.execute("UPDATE entry SET answer = ? WHERE position = ?", (answer, position))


def exchange_keys(connection: sqlite3.Connection) -> None:
    (one, first), (other, second) = connection.execute(
        "SELECT entry, wrapped FROM data_key ORDER BY entry LIMIT 2"
    ).fetchall()
    for entry, wrapped in ((one, second), (other, first)):
        connection.execute("UPDATE data_key SET wrapped = ? WHERE entry = ?", (wrapped, entry))


def repeat(connection: sqlite3.Connection, position: int) -> None:
    """Insert a copy of a row under another id; an index forbids the same id."""
    row = entry_at(connection, position)
    insert_entry(connection, rehashed(row._replace(id=b"another id......")))


def entry_at(connection: sqlite3.Connection, position: int) -> EntryRow:
    columns = ", ".join(EntryRow._fields)
    found = connection.execute(f"SELECT {columns} FROM entry WHERE position = ?", (position,))
    return EntryRow(*found.fetchone())


def rehashed(row: EntryRow) -> EntryRow:
    return row._replace(hash=row.digest())


def insert_entry(connection: sqlite3.Connection, row: EntryRow) -> None:
    marks = ", ".join("?" * len(row))
    connection.execute(f"INSERT INTO entry ({', '.join(row._fields)}) VALUES ({marks})", row)


def remove_chain(connection: sqlite3.Connection, number: int) -> None:
    (id,) = connection.execute("SELECT id FROM writer ORDER BY started_at").fetchall()[number]
    connection.execute(
        "DELETE FROM data_key WHERE entry IN (SELECT id FROM entry WHERE writer = ?)", (id,)
    )
    connection.execute("DELETE FROM entry WHERE writer = ?", (id,))
    connection.execute("DELETE FROM writer WHERE id = ?", (id,))


def set_back(connection: sqlite3.Connection) -> None:
    """Cut the last row off and let the head say that this was the end."""
    writer, sequence, previous, id = connection.execute(
        "SELECT writer, sequence, previous, id FROM entry ORDER BY position DESC"
    ).fetchone()
    connection.execute("DELETE FROM entry WHERE id = ?", (id,))
    connection.execute("DELETE FROM data_key WHERE entry = ?", (id,))
    connection.execute(
        "UPDATE writer SET sequence = ?, head = ? WHERE id = ?", (sequence - 1, previous, writer)
    )


@pytest.mark.parametrize("name", list(ATTACKS))
def test_an_attack_is_found(folder: Path, name: str) -> None:
    kind, attack = ATTACKS[name]
    with attacked(folder) as connection:
        attack(connection)
    assert kind in kinds(folder)


WITHOUT_KEY = (
    "a head set back with the rows",
    "a reference taken away",
    "a key given to another row",
    "the secret deleted",
)


@pytest.mark.parametrize("name", list(ATTACKS))
def test_only_seals_and_keys_need_the_site_key(folder: Path, name: str) -> None:
    kind, attack = ATTACKS[name]
    with attacked(folder) as connection:
        attack(connection)
    assert (kind in kinds(folder, with_key=False)) == (name not in WITHOUT_KEY)


TABLES = {"entry": EntryRow._fields, "data_key": DataKeyRow._fields, "writer": WriterRow._fields}
CELLS = [(table, column) for table, columns in TABLES.items() for column in columns]
VALUES = (
    st.none() | st.integers(-5, 2**62) | st.floats() | st.text(max_size=5) | st.binary(max_size=40)
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(cell=st.sampled_from(CELLS), place=st.integers(0, 2 * ROWS - 1), value=VALUES)
def test_any_value_in_any_column_is_found(
    written: Path,
    tmp_path_factory: pytest.TempPathFactory,
    cell: tuple[str, str],
    place: int,
    value: object,
) -> None:
    """The file is copied for each example; what SQLite itself refuses to store is no attack."""
    table, column = cell
    copy = Path(shutil.copytree(written, tmp_path_factory.mktemp("attacked") / "copy"))
    with attacked(copy) as connection:
        before = list(connection.execute(f"SELECT * FROM {table}"))
        key = "id" if table != "data_key" else "entry"
        ids = [id for (id,) in connection.execute(f"SELECT {key} FROM {table} ORDER BY {key}")]
        try:
            connection.execute(
                f"UPDATE {table} SET {column} = ? WHERE {key} = ?", (value, ids[place % len(ids)])
            )
        except sqlite3.Error:
            return
        is_changed = list(connection.execute(f"SELECT * FROM {table}")) != before
    assert bool(verified(copy).findings) == is_changed
    shutil.rmtree(copy)


def rewritten(connection: sqlite3.Connection) -> None:
    """Change a status and compute every later hash of the chain anew, up to its head."""
    writer = entry_at(connection, ROWS + 1).writer
    previous = entry_at(connection, ROWS + 1).previous
    for position in range(ROWS + 1, 2 * ROWS + 1):
        row = rehashed(entry_at(connection, position)._replace(status="ok!", previous=previous))
        previous = row.hash
        connection.execute(
            "UPDATE entry SET status = ?, previous = ?, hash = ? WHERE position = ?",
            (row.status, row.previous, row.hash, position),
        )
    connection.execute("UPDATE writer SET head = ? WHERE id = ?", (previous, writer))


def test_a_chain_computed_anew_lacks_the_seal_of_the_site_key(folder: Path) -> None:
    with attacked(folder) as connection:
        rewritten(connection)
    assert kinds(folder, with_key=False) == set()
    assert kinds(folder) == {"forged"}


def test_a_chain_computed_anew_contradicts_exported_heads(folder: Path) -> None:
    heads = exported(folder)
    with attacked(folder) as connection:
        rewritten(connection)
    assert kinds(folder, with_key=False, heads=heads) == {"altered"}


def test_an_older_copy_in_place_of_the_log_is_found_by_exported_heads_only(
    settings: LogSettings, tmp_path: Path
) -> None:
    """The docstring of the verification promises no more."""
    keys = LogHome(settings).keys
    with_rows(settings, 3)
    assert settings.url is not None
    file = Path(settings.url.removeprefix("sqlite:///"))
    database = database_at(settings.url)
    assert not database.forget_destroyed()
    shutil.copy(file, tmp_path / "older")

    async def later(log: AssessmentLog) -> None:
        await log.append(an_entry())

    using(settings, later)
    with connected(database) as connection:
        heads = read_heads(exported_heads(connection))
    assert not database.forget_destroyed()
    shutil.copy(tmp_path / "older", file)
    assert verify(database, keys).findings == ()
    assert {f.kind for f in verify(database, keys, heads).findings} == {"missing"}


def test_the_newest_chain_removed_whole_is_found_by_exported_heads_only(folder: Path) -> None:
    heads = exported(folder)
    with attacked(folder) as connection:
        remove_chain(connection, 1)
    assert kinds(folder) == set()
    assert kinds(folder, heads=heads) == {"missing"}


def test_exported_heads_stay_true_while_the_log_grows(settings: LogSettings) -> None:
    home = LogHome(settings)

    async def use(log: AssessmentLog) -> bytes:
        await log.append(an_entry())
        with connected(home.database) as connection:
            heads = exported_heads(connection)
        await log.append(an_entry())
        return heads

    heads = using(settings, use)
    with_rows(settings, 2)
    assert verify(home.database, home.keys, read_heads(heads)).findings == ()


def test_a_later_chain_names_the_end_of_the_one_before(written: Path) -> None:
    connection = sqlite3.connect(written / "rows.sqlite")
    columns = "hex(id), sequence, hex(head), follows"
    first, second = connection.execute(f"SELECT {columns} FROM writer ORDER BY started_at")
    connection.close()
    assert json.loads(first[3]) == []
    assert json.loads(second[3]) == [[first[0].lower(), first[1], first[2].lower()]]


def test_the_database_itself_may_be_broken(folder: Path) -> None:
    file = folder / "rows.sqlite"
    content = bytearray(file.read_bytes())
    with attacked(folder) as connection:
        (page,) = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'entry'"
        ).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    content[(page - 1) * size : page * size] = b"\xff" * size
    file.write_bytes(content)
    assert "unreadable" in kinds(folder)


def test_a_log_is_verified_while_it_is_written(settings: LogSettings, home: LogHome) -> None:
    async def use(log: AssessmentLog) -> None:
        async def write() -> None:
            for number in range(200):
                await log.append(an_entry(number))

        writing = asyncio.create_task(write())
        seen = []
        while not writing.done():
            found = await asyncio.to_thread(verify, home.database, home.keys)
            assert found.findings == ()
            seen.append(found.rows)
        assert seen == sorted(seen)
        await writing

    using(settings, use)


def test_the_newest_chain_with_an_example_of_its_own_is_missed(settings: LogSettings) -> None:
    home = LogHome(settings)
    with_rows(settings, 1)
    AssessmentLog(home, b"another example").close()
    assert settings.url is not None
    with attacked(Path(settings.url.removeprefix("sqlite:///")).parent) as connection:
        remove_chain(connection, 1)
    [found] = verify(home.database).findings
    assert (found.kind, found.where.split()[0]) == ("missing", "example")


def test_a_log_that_nobody_wrote_to_is_not_damaged(home: LogHome) -> None:
    home.prepare()
    for keys in (home.keys, None):
        assert verify(home.database, keys).findings == ()
    assert rewrap(home).keys == 0
    assert verify(home.database, home.keys).findings == ()


def test_where_there_is_no_log_nothing_is_verified(home: LogHome, tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "empty").close()
    with pytest.raises(LogRefused, match="no assessment log"):
        verify(database_at(f"sqlite:///{tmp_path}/empty"), home.keys)


def test_with_another_site_key_nothing_is_taken_for_sealed(written: Path, tmp_path: Path) -> None:
    write_new_key(tmp_path / "other")
    keys = SiteKeys.read(tmp_path / "other")
    found = verify(database_at(f"sqlite:///{written}/rows.sqlite"), keys)
    assert [(f.kind, f.where) for f in found.findings] == [("altered", "log secret")]


@pytest.mark.parametrize(
    "nonsense",
    [
        *(b"", b"{}", b"[]", b'{"ends": [1]}', b'{"ends": [["x", 1, 2]]}'),
        *(b'{"ends": [["00", 1e999, "00"]]}', b"[" * 100_000, b'{"ends": []}'),
    ],
)
def test_a_file_that_holds_no_heads_is_refused(nonsense: bytes) -> None:
    with pytest.raises(LogRefused):
        read_heads(nonsense)


@pytest.mark.parametrize("follows", ["", "[[", '[["00", 1e999, "00"]]', b"[]"])
def test_a_spoilt_record_of_a_former_writer_stops_nobody_from_writing_on(
    settings: LogSettings, follows: object
) -> None:
    with_rows(settings, 2)
    home = LogHome(settings)
    assert settings.url is not None
    with closing(sqlite3.connect(settings.url.removeprefix("sqlite:///"))) as attacker, attacker:
        attacker.execute("UPDATE writer SET follows = ?", (follows,))
    with_rows(settings, 2)
    with connected(home.database) as connection:
        (head,) = read_heads(exported_heads(connection))
    found = verify(home.database, home.keys, [head]).findings
    assert {finding.kind for finding in found} == {"altered", "unknown_writer"}


def test_behind_a_text_that_is_not_utf_8_nothing_is_hidden(folder: Path) -> None:
    with attacked(folder) as connection:
        connection.execute("UPDATE entry SET request_id = CAST(x'ff' AS TEXT) WHERE position = 1")
        connection.execute("UPDATE entry SET status = 'another' WHERE position = 9")
    found = verified(folder)
    assert [(f.kind, f.where.rpartition(", ")[2]) for f in found.findings] == [
        ("altered", "row 1"),
        ("altered", "row 3"),
    ]
