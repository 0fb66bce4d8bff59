"""Who writes: the thread of the event loop while nothing but a prompt disk is waited for."""

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest

from serving.assessment_log.log import AssessmentLog
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


def test_a_slow_disk_holds_up_the_event_loop_once(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[str] = []

    def slowly(connection: SqliteConnection) -> None:
        threads.append(threading.current_thread().name)
        time.sleep(0.06)
        COMMIT(connection)

    async def use(log: AssessmentLog) -> None:
        monkeypatch.setattr(SqliteConnection, "commit", slowly)
        for _ in range(3):
            await log.append(an_entry())

    using(settings, use)
    assert threads == ["MainThread", "assessment-log", "assessment-log"]
