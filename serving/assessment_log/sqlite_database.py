"""The log in an SQLite file: write-ahead logging, each commit flushed to disk.

SQLite would flush within COMMIT, while it holds the lock for which other workers wait. So it is
told not to (``synchronous=NORMAL``), and the write-ahead file is flushed afterwards, as SQLite
would do it: what was committed before a flush survives a power failure.
"""

import fcntl
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serving.assessment_log.checkpoints import Checkpoints
from serving.assessment_log.refusals import LogRefused

if TYPE_CHECKING:
    from sqlalchemy import Engine

_PATIENCE_SECONDS = 2.0
_RETRY_SECONDS = 0.0003
"""SQLite itself would sleep for up to 0.1 s between attempts, and let one worker starve another."""
_AT_ONCE_SECONDS = 0.002
_MOST_ROWS_A_STEP = 32
"""``sqlite3`` keeps each of the last 128 statements with the values that it was last given, and
every number of rows is a statement of its own: with hundreds of rows in each they were 240 MB."""
_IN_USE = (
    "others were using the database: the destroyed keys still lie in its write-ahead file; run the "
    "command again"
)
_PRIMARY_CODE = 0xFF
_PRAGMAS = ("synchronous=NORMAL", "secure_delete=ON", "wal_autocheckpoint=20000")
"""A write-ahead file of 80 MB is moved by whoever commits: only where its own thread could not."""


_flush = getattr(os, "fdatasync", os.fsync)


class DatabaseMoved(sqlite3.OperationalError):
    """The file was renamed or deleted; what is written to it now would be lost."""


