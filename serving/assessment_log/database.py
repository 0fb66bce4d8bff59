"""What the log asks of a database, and which one an address means.

SQLite is spoken to directly: a worker that never imports SQLAlchemy starts 0.4 s earlier and is
20 MB smaller. Every other database comes through SQLAlchemy.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from serving.assessment_log.refusals import LogRefused, kind_of

if TYPE_CHECKING:
    from sqlalchemy import Engine

_SQLITE = "sqlite:///"


class Connection(Protocol):
    """One connection, without a transaction unless one was begun."""

    waits_for_disk_only: bool
    """Whether a transaction that was begun waits for the disk of this machine and nothing else."""

    def begin(self) -> None:
        """Begin a transaction that writes."""

    def begin_at_once(self) -> bool:
        """Begin a transaction that writes; False if somebody else holds it up.

        A transaction of another worker, which lasts a millisecond, is waited for.
        """

    def begin_reading(self) -> None:
        """Begin a transaction that sees one state of every table, whatever others write."""

    def commit(self) -> None:
        """End the transaction; on return it is on disk, where everybody else looks for it."""

    def commit_unflushed(self) -> None:
        """End the transaction; it is on disk only after :meth:`flush`."""

    def flush(self) -> None:
        """Return when every transaction that was ended before is on disk."""

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows."""

    def change(self, statement: str, values: Sequence[dict[str, Any]]) -> int:
        """Run a statement with ``:names`` once for each of the values; return the rows changed."""

    def rows(self, statement: str, **values: Any) -> Iterator[tuple[Any, ...]]:
        """Run a query with ``:names`` and return its rows as they come."""

    def tables(self) -> set[str]:
        """Return the names of the tables that are there."""

    def close(self) -> None:
        """Give the connection back; a transaction that was not committed is undone."""


class Database(Protocol):
    """Where the log lies."""

    errors: tuple[type[Exception], ...]
    """What is raised when the database cannot do what it is asked."""

    def connect(self) -> Connection:
        """Open a connection whose commits are durable."""

    def alone(self) -> AbstractContextManager[None]:
        """Hold a lock that no other process holds at the same time."""

    def engine(self) -> "Engine":
        """Return an engine for migrations."""

    def forget_destroyed(self) -> str:
        """Remove what was deleted from the files; say what is left to do, if anything."""


@contextmanager
def connected(database: Database) -> Iterator[Connection]:
    """Open a connection for as long as the block lasts."""
    connection = database.connect()
    try:
        yield connection
    finally:
        connection.close()


def tidied(database: Database) -> str:
    """Remove destroyed keys from the files; return what is left to do, if anything, in words.

    What was destroyed opens nothing any more, and whoever erased it has to hear so: a database that
    cannot tidy up is told about, and not raised.
    """
    try:
        return database.forget_destroyed()
    except database.errors as error:
        return (
            f"the database could not tidy up ({kind_of(error)}): destroyed keys may still lie in "
            "its files; run the command again"
        )


def database_at(url: str) -> Database:
    """Return the database that an address names; it need not be there yet.

    Raises
    ------
    LogRefused
        If the log cannot live there, or the driver for it is not installed.
    """
    if url.startswith("sqlite:"):
        from serving.assessment_log.sqlite_database import SqliteDatabase

        path = url.removeprefix(_SQLITE)
        if not url.startswith(_SQLITE) or path in ("", ":memory:") or "?" in path:
            raise LogRefused("CART_RISK_LOG_URL must name a file: sqlite:///log/assessments.sqlite")
        return SqliteDatabase(Path(path))
    from serving.assessment_log.postgresql_database import PostgresqlDatabase

    return PostgresqlDatabase(url)
