"""A disk that is full, read-only, locked or away: no answer without its row, and back by itself."""

import asyncio
import errno
import os
import resource
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from serving.assessment_log import group_commit, sqlite_database
from serving.assessment_log.entries import LogEntry
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.log_writer import LogWriter
from serving.assessment_log.opening import LogHome
from serving.assessment_log.refusals import LogUnavailable
from serving.assessment_log.sqlite_database import SqliteConnection
from serving.assessment_log.verify import verify
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using

LARGE = os.urandom(40_000)


@pytest.fixture(autouse=True, params=["at once", "apart"])
def by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let rows be written by the thread of the event loop, or by the log's own."""
    if request.param == "apart":
        monkeypatch.setattr(SqliteConnection, "begin_at_once", lambda _: False)
    return str(request.param)


def file_of(settings: LogSettings) -> Path:
    assert settings.url is not None
    return Path(settings.url.removeprefix("sqlite:///"))


async def back(log: AssessmentLog) -> None:
    """Wait until the log has recovered; nothing but time passes."""
    while log.refusal:
        await asyncio.sleep(0.01)


async def until_refused(log: AssessmentLog) -> list[UUID]:
    """Append large rows until one cannot be kept; return those that were."""
    kept = []
    while True:
        try:
            kept.append((await log.append(LogEntry(answer=LARGE))).id)
        except LogUnavailable:
            return kept


def rows_of(settings: LogSettings) -> set[bytes]:
    connection = sqlite3.connect(file_of(settings))
    found = {id for (id,) in connection.execute("SELECT id FROM entry")}
    connection.close()
    return found


def all_there(settings: LogSettings, kept: list[UUID]) -> bool:
    """Tell whether the log verifies and holds every acknowledged row."""
    home = LogHome(settings)
    is_sound = verify(home.database, home.keys).findings == ()
    return is_sound and {id.bytes for id in kept} <= rows_of(settings)