class SqliteConnection:
    """A connection in autocommit mode; see :class:`serving.assessment_log.database.Connection`."""

    waits_for_disk_only = True

    def __init__(self, path: Path, on_loss: Callable[[], None]) -> None:
        """Open the file; pages of deleted rows are overwritten with zeros.

        Parameters
        ----------
        on_loss
            Told of a flush that failed.
        """
        self._path = path
        self._on_loss = on_loss
        self._ahead: int | None = None
        self._checkpoints = Checkpoints(path)
        self._uncommitted = 0
        """Rows of the transaction that was begun."""
        self._raw = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
        self._raw.text_factory = _text
        for pragma in _PRAGMAS:
            self._execute(f"PRAGMA {pragma}")
        self._file = self._identity()
        self._beside: tuple[tuple[int, int], ...] | None = None
        """The files of write-ahead logging, known once something was written."""

    def _execute(self, statement: str, values: Any = ()) -> sqlite3.Cursor:
        """Run a statement; as long as another process holds the lock it needs, try again."""
        until = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                return self._raw.execute(statement, values)
            except sqlite3.OperationalError as error:
                if not _is_busy(error) or time.monotonic() > until:
                    raise
            time.sleep(_RETRY_SECONDS)

    def _identity(self, suffix: str = "") -> tuple[int, int]:
        found = os.stat(f"{self._path}{suffix}")
        return found.st_dev, found.st_ino

    def _has_moved(self) -> bool:
        """Tell whether any of the files is not the one that is written to.

        Without its name, the write-ahead file and all that was not yet moved out of it is gone with
        the last who holds it open.
        """
        try:
            beside = tuple(self._identity(suffix) for suffix in ("-wal", "-shm"))
            self._beside = self._beside or beside
            return (self._identity(), beside) != (self._file, self._beside)
        except OSError:
            return True

    def write_ahead(self) -> bool:
        """Switch the file to write-ahead logging; False where its file system cannot do it."""
        return self._execute("PRAGMA journal_mode=WAL").fetchone() == ("wal",)

    def begin(self) -> None:
        """Take the write lock, waiting for it for two seconds."""
        self._execute("BEGIN IMMEDIATE")

    def begin_at_once(self) -> bool:
        """Take the write lock, waiting for no more than one transaction of another worker."""
        until = time.monotonic() + _AT_ONCE_SECONDS
        while True:
            try:
                self._raw.execute("BEGIN IMMEDIATE")
                return True
            except sqlite3.OperationalError as error:
                if not _is_busy(error):
                    raise
            if time.monotonic() > until:
                return False
            time.sleep(_RETRY_SECONDS)

    def begin_reading(self) -> None:
        """See one state of the file from the first query on."""
        self._execute("BEGIN")

    def commit(self) -> None:
        """Commit and flush; raises DatabaseMoved if the file is not where it was."""
        self.commit_unflushed()
        self.flush()

    def commit_unflushed(self) -> None:
        """Commit; raises DatabaseMoved if the file is not where it was."""
        self._execute("COMMIT")
        if self._has_moved():
            raise DatabaseMoved
        self._checkpoints.wrote(self._uncommitted)
        self._uncommitted = 0

    def flush(self) -> None:
        """Return when whatever was committed is on disk; may be called from any thread."""
        try:
            if self._ahead is None:
                self._ahead = os.open(f"{self._path}-wal", os.O_RDONLY)
            _flush(self._ahead)
        except OSError:
            self._on_loss()
            raise

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows in few steps.

        At each step SQLite lets other threads run, and one that computes would not soon let go.
        """
        for first in range(0, len(rows), _MOST_ROWS_A_STEP):
            together = rows[first : first + _MOST_ROWS_A_STEP]
            marks = ", ".join(["(" + ", ".join("?" * len(columns)) + ")"] * len(together))
            # Table and columns are names of this package, never of a caller.
            statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES {marks}"  # noqa: S608
            self._execute(statement, tuple(chain.from_iterable(together)))
        self._uncommitted += len(rows)

    def change(self, statement: str, values: Sequence[dict[str, Any]]) -> int:
        """Run a statement for each of the values."""
        changed = self._raw.executemany(statement, values).rowcount
        self._uncommitted += changed
        return changed

    def rows(self, statement: str, **values: Any) -> Iterator[tuple[Any, ...]]:
        """Run a query."""
        return iter(self._execute(statement, values))

    def tables(self) -> set[str]:
        """Return the names of the tables."""
        return {name for (name,) in self.rows("SELECT name FROM sqlite_master")}

    def close(self) -> None:
        """Close the file."""
        self._checkpoints.close()
        if self._ahead is not None:
            os.close(self._ahead)
            self._ahead = None
        self._raw.close()


def _text(stored: bytes) -> str:
    """Return a text whatever its bytes are: somebody may have put others there than UTF-8."""
    return stored.decode("utf-8", "surrogateescape")


def _is_busy(error: sqlite3.OperationalError) -> bool:
    return error.sqlite_errorcode & _PRIMARY_CODE == sqlite3.SQLITE_BUSY


class SqliteDatabase:
    """A file; see :class:`serving.assessment_log.database.Database`."""

    errors: tuple[type[Exception], ...] = (sqlite3.Error, OSError)

    def __init__(self, path: Path) -> None:
        """Name the file."""
        self.path = path
        self._has_lost = False

    def connect(self) -> SqliteConnection:
        """Open the file, which must be there."""
        if not self.path.exists():
            raise DatabaseMoved
        if self._has_lost:
            self._begin_anew()
        return SqliteConnection(self.path, self._lost)

    def _lost(self) -> None:
        self._has_lost = True

    def _begin_anew(self) -> None:
        """Give up a write-ahead file of which a part may never have reached the disk.

        After a flush that failed the system takes what it could not write for written: the next
        flush would succeed, and after a power failure everything behind the gap would be gone.
        """
        connection = SqliteConnection(self.path, self._lost)
        try:
            if not _is_emptied(connection):
                raise sqlite3.OperationalError("the write-ahead file is in use")
        finally:
            connection.close()
        self._has_lost = False

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Make the file if it is not there, for its owner only, and hold a lock beside it."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self.path.with_name(f"{self.path.name}.lock"), os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
            connection = self.connect()
            try:
                if not connection.write_ahead():
                    raise LogRefused(
                        "the file system of the assessment log cannot share memory between "
                        "processes: name a local file in CART_RISK_LOG_URL"
                    )
            finally:
                connection.close()
            yield
        finally:
            os.close(lock)

    def engine(self) -> "Engine":
        """Return an engine whose transactions hold the definition of tables, too."""
        from sqlalchemy import create_engine, event

        engine = create_engine(f"sqlite:///{self.path}")

        @event.listens_for(engine, "connect")
        def _autocommit(raw: Any, _record: object) -> None:
            raw.isolation_level = None
            raw.execute("PRAGMA synchronous=FULL")

        @event.listens_for(engine, "begin")
        def _begin(connection: Any) -> None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")

        return engine

    def forget_destroyed(self) -> str:
        """Move the write-ahead file into the database and empty it, between two transactions."""
        connection = self.connect()
        try:
            return "" if _is_emptied(connection) else _IN_USE
        finally:
            connection.close()


def _is_emptied(connection: SqliteConnection) -> bool:
    """Move the write-ahead file into the database; False where somebody was in the way."""
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        (blocked, _, _), *_ = connection.rows("PRAGMA wal_checkpoint(TRUNCATE)")
        if not blocked or time.monotonic() > until:
            return not blocked
        time.sleep(_RETRY_SECONDS)
