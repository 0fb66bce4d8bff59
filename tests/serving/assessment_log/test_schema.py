"""Several workers make the tables at once; those of a newer release are refused."""

import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from serving.assessment_log.database import connected
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.opening import LogHome
from serving.assessment_log.refusals import LogRefused
from serving.assessment_log.rows import DATA_KEY, ENTRY, WRITER, DataKeyRow, EntryRow, WriterRow
from serving.assessment_log.schema import SCHEMA, prepare, version
from serving.assessment_log.sqlite_database import SqliteConnection
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import with_rows

ROOT = Path(__file__).parents[3]
OPEN = """
import sys
from pathlib import Path
from serving.assessment_log.opening import LogHome
from serving.settings import LogSettings
LogHome(LogSettings(sys.argv[1], Path(sys.argv[2]))).writer().close()
"""


def test_workers_that_start_together_make_the_tables_once(
    settings: LogSettings, home: LogHome
) -> None:
    command = [sys.executable, "-c", OPEN, str(settings.url), str(settings.key_file)]
    workers = [subprocess.Popen(command, cwd=ROOT) for _ in range(4)]
    assert [worker.wait() for worker in workers] == [0] * 4
    assert version(home.database) == SCHEMA
    with connected(home.database) as connection:
        assert next(connection.rows("SELECT count(*) FROM writer")) == (4,)
        assert next(connection.rows("SELECT count(*) FROM log_secret")) == (1,)


def test_the_newest_change_is_the_one_that_the_code_names() -> None:
    config = Config()
    config.set_main_option("script_location", "serving.assessment_log:migrations")
    assert ScriptDirectory.from_config(config).get_heads() == [SCHEMA]


@pytest.mark.parametrize(
    ("table", "columns"),
    [(ENTRY, EntryRow._fields), (DATA_KEY, DataKeyRow._fields), (WRITER, WriterRow._fields)],
)
def test_rows_and_tables_have_the_same_columns(
    home: LogHome, table: str, columns: tuple[str, ...]
) -> None:
    prepare(home.database)
    with connected(home.database) as connection:
        found = [name for _, name, *_ in connection.rows(f"PRAGMA table_info({table})")]
    assert tuple(name for name in found if name != "position") == columns


def test_a_newer_log_is_refused(settings: LogSettings, home: LogHome) -> None:
    with_rows(settings, 1)
    with connected(home.database) as connection:
        connection.change("UPDATE alembic_version SET version_num = :n", [{"n": "0002"}])
    with pytest.raises(LogRefused, match=f"schema 0002, this release knows {SCHEMA}"):
        AssessmentLog.open(settings)


def test_nobody_else_may_read_the_file(settings: LogSettings, tmp_path: Path) -> None:
    with_rows(settings, 1)
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "log").iterdir()}
    assert modes == {0o600}
    assert stat.S_IMODE((tmp_path / "log").stat().st_mode) == 0o700


@pytest.mark.parametrize("statement", ["DELETE FROM entry", "UPDATE entry SET status = 'x'"])
def test_by_mistake_nothing_is_changed(settings: LogSettings, statement: str) -> None:
    with_rows(settings, 1)
    connection = sqlite3.connect(str(settings.url).removeprefix("sqlite:///"))
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()


def test_a_worker_on_sqlite_carries_neither_sqlalchemy_nor_alembic(settings: LogSettings) -> None:
    with_rows(settings, 1)
    code = f"{OPEN}\nassert not {{'sqlalchemy', 'alembic'}} & set(sys.modules), 'carried'"
    command = [sys.executable, "-c", code, str(settings.url), str(settings.key_file)]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_a_log_whose_secret_is_gone_is_not_given_another(
    settings: LogSettings, home: LogHome
) -> None:
    """A new one would make every former reference and seal unknown, without a word."""
    with_rows(settings, 1)
    with connected(home.database) as connection:
        connection.change("DELETE FROM log_secret WHERE id = :id", [{"id": 1}])
    with pytest.raises(LogRefused, match="deleted"):
        AssessmentLog.open(settings)


def test_a_log_whose_secret_was_altered_is_not_opened(settings: LogSettings, home: LogHome) -> None:
    with_rows(settings, 1)
    with connected(home.database) as connection:
        connection.change("UPDATE log_secret SET wrapped = :wrapped", [{"wrapped": b"x" * 48}])
    with pytest.raises(LogRefused, match="altered"):
        AssessmentLog.open(settings)


def test_a_file_system_that_cannot_write_ahead_is_refused(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(SqliteConnection, "write_ahead", lambda _: False)
    with pytest.raises(LogRefused, match="local file in CART_RISK_LOG_URL"):
        AssessmentLog.open(settings)
