"""Who writes: the thread of the event loop while nothing but a prompt disk is waited for."""

import asyncio
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.refusals import LogUnavailable
from serving.assessment_log.sqlite_database import SqliteConnection
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using

COMMIT = SqliteConnection.commit


@pytest.fixture
def committed_by(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The name of the thread of each commit, in order."""
    threads: list[str] = []

    def commit(connection: SqliteConnection) -> None:
        threads.append(threading.current_thread().name)
        COMMIT(connection)

    monkeypatch.setattr(SqliteConnection, "commit", commit)
    return threads


def test_on_a_prompt_disk_no_other_thread_is_woken(
    settings: LogSettings, committed_by: list[str]
) -> None:
    async def use(log: AssessmentLog) -> None:
        await asyncio.gather(*(log.append(an_entry(n)) for n in range(20)))
        await log.append(an_entry())

    using(settings, use)
    assert committed_by == ["MainThread"] * 3  # the beginning of the chain, and two turns


def test_the_lock_of_another_process_does_not_hold_up_the_event_loop(
    settings: LogSettings, committed_by: list[str]
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
    assert committed_by == ["MainThread", "assessment-log"]


class SimulatedDisk:
    """A disk whose flushes take as long as they are told to, by a clock of its own."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = time.monotonic()
        self.flush_seconds = self.insert_seconds = 0.0
        self.committed_by: list[str] = []
        insert = SqliteConnection.insert

        def commit(connection: SqliteConnection) -> None:
            self.committed_by.append(threading.current_thread().name)
            self.now += self.flush_seconds
            COMMIT(connection)

        def inserted(connection: SqliteConnection, *given: Any) -> None:
            self.now += self.insert_seconds
            insert(connection, *given)

        monkeypatch.setattr(SqliteConnection, "commit", commit)
        monkeypatch.setattr(SqliteConnection, "insert", inserted)
        monkeypatch.setattr(time, "monotonic", lambda: self.now)

    async def appended_by(self, log: AssessmentLog, flush_seconds: float = 0.0) -> str:
        """Append a row that is flushed in so many seconds; return the thread that wrote it."""
        self.flush_seconds = flush_seconds
        await log.append(an_entry())
        with log._commits._writing:  # the thread lets go of it after it has told us
            return self.committed_by[-1]


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> SimulatedDisk:
    return SimulatedDisk(monkeypatch)


@pytest.mark.parametrize(("took", "apart"), [(0.057, 0.57), (0.5, 5), (3, 30), (60, 30)])
def test_a_slow_disk_is_left_to_the_thread_ten_times_as_long_as_it_took_at_most_half_a_minute(
    settings: LogSettings, disk: SimulatedDisk, took: float, apart: float
) -> None:
    async def use(log: AssessmentLog) -> None:
        assert await disk.appended_by(log, took) == "MainThread"
        disk.now += 0.99 * apart
        assert await disk.appended_by(log) == "assessment-log"
        disk.now += 0.02 * apart
        assert await disk.appended_by(log) == "MainThread"

    using(settings, use)


def test_a_disk_that_is_not_slow_is_not_left_to_the_thread(
    settings: LogSettings, disk: SimulatedDisk
) -> None:
    async def use(log: AssessmentLog) -> list[str]:
        return [await disk.appended_by(log, 0.04) for _ in range(5)]

    assert using(settings, use) == ["MainThread"] * 5


def test_a_disk_that_stays_slow_holds_up_the_event_loop_once(
    settings: LogSettings, disk: SimulatedDisk
) -> None:
    """What the thread sees of the disk counts: for minutes it is not tried by the loop."""

    async def use(log: AssessmentLog) -> list[str]:
        writers = []
        for _ in range(100):
            writers.append(await disk.appended_by(log, 0.5))
            disk.now += 4
        return writers

    assert using(settings, use) == ["MainThread"] + ["assessment-log"] * 99


def test_a_disk_that_becomes_slower_is_left_alone_for_longer(
    settings: LogSettings, disk: SimulatedDisk
) -> None:
    async def use(log: AssessmentLog) -> list[str]:
        writers = [await disk.appended_by(log, took) for took in (0.5, 2.0, 0.06)]
        disk.now += 19
        writers.append(await disk.appended_by(log))
        disk.now += 2
        return [*writers, await disk.appended_by(log)]

    assert using(settings, use) == ["MainThread", *["assessment-log"] * 3, "MainThread"]


def test_what_the_thread_waits_for_beside_the_disk_does_not_keep_the_event_loop_away(
    settings: LogSettings, disk: SimulatedDisk
) -> None:
    async def use(log: AssessmentLog) -> None:
        assert await disk.appended_by(log, 0.1) == "MainThread"
        disk.now += 0.5
        disk.insert_seconds = 0.2  # as if it waited for the interpreter
        assert await disk.appended_by(log) == "assessment-log"
        disk.insert_seconds = 0.0
        disk.now += 0.4
        assert await disk.appended_by(log) == "MainThread"

    using(settings, use)


def test_a_disk_that_hangs_and_fails_is_left_to_the_thread(
    settings: LogSettings, disk: SimulatedDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompt = SqliteConnection.commit

    def hang_and_fail_once(_: SqliteConnection) -> None:
        monkeypatch.setattr(SqliteConnection, "commit", prompt)
        disk.now += 30.0
        raise sqlite3.OperationalError("disk I/O error")

    async def use(log: AssessmentLog) -> str:
        monkeypatch.setattr(SqliteConnection, "commit", hang_and_fail_once)
        with pytest.raises(LogUnavailable):
            await log.append(an_entry())
        while log._commits._writer is None:
            await asyncio.sleep(0)
        disk.now += 29.0
        return await disk.appended_by(log)

    assert using(settings, use) == "assessment-log"


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
    assert settings.url is not None
    with sqlite3.connect(settings.url.removeprefix("sqlite:///")) as connection:
        there = {id for (id,) in connection.execute("SELECT id FROM entry")}
    assert {id.bytes for id in kept} <= there


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