@contextmanager
def no_file_grows_beyond(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk(settings: LogSettings) -> None:
    """The kernel refuses to let a file grow, in the middle of a transaction."""

    async def use(log: AssessmentLog) -> list[UUID]:
        kept = [(await log.append(an_entry())).id]
        with no_file_grows_beyond(600_000):
            kept += await until_refused(log)
            assert len(kept) > 1
            assert log.refusal is not None
            assert "SQLITE_" in log.refusal
        await back(log)
        kept.append((await log.append(LogEntry(answer=LARGE))).id)
        return kept

    assert all_there(settings, using(settings, use))


def test_a_database_that_may_not_grow(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself says that the disk is full."""
    pragmas = sqlite_database._PRAGMAS

    async def use(log: AssessmentLog) -> list[UUID]:
        kept = [(await log.append(an_entry())).id]
        monkeypatch.setattr(sqlite_database, "_PRAGMAS", (*pragmas, "max_page_count=1"))
        writer = log._commits._writer
        assert writer is not None
        list(writer._connection.rows("PRAGMA max_page_count=1"))
        kept += await until_refused(log)
        for _ in range(3):
            with pytest.raises(LogUnavailable):
                await log.append(LogEntry(answer=LARGE))
        monkeypatch.setattr(sqlite_database, "_PRAGMAS", pragmas)
        while len(kept) < 5:
            await back(log)
            kept += [(await log.append(an_entry())).id]
        return kept

    assert all_there(settings, using(settings, use))


def test_a_disk_that_became_read_only(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pragmas = sqlite_database._PRAGMAS

    async def use(log: AssessmentLog) -> list[UUID]:
        kept = [(await log.append(an_entry())).id]
        monkeypatch.setattr(sqlite_database, "_PRAGMAS", (*pragmas, "query_only=ON"))
        writer = log._commits._writer
        assert writer is not None
        list(writer._connection.rows("PRAGMA query_only=ON"))
        with pytest.raises(LogUnavailable):
            await log.append(an_entry())
        with pytest.raises(LogUnavailable):
            await log.append(an_entry())
        assert log.refusal
        assert (await log.read(kept[0])).status == "ok"  # what is there can still be read
        monkeypatch.setattr(sqlite_database, "_PRAGMAS", pragmas)
        await back(log)
        return [*kept, (await log.append(an_entry())).id]

    assert all_there(settings, using(settings, use))


def test_a_database_that_is_away_comes_back(settings: LogSettings) -> None:
    """Writing on into a file that was moved would lose what is acknowledged."""
    folder = file_of(settings).parent
    away = folder.with_name("away")

    async def use(log: AssessmentLog) -> list[UUID]:
        kept = [(await log.append(an_entry())).id]
        folder.rename(away)
        for _ in range(2):
            with pytest.raises(LogUnavailable):
                await log.append(an_entry())
        with pytest.raises(LogUnavailable):
            await log.read(kept[0])
        assert not folder.exists()  # no second log is begun in its place
        away.rename(folder)
        await back(log)
        return [*kept, (await log.append(an_entry())).id]

    assert all_there(settings, using(settings, use))


def test_a_database_that_is_locked_by_another(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sqlite_database, "_PATIENCE_SECONDS", 0.05)

    async def use(log: AssessmentLog) -> list[UUID]:
        kept = [(await log.append(an_entry())).id]
        other = sqlite3.connect(file_of(settings), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        waiting = await asyncio.gather(
            *(log.append(an_entry(n)) for n in range(20)), return_exceptions=True
        )
        assert all(isinstance(answer, LogUnavailable) for answer in waiting)
        other.execute("ROLLBACK")
        other.close()
        await back(log)
        return [*kept, (await log.append(an_entry())).id]

    assert all_there(settings, using(settings, use))


def test_a_log_that_is_away_at_the_start_is_made_once_it_can_be(settings: LogSettings) -> None:
    file_of(settings).parent.write_text("in the way")

    async def use(log: AssessmentLog) -> list[UUID]:
        assert log.refusal
        with pytest.raises(LogUnavailable) as refused:
            await log.append(an_entry())
        assert refused.value.retry_after >= 1
        with pytest.raises(LogUnavailable):
            await log.read(an_entry().id)
        file_of(settings).parent.unlink()
        await back(log)
        return [(await log.append(an_entry())).id]

    assert all_there(settings, using(settings, use))


def test_a_refusal_names_neither_place_nor_value(settings: LogSettings, tmp_path: Path) -> None:
    file_of(settings).parent.write_text("in the way")

    async def use(log: AssessmentLog) -> str:
        with pytest.raises(LogUnavailable) as refused:
            await log.append(an_entry())
        return str(refused.value)

    said = using(settings, use)
    assert "FileExistsError, EEXIST" in said
    assert str(tmp_path) not in said


@contextmanager
def held(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let transactions wait for the end of the block."""
    let_go = threading.Event()
    begin = SqliteConnection.begin

    def wait_and_begin(connection: SqliteConnection) -> None:
        let_go.wait()
        begin(connection)

    monkeypatch.setattr(SqliteConnection, "begin", wait_and_begin)
    monkeypatch.setattr(SqliteConnection, "begin_at_once", lambda _: False)
    try:
        yield
    finally:
        let_go.set()


def test_more_than_may_wait_is_turned_away(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST_WAITING_BYTES", 4 * len(LARGE))

    async def use(log: AssessmentLog) -> list[UUID]:
        with held(monkeypatch):
            calls = [asyncio.create_task(log.append(LogEntry(answer=LARGE))) for _ in range(50)]
            await asyncio.sleep(0.05)
            turned_away = [call for call in calls if call.done()]
            assert len(turned_away) == 46
            assert all(isinstance(call.exception(), LogUnavailable) for call in turned_away)
            assert log.lag > 0.0
            assert log.refusal is None
        kept = [(await call).id for call in calls if call not in turned_away]
        kept.append((await log.append(LogEntry(answer=LARGE))).id)
        assert log.lag == 0.0
        return kept

    assert all_there(settings, using(settings, use))


def test_a_disk_with_room_for_a_beginning_only_is_not_tried_all_the_time(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    async def use(log: AssessmentLog) -> int:
        monkeypatch.setattr(LogWriter, "_inserted", full)
        refused = 0
        while refused < 2_000:
            with pytest.raises(LogUnavailable):
                await log.append(an_entry())
            refused += 1
            await asyncio.sleep(0)
        return log.counters.opened

    assert using(settings, use) < 20


def test_whatever_goes_wrong_the_writing_thread_lives(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    inserted = LogWriter._inserted

    def fail(*_: object) -> None:
        raise ZeroDivisionError

    async def use(log: AssessmentLog) -> list[UUID]:
        monkeypatch.setattr(LogWriter, "_inserted", fail)
        with pytest.raises(LogUnavailable, match="ZeroDivisionError"):
            await log.append(an_entry())
        monkeypatch.setattr(LogWriter, "_inserted", inserted)
        await back(log)
        return [(await log.append(an_entry())).id]

    assert all_there(settings, using(settings, use))


@pytest.mark.parametrize("step", ["commit_unflushed", "flush"])
def test_a_failed_commit_ends_its_chain(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The row is on disk although the commit seemed to fail: the next chain must not fork it."""
    done = getattr(SqliteConnection, step)

    def do_and_fail(connection: SqliteConnection) -> None:
        done(connection)
        raise sqlite3.OperationalError("disk I/O error")

    async def use(log: AssessmentLog) -> list[UUID]:
        kept = [(await log.append(an_entry())).id]
        monkeypatch.setattr(SqliteConnection, step, do_and_fail)
        with pytest.raises(LogUnavailable):
            await log.append(an_entry())
        monkeypatch.setattr(SqliteConnection, step, done)
        await back(log)
        return [*kept, (await log.append(an_entry())).id]

    kept = using(settings, use)
    assert all_there(settings, kept)
    assert len(rows_of(settings)) == 3  # the unacknowledged one is there, too


def test_a_head_that_somebody_else_moved_is_not_overwritten(settings: LogSettings) -> None:
    async def use(log: AssessmentLog) -> None:
        await log.append(an_entry())
        attacker = sqlite3.connect(file_of(settings))
        attacker.execute("UPDATE writer SET sequence = 0")
        attacker.commit()
        attacker.close()
        with pytest.raises(LogUnavailable, match="verify-log"):
            await log.append(an_entry())
        await back(log)

    using(settings, use)
    home = LogHome(settings)
    assert "forged" in {finding.kind for finding in verify(home.database, home.keys).findings}


def test_a_log_that_is_not_ready_closes_at_once(settings: LogSettings) -> None:
    file_of(settings).parent.write_text("in the way")
    log = AssessmentLog.open(settings)
    log.close()
    assert threading.active_count() == 1


def test_after_a_flush_that_failed_nothing_is_kept_behind_what_may_be_lost(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The system forgets what it could not write: the next flush alone would prove nothing."""
    emptied: list[int] = []
    is_emptied, flush = sqlite_database._is_emptied, sqlite_database._flush
    ahead = Path(f"{file_of(settings)}-wal")

    def fail(_: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    def in_use_at_first(connection: SqliteConnection) -> bool:
        done = bool(emptied) and is_emptied(connection)
        emptied.append(ahead.stat().st_size)
        return done

    async def use(log: AssessmentLog) -> list[UUID]:
        kept = [(await log.append(an_entry())).id]
        monkeypatch.setattr(sqlite_database, "_is_emptied", in_use_at_first)
        monkeypatch.setattr(sqlite_database, "_flush", fail)
        with pytest.raises(LogUnavailable):
            await log.append(an_entry())
        monkeypatch.setattr(sqlite_database, "_flush", flush)
        await back(log)
        return [*kept, (await log.append(an_entry())).id, (await log.append(an_entry())).id]

    AssessmentLog.open(settings).close()  # the tables
    with closing(sqlite3.connect(file_of(settings))) as another_worker:
        another_worker.execute("SELECT count(*) FROM entry").fetchall()
        kept = using(settings, use)
    assert all_there(settings, kept)
    assert len(emptied) == 2
    assert emptied[0] > emptied[1] == 0


@pytest.mark.parametrize("removed", ["-wal", "-shm"])
def test_without_the_files_of_write_ahead_logging_nothing_counts_as_written(
    settings: LogSettings, removed: str
) -> None:
    """What is written to a file without a name is gone when the last who holds it open ends."""

    async def use(log: AssessmentLog) -> None:
        await log.append(an_entry(1))
        Path(f"{file_of(settings)}{removed}").unlink()
        with pytest.raises(LogUnavailable):
            await log.append(an_entry(2))

    using(settings, use)
