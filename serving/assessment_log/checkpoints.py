"""A thread of its own moves the write-ahead file into the database.

SQLite would do it within whichever COMMIT made the file long, and the event loop would stand still
for as long as the disk takes: see docs/decisions/0019-the-assessment-log.md.
"""

import logging
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path

from serving.assessment_log.refusals import kind_of

_journal = logging.getLogger(__name__)

ROWS = 2_000
"""A move for so many rows that were written: some 2,000 pages."""
_ATTEMPTS = 50
_RETRY_SECONDS = 0.0003


class Checkpoints:
    """Moves on what one connection wrote; its methods are called by whoever uses the connection."""

    def __init__(self, path: Path) -> None:
        """Name the database; the thread is started when there is something to move."""
        self._path = path
        self._rows = 0
        self._due = threading.Event()
        self._has_ended = False
        self._thread: threading.Thread | None = None

    def wrote(self, rows: int) -> None:
        """Count rows that were committed, and let them be moved once they are many."""
        self._rows += rows
        if self._rows < ROWS:
            return
        self._rows = 0
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="checkpoints", daemon=True)
            self._thread.start()
        self._due.set()

    def close(self) -> None:
        """End the thread; what it has not moved stays where it is read and written as well."""
        self._has_ended = True
        self._due.set()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        try:
            # Never made anew: whoever writes finds out that the file is gone.
            address = f"{self._path.absolute().as_uri()}?mode=rw"
            with closing(
                sqlite3.connect(address, timeout=0, isolation_level=None, uri=True)
            ) as raw:
                while self._is_due():
                    self._move(raw)
        except sqlite3.Error as error:
            _tell(error)

    def _is_due(self) -> bool:
        self._due.wait()
        self._due.clear()
        return not self._has_ended

    def _move(self, raw: sqlite3.Connection) -> None:
        """Move most of the file while others write, and the rest while nobody can.

        Only a file that was moved to its end is written from its beginning again. Where readers or
        other workers are in the way for long, the next move will do it.
        """
        try:
            raw.execute("PRAGMA wal_checkpoint(PASSIVE)")
            for _ in range(_ATTEMPTS):
                blocked, _, _ = raw.execute("PRAGMA wal_checkpoint(RESTART)").fetchone()
                if not blocked or self._has_ended:
                    return
                time.sleep(_RETRY_SECONDS)
        except sqlite3.Error as error:  # the rows are safe where they are; the next move may do it
            _tell(error)


def _tell(error: sqlite3.Error) -> None:
    _journal.warning("the write-ahead file of the assessment log grows (%s)", kind_of(error))
