"""The tables are there and of this release, before anything is written."""

from serving.assessment_log.database import Database, connected
from serving.assessment_log.refusals import LogRefused

SCHEMA = "0001"
"""The number of the newest change that this release knows."""
_VERSIONS = "alembic_version"


def prepare(database: Database) -> None:
    """Make the tables, or bring them up to this release; one process at a time does so.

    A process killed on the way leaves the tables as they were.

    Raises
    ------
    LogRefused
        If the tables were written by a newer release.
    """
    with database.alone():
        if (found := version(database)) == SCHEMA:
            return
        if found is not None and found > SCHEMA:
            raise LogRefused(
                f"the assessment log is of schema {found}, this release knows {SCHEMA} and older: "
                "run the newer release"
            )
        _migrate(database)


def version(database: Database) -> str | None:
    """Return the number of the newest change made to the tables; None where there are none."""
    with connected(database) as connection:
        if _VERSIONS not in connection.tables():
            return None
        return next(str(n) for (n,) in connection.rows("SELECT version_num FROM alembic_version"))


def _migrate(database: Database) -> None:
    # Alembic takes half a second and 30 MB: only the start that needs it pays for it.
    from alembic import command
    from alembic.config import Config

    engine = database.engine()
    config = Config()
    config.set_main_option("script_location", "serving.assessment_log:migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, SCHEMA)
    engine.dispose()
