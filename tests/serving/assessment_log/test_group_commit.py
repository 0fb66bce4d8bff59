"""Who writes, and who waits for the disk: the event loop's thread where that holds up nobody."""

import asyncio
import errno
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from uuid import UUID

import pytest

from serving.assessment_log.disk_pace import DiskPace
from serving.assessment_log.entries import Receipt
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.refusals import LogUnavailable
from serving.assessment_log.sqlite_database import SqliteConnection
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using

COMMIT, FLUSH = SqliteConnection.commit_unflushed, SqliteConnection.flush
LOOP, APART = "MainThread", "assessment-log"


@pytest.fixture
def flushed_by(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of the thread of each flush, in order."""
    threads: list[str] = []

    def flush(connection: SqliteConnection) -> None:
        threads.append(threading.current_thread().name)
        FLUSH(connection)

    monkeypatch.setattr(SqliteConnection, "flush", flush)
    return threads


def test_on_a_prompt_disk_no_other_thread_is_woken(
    settings: LogSettings, flushed_by: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 0.0)  # whatever else runs on this machine

    async def use(log: AssessmentLog) -> None:
        await asyncio.gather(*(log.append(an_entry(n)) for n in range(20)))
        await log.append(an_entry())

    using(settings, use)
    assert flushed_by == [LOOP] * 3  # the beginning of the chain, and two turns


def test_the_lock_of_another_process_does_not_hold_up_the_event_loop(
    settings: LogSettings, flushed_by: list[str]
) -> None:
    async def use(log: AssessmentLog) -> float:
        assert settings.url is not None
        other = sqlite3.connect(Path(settings.url.removeprefix("sqlite:///")), isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        call = asyncio.create_task(log.append(an_entry()))
        longest, last = 0.0, time.monotonic()
        for _ in range(20):
            await asyncio.sleep(0.005)
            longest, last = max(longest, time.monotonic() - last), time.monotonic()
        assert not call.done()
        other.execute("ROLLBACK")
        other.close()
        await call
        return longest

    # The other lock is held for 0.1 s at least: a loop that waited for it would stand that long.
    assert using(settings, use) < 0.1
    assert flushed_by == [LOOP, APART]


class SimulatedDisk:
    """A disk that takes as long as it is told to, by a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.monotonic()
        self.flush_seconds = self.write_seconds = 0.0
        self.written_by: list[str] = []
        self.flushed_by: list[str] = []

        def write(connection: SqliteConnection) -> None:
            self.written_by.append(threading.current_thread().name)
            self.now += self.write_seconds
            COMMIT(connection)

        def flush(connection: SqliteConnection) -> None:
            self.flushed_by.append(threading.current_thread().name)
            self.now += self.flush_seconds
            FLUSH(connection)

        monkeypatch.setattr(SqliteConnection, "commit_unflushed", write)
        monkeypatch.setattr(SqliteConnection, "flush", flush)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    async def appended_by(self, log: AssessmentLog, flush_seconds: float = 0.0) -> tuple[str, str]:
        """Append a row that is flushed in so many seconds; return who wrote and who flushed it."""
        self.flush_seconds = flush_seconds
        await log.append(an_entry())
        return self.written_by[-1], self.flushed_by[-1]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimulatedDisk:
    return SimulatedDisk(monkeypatch)


@pytest.mark.parametrize(("took", "apart"), [(0.002, 0.06), (0.05, 1.5), (0.5, 15), (60, 30)])
def test_a_slow_disk_is_left_to_the_thread_thirty_times_as_long_as_it_took_at_most_half_a_minute(
    settings: LogSettings, disk: SimulatedDisk, took: float, apart: float
) -> None:
    """Rows are written by the loop all the same: then others can be answered meanwhile."""

    async def use(log: AssessmentLog) -> None:
        assert await disk.appended_by(log, took) == (LOOP, LOOP)
        disk.now += 0.99 * apart
        assert await disk.appended_by(log) == (LOOP, APART)
        disk.now += 0.02 * apart
        assert await disk.appended_by(log) == (LOOP, LOOP)

    using(settings, use)


def test_a_disk_that_is_not_slow_is_not_left_to_the_thread(
    settings: LogSettings, disk: SimulatedDisk
) -> None:
    async def use(log: AssessmentLog) -> list[tuple[str, str]]:
        return [await disk.appended_by(log, 0.0009) for _ in range(5)]

    assert using(settings, use) == [(LOOP, LOOP)] * 5


def test_a_disk_that_stays_slow_holds_up_the_event_loop_once(
    settings: LogSettings, disk: SimulatedDisk
) -> None:
    """What the thread sees of the disk counts: for minutes it is not tried by the loop."""

    async def use(log: AssessmentLog) -> list[tuple[str, str]]:
        writers = []
        for _ in range(100):
            writers.append(await disk.appended_by(log, 0.5))
            disk.now += 4
        return writers

    assert using(settings, use) == [(LOOP, LOOP)] + [(LOOP, APART)] * 99


def test_what_may_be_waiting_for_the_interpreter_does_not_keep_the_event_loop_away(
    settings: LogSettings, disk: SimulatedDisk
) -> None:
    async def use(log: AssessmentLog) -> None:
        assert await disk.appended_by(log, 0.002) == (LOOP, LOOP)
        assert await disk.appended_by(log, 0.04) == (LOOP, APART)
        disk.now += 0.03
        assert await disk.appended_by(log) == (LOOP, LOOP)

    using(settings, use)


def test_a_write_that_takes_long_leaves_the_next_to_the_thread(
    settings: LogSettings, disk: SimulatedDisk
) -> None:
    """Now and then SQLite moves its write-ahead file into the database, and waits for the disk."""

    async def use(log: AssessmentLog) -> None:
        disk.write_seconds = 0.1
        assert await disk.appended_by(log) == (LOOP, LOOP)
        disk.write_seconds = 0.0
        disk.now += 0.9
        assert await disk.appended_by(log) == (APART, APART)
        disk.now += 0.2
        assert await disk.appended_by(log) == (LOOP, LOOP)

    using(settings, use)


def test_a_disk_that_hangs_and_fails_is_left_to_the_thread(
    settings: LogSettings, disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = SqliteConnection.flush

    def hang_and_fail_once(_: SqliteConnection) -> None:
        monkeypatch.setattr(SqliteConnection, "flush", prompt)
        disk.now += 30.0
        raise OSError(errno.EIO, "Input/output error")

    async def use(log: AssessmentLog) -> tuple[str, str]:
        monkeypatch.setattr(SqliteConnection, "flush", hang_and_fail_once)
        with pytest.raises(LogUnavailable):
            await log.append(an_entry())
        while log._commits._writer is None:
            await asyncio.sleep(0)
        disk.now += 29.0
        return await disk.appended_by(log)

    assert using(settings, use) == (LOOP, APART)


class HeldDisk:
    """A slow disk whose flushes, once it is held, wait to be let go, or fail."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_held = False
        self.fails = False
        self.flushes = 0
        self._go = threading.Event()

        def flush(connection: SqliteConnection) -> None:
            if self.is_held:
                self.flushes += 1
                assert self._go.wait(10)
            if self.fails:
                self.fails = False
                raise OSError(errno.EIO, "Input/output error")
            FLUSH(connection)

        monkeypatch.setattr(SqliteConnection, "flush", flush)
        monkeypatch.setattr(DiskPace, "is_prompt", property(lambda pace: pace is not self.slow))
        self.slow: DiskPace | None = None

    def hold(self, log: AssessmentLog) -> None:
        self.slow, self.is_held = log._commits._flushes, True

    def let_go(self) -> None:
        self._go.set()


def test_others_are_written_while_the_disk_works_and_nobody_is_told_too_early(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = HeldDisk(monkeypatch)
    there: list[int] = []

    async def use(log: AssessmentLog) -> None:
        disk.hold(log)
        calls = await three_written(log, settings)
        there.append(len(rows_in(settings)))
        assert not any(call.done() for call in calls)
        disk.let_go()
        await asyncio.gather(*calls)
        assert log.counters.rows == 3

    using(settings, use)
    assert there == [3]
    assert disk.flushes == 2  # of the first, and of both that came meanwhile


def test_a_flush_that_fails_turns_away_all_who_waited_for_the_disk(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = HeldDisk(monkeypatch)

    async def use(log: AssessmentLog) -> list[object]:
        disk.hold(log)
        calls = await three_written(log, settings)
        disk.fails = True
        disk.let_go()
        ends = await asyncio.gather(*calls, return_exceptions=True)
        while log.refusal:
            await asyncio.sleep(0.001)
        await log.append(an_entry())
        assert log._commits._bytes == 0
        return list(ends)

    assert all(isinstance(end, LogUnavailable) for end in using(settings, use))


def test_closing_flushes_what_was_written(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = HeldDisk(monkeypatch)

    async def use() -> list[object]:
        log = AssessmentLog.open(settings)
        disk.hold(log)
        calls = [asyncio.create_task(log.append(an_entry(n))) for n in range(20)]
        while not disk.flushes:
            await asyncio.sleep(0.001)
        closing = asyncio.create_task(asyncio.to_thread(log.close))
        await asyncio.sleep(0.01)
        disk.let_go()
        await closing
        return await asyncio.gather(*calls, return_exceptions=True)

    told = [end.id.bytes for end in asyncio.run(use()) if isinstance(end, Receipt)]
    assert len(told) >= 8
    assert set(told) <= rows_in(settings)


async def three_written(log: AssessmentLog, settings: LogSettings) -> list[asyncio.Task[Receipt]]:
    """Append three rows, each after the one before was written, though none may be flushed."""
    calls = []
    for number in range(3):
        calls.append(asyncio.create_task(log.append(an_entry(number))))
        while len(rows_in(settings)) <= number:
            await asyncio.sleep(0.001)
    return calls


def rows_in(settings: LogSettings) -> set[bytes]:
    assert settings.url is not None
    with closing(sqlite3.connect(settings.url.removeprefix("sqlite:///"))) as connection:
        return {id for (id,) in connection.execute("SELECT id FROM entry")}


def test_many_rows_at_a_time_are_several_transactions(settings: LogSettings) -> None:
    """A statement of SQLite takes 32,766 values where it was built with its own defaults."""

    async def use(log: AssessmentLog) -> int:
        calls = [log.append_all([an_entry(n) for n in range(64)]) for _ in range(40)]
        receipts = await asyncio.gather(*calls)
        assert sum(map(len, receipts)) == 2_560
        return log.counters.transactions

    assert using(settings, use) >= 3


def test_nothing_to_write_is_nothing_done(settings: LogSettings) -> None:
    async def use(log: AssessmentLog) -> int:
        assert await log.append_all([]) == []
        return log.counters.transactions

    assert using(settings, use) == 0


@pytest.mark.parametrize("apart", [False, True])
def test_closing_under_load_leaves_nobody_waiting(
    settings: LogSettings, apart: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever was told of a row finds it; everybody else is told that there is none."""
    if apart:
        monkeypatch.setattr(SqliteConnection, "waits_for_disk_only", False)
    kept: list[UUID] = []

    async def ask(log: AssessmentLog) -> None:
        while True:
            receipts = await log.append_all([an_entry(n) for n in range(16)])
            kept.extend(receipt.id for receipt in receipts)

    async def use() -> list[BaseException | None]:
        log = AssessmentLog.open(settings)
        callers = [asyncio.create_task(ask(log)) for _ in range(8)]
        await asyncio.sleep(0.05)
        await asyncio.to_thread(log.close)
        done, waiting = await asyncio.wait(callers, timeout=10)
        assert not waiting
        return [caller.exception() for caller in done]

    for _ in range(10):
        assert all(isinstance(end, LogUnavailable) for end in asyncio.run(use()))
    assert {id.bytes for id in kept} <= rows_in(settings)


def test_closing_while_the_database_is_away_tells_everybody(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_: SqliteConnection) -> None:
        time.sleep(0.2)
        raise sqlite3.OperationalError("unable to open database file")

    async def use() -> list[object]:
        log = AssessmentLog.open(settings)
        monkeypatch.setattr(SqliteConnection, "begin_at_once", lambda _: False)
        monkeypatch.setattr(SqliteConnection, "begin", away)
        calls = [
            asyncio.create_task(log.append_all([an_entry(n) for n in range(600)])) for _ in range(6)
        ]
        await asyncio.sleep(0.05)
        await asyncio.to_thread(log.close)
        assert log._commits._bytes == 0
        return await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), 10)

    assert all(isinstance(end, LogUnavailable) for end in asyncio.run(use()))
