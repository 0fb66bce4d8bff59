"""The same promises in PostgreSQL: a server of the tests' own, or the one that is named."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy
from sqlalchemy import text

from serving.assessment_log.database import connected
from serving.assessment_log.erasure import erase_older, erase_reference
from serving.assessment_log.exports import note_export
from serving.assessment_log.heads import exported_heads, read_heads
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.opening import LogHome
from serving.assessment_log.refusals import ErasedAssessment, LogUnavailable
from serving.assessment_log.rewrapping import rewrap
from serving.assessment_log.site_key import write_new_key
from serving.assessment_log.verify import verify
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using, with_rows
from tests.serving.assessment_log.private_postgresql import postgresql
from tests.serving.assessment_log.test_kill import acknowledged, kill, working


@pytest.fixture(scope="module")
def address() -> Iterator[sqlalchemy.URL]:
    with postgresql() as address:
        yield address


@pytest.fixture
def server(address: sqlalchemy.URL) -> Iterator[sqlalchemy.Connection]:
    driven = address.set(drivername="postgresql+psycopg")
    engine = sqlalchemy.create_engine(driven, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def settings(
    address: sqlalchemy.URL, server: sqlalchemy.Connection, tmp_path: Path
) -> Iterator[LogSettings]:
    """A database of its own."""
    name = f"log_{uuid4().hex}"
    server.execute(text(f"CREATE DATABASE {name}"))
    write_new_key(tmp_path / "site.key")
    own = address.set(database=name).render_as_string(hide_password=False)
    yield LogSettings(own, tmp_path / "site.key")
    server.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def test_what_is_appended_is_read_back_and_verifies(settings: LogSettings, home: LogHome) -> None:
    entry = an_entry(1, "anna")

    async def use(log: AssessmentLog) -> None:
        await asyncio.gather(log.append(entry), *(log.append(an_entry(n)) for n in range(20)))
        await log.record_outcome(entry.id, b"{}", request_id="r", api_key_id="k")
        stored = await log.read(entry.id)
        assert (stored.answer, stored.input) == (entry.answer, entry.input)
        assert len(stored.outcomes) == 1
        assert log.counters.transactions < log.counters.rows

    using(settings, use)
    with connected(home.database) as connection:
        heads = read_heads(exported_heads(connection))
    found = verify(home.database, home.keys, heads)
    assert (found.rows, found.findings) == (22, ())


def test_erasure_and_a_new_site_key(settings: LogSettings, home: LogHome) -> None:
    entry = an_entry(1, "anna")
    using(settings, lambda log: log.append(entry))
    with_rows(settings, 3)
    note_export(home, [entry.id])
    erased = erase_reference(home, "anna")
    assert (erased.rows, len(erased.exported)) == (1, 1)
    assert "until it overwrites them" in erased.still_to_do
    assert settings.key_file is not None
    write_new_key(settings.key_file)
    home = LogHome(settings)
    assert rewrap(home).keys == 3
    assert erase_older(home, datetime.now(UTC) + timedelta(days=1)).rows == 3
    assert verify(home.database, home.keys).findings == ()

    async def use(log: AssessmentLog) -> None:
        with pytest.raises(ErasedAssessment):
            await log.read(entry.id)

    using(settings, use)


def test_nothing_is_changed_by_mistake_and_alterations_are_found(
    settings: LogSettings, home: LogHome
) -> None:
    with_rows(settings, 3)
    alter = [{"status": "changed"}]
    with connected(home.database) as connection:
        with pytest.raises(home.database.errors, match="append-only"):
            connection.change("UPDATE entry SET status = :status", alter)
        connection.change("ALTER TABLE entry DISABLE TRIGGER ALL", [{}])
        connection.change("UPDATE entry SET status = :status WHERE sequence = 2", alter)
    assert {f.kind for f in verify(home.database, home.keys).findings} == {"altered"}


def test_a_connection_that_is_cut_is_opened_again(
    settings: LogSettings, server: sqlalchemy.Connection, home: LogHome
) -> None:
    async def use(log: AssessmentLog) -> None:
        await log.append(an_entry())
        cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname LIKE 'log_%'"
        server.execute(text(cut))
        with pytest.raises(LogUnavailable):
            await log.append(an_entry())
        while log.refusal:
            await asyncio.sleep(0.01)
        await log.append(an_entry())

    using(settings, use)
    found = verify(home.database, home.keys)
    assert (found.rows, found.writers, found.findings) == (2, 2, ())


def test_a_user_who_may_not_write_is_told_apart_from_a_server_that_is_away(
    settings: LogSettings, server: sqlalchemy.Connection, address: sqlalchemy.URL, home: LogHome
) -> None:
    home.prepare()
    name = f"reader_{uuid4().hex}"
    server.execute(text(f"CREATE ROLE {name} LOGIN PASSWORD 'x'"))
    own = sqlalchemy.make_url(str(settings.url)).set(username=name, password="x")
    reader = LogSettings(own.render_as_string(hide_password=False), settings.key_file)

    async def use(log: AssessmentLog) -> None:
        assert log.refusal is not None
        assert "(ProgrammingError, InsufficientPrivilege)" in log.refusal

    using(reader, use)
    server.execute(text(f"DROP ROLE {name}"))


def test_kill_9(settings: LogSettings, home: LogHome) -> None:
    kept: list[bytes] = []
    with working(settings) as survivor:
        for _ in range(3):
            with working(settings) as process:
                kept += acknowledged(process, 100)
                kept += kill(process)
            kept += acknowledged(survivor, 20)
        kept += kill(survivor)
    assert verify(home.database, home.keys).findings == ()
    with connected(home.database) as connection:
        assert set(kept) <= {id for (id,) in connection.rows("SELECT id FROM entry")}
