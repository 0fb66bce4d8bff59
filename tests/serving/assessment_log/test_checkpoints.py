"""The write-ahead file is moved beside the writing: it stays short, and no commit waits for it."""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from serving.assessment_log import checkpoints, sqlite_database
from serving.assessment_log.checkpoints import Checkpoints
from serving.assessment_log.log_writer import LogWriter
from serving.assessment_log.opening import LogHome
from serving.assessment_log.verify import verify
from tests.serving.assessment_log.conftest import an_entry

PAGE = 4_096


@pytest.fixture
def writer(home: LogHome, monkeypatch: pytest.MonkeyPatch) -> Iterator[LogWriter]:
    """A writer that moves after 100 rows, and in no commit."""
    monkeypatch.setattr(checkpoints, "ROWS", 100)
    unasked = (*sqlite_database._PRAGMAS, "wal_autocheckpoint=0")
    monkeypatch.setattr(sqlite_database, "_PRAGMAS", unasked)
    writer = home.writer()
    yield writer
    writer.close()


def ahead_of(home: LogHome) -> int:
    """Return the pages of the write-ahead file, which never becomes shorter by itself."""
    path: Path = home.database.path  # type: ignore[attr-defined]  # a file, in these tests
    return path.with_name(f"{path.name}-wal").stat().st_size // PAGE


def write(writer: LogWriter, rows: int) -> None:
    for number in range(rows):
        writer.write([writer.preparation.prepared(an_entry(number))])


def moved(home: LogHome) -> int:
    """Return how many pages have left the write-ahead file, without moving any."""
    path: Path = home.database.path  # type: ignore[attr-defined]
    return path.stat().st_size // PAGE


def until(happened: Callable[[], object], seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not happened() and time.monotonic() < end:
        time.sleep(0.01)


def test_the_file_is_written_from_its_beginning_again_while_rows_keep_coming(
    home: LogHome, writer: LogWriter
) -> None:
    written = 0
    while written < 1_500:
        write(writer, 100)
        written += 100
    # Each row alone is a transaction of six pages or so: unmoved they would be 9,000.
    assert ahead_of(home) < 4_000
    assert verify(home.database, home.keys).findings == ()


def test_few_rows_start_no_thread(writer: LogWriter) -> None:
    before = threading.active_count()
    write(writer, 10)
    assert threading.active_count() == before


def test_a_closed_connection_leaves_no_thread(home: LogHome, writer: LogWriter) -> None:
    write(writer, 200)
    writer.close()
    assert "checkpoints" not in {thread.name for thread in threading.enumerate()}
    assert verify(home.database, home.keys).findings == ()


def test_a_reader_holds_a_move_up_and_the_next_one_makes_it_good(
    home: LogHome, writer: LogWriter
) -> None:
    path: Path = home.database.path  # type: ignore[attr-defined]
    with closing(sqlite3.connect(path, isolation_level=None)) as reader:
        reader.execute("BEGIN")
        seen = reader.execute("SELECT count(*) FROM entry").fetchone()
        write(writer, 400)
        assert reader.execute("SELECT count(*) FROM entry").fetchone() == seen
        held = moved(home)
    write(writer, 200)
    until(lambda: moved(home) > held)
    assert moved(home) > held
    assert verify(home.database, home.keys).findings == ()


def test_a_database_that_is_gone_is_not_made_anew_and_is_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    gone = tmp_path / "gone" / "rows.sqlite"
    gone.parent.mkdir()
    moving = Checkpoints(gone)
    with caplog.at_level(logging.WARNING):
        moving.wrote(checkpoints.ROWS)
        until(lambda: caplog.messages)
        moving.close()
    (told,) = caplog.messages
    assert told.startswith("the write-ahead file of the assessment log grows (OperationalError")
    assert str(tmp_path) not in told
    assert not gone.exists()
