"""kill -9 at any moment: what was acknowledged is in the log, and the log verifies."""

import os
import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from serving.assessment_log.opening import LogHome
from serving.assessment_log.verify import verify
from serving.settings import LogSettings

ROOT = Path(__file__).parents[3]
WORKER = Path(__file__).with_name("writing_process.py")


@contextmanager
def working(settings: LogSettings) -> Iterator[subprocess.Popen[bytes]]:
    """Start a worker; it is killed at the end of the block, if not before."""
    assert settings.url is not None
    process = subprocess.Popen(
        [sys.executable, str(WORKER), settings.url, str(settings.key_file)],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        stdout=subprocess.PIPE,
    )
    try:
        yield process
    finally:
        kill(process)


def acknowledged(process: subprocess.Popen[bytes], rows: int) -> list[bytes]:
    """Read so many acknowledgements."""
    assert process.stdout is not None
    return [UUID(process.stdout.readline().decode().strip()).bytes for _ in range(rows)]


def kill(process: subprocess.Popen[bytes]) -> list[bytes]:
    """Kill without warning; return what was still said before."""
    process.send_signal(signal.SIGKILL)
    assert process.stdout is not None
    said = b"" if process.stdout.closed else process.stdout.read()
    process.stdout.close()
    process.wait()
    return [UUID(line).bytes for line in said.decode().split()]


def assert_all_there(settings: LogSettings, rows: list[bytes]) -> None:
    home = LogHome(settings)
    assert verify(home.database, home.keys).findings == ()
    assert settings.url is not None
    connection = sqlite3.connect(settings.url.removeprefix("sqlite:///"))
    there = {id for (id,) in connection.execute("SELECT id FROM entry")}
    connection.close()
    assert rows
    assert set(rows) <= there


@pytest.mark.parametrize("times", [8, pytest.param(100, marks=pytest.mark.deep)])
def test_no_acknowledged_row_is_ever_missing(settings: LogSettings, times: int) -> None:
    chance = random.Random(20261122)
    kept: list[bytes] = []
    for _ in range(times):
        with working(settings) as process:
            kept += acknowledged(process, chance.randrange(1, 300))
            kept += kill(process)
    assert_all_there(settings, kept)


@pytest.mark.parametrize("times", [2, pytest.param(20, marks=pytest.mark.deep)])
def test_when_one_worker_is_killed_the_other_goes_on(settings: LogSettings, times: int) -> None:
    kept: list[bytes] = []
    with working(settings) as survivor:
        for _ in range(times):
            with working(settings) as process:
                kept += acknowledged(process, 50)
                kept += kill(process)
            kept += acknowledged(survivor, 50)
        kept += kill(survivor)
    assert_all_there(settings, kept)


def test_workers_may_be_killed_while_they_make_the_log(settings: LogSettings) -> None:
    """Killed before any acknowledgement: half a schema would keep every later worker out."""
    chance = random.Random(1)
    for _ in range(3):
        with working(settings) as process, pytest.raises(subprocess.TimeoutExpired):
            process.wait(chance.uniform(0.2, 0.9))
    with working(settings) as process:
        kept = acknowledged(process, 1) + kill(process)
    assert_all_there(settings, kept)
