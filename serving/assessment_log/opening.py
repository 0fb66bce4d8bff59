"""From settings to a log that can be written and read."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from serving.assessment_log.database import Connection, Database, connected, database_at
from serving.assessment_log.log_secret import stored_secret
from serving.assessment_log.log_writer import LogWriter
from serving.assessment_log.refusals import LogRefused
from serving.assessment_log.schema import SCHEMA, prepare, version
from serving.assessment_log.sealing import Inputs, Sealing
from serving.assessment_log.site_key import SiteKeys
from serving.settings import LogSettings

DEVELOPMENT_URL = "sqlite:///log/assessments.sqlite"
DEVELOPMENT_KEY = Path("log/site.key")
"""Used only where no address is given: a key beside what it opens protects nothing."""


class LogHome:
    """Where the log lies and how it is kept."""

    def __init__(self, settings: LogSettings) -> None:
        """Read the key file; the database is not touched yet.

        Raises
        ------
        LogRefused
            Naming the setting that is missing or wrong.
        """
        self.database: Database = database_at(settings.url or DEVELOPMENT_URL)
        self.key_file = key_file(settings)
        self.keys = SiteKeys.read(self.key_file)
        try:
            self.inputs = Inputs(settings.inputs)
        except ValueError:
            accepted = ", ".join(Inputs)
            raise LogRefused(f"CART_RISK_LOG_INPUTS must be one of {accepted}") from None
        self._prepared = False

    def prepare(self) -> None:
        """Make the tables or bring them up to date, once.

        A log that was there and is gone is not made anew: it will be back, or an operator looks.
        """
        if not self._prepared:
            prepare(self.database)
            self._prepared = True

    def writer(self, example: bytes = b"") -> LogWriter:
        """Begin a chain."""
        self.prepare()
        return LogWriter(self.database, self.keys, self.inputs, example)

    @contextmanager
    def reading(self) -> Iterator[tuple[Connection, Sealing]]:
        """Open the log for reading, as it is at one moment, with what opens its rows.

        Raises
        ------
        LogRefused
            If there is no log of this release, or the site key is not the one it was written with.
        """
        if version(self.database) != SCHEMA:
            raise LogRefused("there is no assessment log of this release")
        with connected(self.database) as connection:
            connection.begin_reading()
            secret = stored_secret(connection, self.keys)
            if secret is None:
                raise LogRefused("the secret of the assessment log was deleted: restore a copy")
            yield connection, Sealing(self.keys, secret, self.inputs)


def key_file(settings: LogSettings) -> Path:
    """Return where the site key lies.

    Raises
    ------
    LogRefused
        If an address was given without a key file.
    """
    if settings.key_file is not None:
        return settings.key_file
    if settings.url is not None:
        raise LogRefused("CART_RISK_LOG_URL is given, so CART_RISK_LOG_KEY_FILE must be, too")
    return DEVELOPMENT_KEY
