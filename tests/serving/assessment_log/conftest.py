"""A log of its own for each test."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from serving.assessment_log.entries import LogEntry
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.opening import LogHome
from serving.assessment_log.site_key import write_new_key
from serving.settings import LogSettings

T = TypeVar("T")
Use = Callable[[AssessmentLog], Awaitable[T]]


@pytest.fixture
def settings(tmp_path: Path) -> LogSettings:
    """A key, and an address where nothing is yet."""
    write_new_key(tmp_path / "site.key")
    return LogSettings(f"sqlite:///{tmp_path}/log/rows.sqlite", tmp_path / "site.key")


@pytest.fixture
def home(settings: LogSettings) -> LogHome:
    return LogHome(settings)


@pytest.fixture
def log(settings: LogSettings) -> Iterator[AssessmentLog]:
    opened = AssessmentLog.open(settings)
    yield opened
    opened.close()


def using(settings: LogSettings, use: Use[T]) -> T:
    """Open a log, use it within an event loop, and close it."""

    async def run() -> T:
        log = AssessmentLog.open(settings)
        try:
            return await use(log)
        finally:
            log.close()

    return asyncio.run(run())


def an_entry(number: int = 0, reference: str | None = None) -> LogEntry:
    """One answer among others."""
    return LogEntry(
        answer=b'{"status": "ok", "number": %d}' % number,
        input=b'{"age": %d}' % number,
        status="ok",
        model_hashes={"severe_crs": "a" * 64},
        request_id=f"request-{number}",
        api_key_id="abcd1234",
        reference=reference,
    )


def with_rows(settings: LogSettings, rows: int) -> list[LogEntry]:
    """Write so many rows in one chain, one after the other."""
    entries = [an_entry(number) for number in range(rows)]

    async def write(log: AssessmentLog) -> None:
        for entry in entries:
            await log.append(entry)

    using(settings, write)
    return entries
