"""The log in PostgreSQL, through SQLAlchemy and psycopg 3, which the site installs itself."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy
from sqlalchemy import Engine, create_engine, inspect, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from serving.assessment_log.refusals import LogRefused

_DRIVER = "postgresql+psycopg"
_ACCEPTED = ("postgresql", _DRIVER)
_LEFT_TO_THE_SERVER = (
    "PostgreSQL may keep the destroyed keys in free pages, in its write-ahead log and in archives "
    "until it overwrites them: they open nothing once the site key was changed (`log-key`, "
    "`log-rewrap`)"
)
_LOCK = 0x0CA27_115C
# A database that does not answer within seconds is away: a caller hears so instead of waiting.
_CONNECTION = {
    "connect_timeout": 3,
    "tcp_user_timeout": 5_000,
    "options": "-c synchronous_commit=on -c lock_timeout=2s -c statement_timeout=60s",
}


class PostgresqlConnection:
    """A connection; see :class:`serving.assessment_log.database.Connection`."""

    waits_for_disk_only = False

    def __init__(self, raw: sqlalchemy.Connection) -> None:
        """Take a connection of SQLAlchemy in autocommit mode."""
        self._raw = raw
        self._is_reading = False

    def begin(self) -> None:
        """Begin a transaction."""
        self._raw.execute(text("BEGIN"))

    def begin_at_once(self) -> bool:
        """Return False: a server has to be waited for."""
        return False

    def begin_reading(self) -> None:
        """Begin a transaction that sees the tables as they are at its first query."""
        self._raw.execute(text("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"))
        self._is_reading = True

    def commit(self) -> None:
        """Commit; the server flushes before it answers."""
        self._raw.execute(text("COMMIT"))
        self._is_reading = False

    def commit_unflushed(self) -> None:
        """Commit as ever: a server is waited for anyway."""
        self.commit()

    def flush(self) -> None:
        """Do nothing: the server has flushed what was committed."""

    def insert(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """Insert rows by position."""
        names = ", ".join(f":{column}" for column in columns)
        # Table and columns are names of this package, never of a caller.
        statement = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({names})"  # noqa: S608
        self._raw.execute(text(statement), [dict(zip(columns, r, strict=True)) for r in rows])

    def change(self, statement: str, values: Sequence[dict[str, Any]]) -> int:
        """Run a statement for each of the values."""
        return self._raw.execute(text(statement), list(values)).rowcount

    def rows(self, statement: str, **values: Any) -> Iterator[tuple[Any, ...]]:
        """Run a query; in a reading transaction a long result is fetched in parts."""
        query = text(statement).execution_options(stream_results=self._is_reading)
        with self._raw.execute(query, values) as result:
            yield from map(tuple, result)

    def tables(self) -> set[str]:
        """Return the names of the tables."""
        return set(inspect(self._raw).get_table_names())

    def close(self) -> None:
        """Close the connection."""
        self._raw.close()


class PostgresqlDatabase:
    """A server; see :class:`serving.assessment_log.database.Database`."""

    errors: tuple[type[Exception], ...] = (SQLAlchemyError, OSError)

    def __init__(self, url: str) -> None:
        """Read the address; nothing is connected yet."""
        try:
            address = sqlalchemy.make_url(url)
        except (ArgumentError, ValueError):  # the latter for a port that is no number
            raise LogRefused("CART_RISK_LOG_URL is not the address of a database") from None
        if address.drivername not in _ACCEPTED:
            message = f"{address.drivername}: the log lies in sqlite:///file or {_DRIVER}://"
            raise LogRefused(f"CART_RISK_LOG_URL begins with {message}")
        try:
            self._engine = create_engine(
                address.set(drivername=_DRIVER), poolclass=NullPool, connect_args=_CONNECTION
            )
        except ModuleNotFoundError as missing:
            message = f"CART_RISK_LOG_URL needs the driver {missing.name}, which is not installed"
            raise LogRefused(f"{message}: pip install 'psycopg[binary]'") from None

    def connect(self) -> PostgresqlConnection:
        """Open a connection."""
        raw = self._engine.connect()
        return PostgresqlConnection(raw.execution_options(isolation_level="AUTOCOMMIT"))

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold an advisory lock; the server releases it if this process dies."""
        with self._engine.connect() as holder:
            holder.execute(text("SET lock_timeout = '60s'"))
            holder.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": _LOCK})
            yield

    def engine(self) -> Engine:
        """Return the engine."""
        return self._engine

    def forget_destroyed(self) -> str:
        """Let the server free what was deleted, which it overwrites when it needs the room."""
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("SET statement_timeout = 0"))
            connection.execute(text("VACUUM data_key"))
        return _LEFT_TO_THE_SERVER
