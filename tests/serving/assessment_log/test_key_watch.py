"""A worker that was forgotten when the site key was changed writes no row that nobody can open."""

from pathlib import Path

import pytest

from serving.assessment_log.key_watch import GONE
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.opening import LogHome
from serving.assessment_log.refusals import LogUnavailable
from serving.assessment_log.rewrapping import rewrap
from serving.assessment_log.site_key import write_new_key
from serving.assessment_log.verify import verify
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using


@pytest.fixture
def key_file(settings: LogSettings) -> Path:
    assert settings.key_file is not None
    return settings.key_file


def test_what_could_not_be_opened_is_not_written(settings: LogSettings, key_file: Path) -> None:
    async def changed_without_a_restart(log: AssessmentLog) -> None:
        await log.append(an_entry(0))
        write_new_key(key_file)
        await log.append(an_entry(1))  # the former key is still there
        rewrap(LogHome(settings))
        both = key_file.read_bytes()
        key_file.write_bytes(both.splitlines()[0])
        assert log.refusal == GONE
        with pytest.raises(LogUnavailable, match="put it back"):
            await log.append(an_entry(2))
        with pytest.raises(LogUnavailable, match="put it back"):
            await log.append_all([an_entry(2)])
        home = LogHome(settings)
        checked = verify(home.database, home.keys)
        assert (checked.findings, log.counters.rows) == ((), 2)
        key_file.write_bytes(both)
        assert log.refusal is None
        await log.append(an_entry(3))

    using(settings, changed_without_a_restart)


def test_no_answer_leaves_whose_row_could_not_be_opened(
    settings: LogSettings, key_file: Path
) -> None:
    """Not even the first after the key went; and no more than that one row was written."""

    async def changed_in_between(log: AssessmentLog) -> None:
        await log.append(an_entry(0))
        before = key_file.read_bytes()
        key_file.write_text("0" * 64, "ascii")
        for _ in range(3):
            with pytest.raises(LogUnavailable, match="put it back"):
                await log.append(an_entry(1))
        assert log.counters.rows <= 2
        key_file.write_bytes(before)
        await log.append(an_entry(2))

    using(settings, changed_in_between)


def test_it_is_told_once(
    settings: LogSettings, key_file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def look_twice(log: AssessmentLog) -> None:
        write_new_key(key_file)
        key_file.write_bytes(key_file.read_bytes().splitlines()[0])
        assert [log.refusal, log.refusal] == [GONE, GONE]

    using(settings, look_twice)
    assert [record.getMessage() for record in caplog.records] == [GONE]


@pytest.mark.parametrize("content", [None, b"", b"no key"])
def test_a_file_that_cannot_be_read_stops_nobody(
    settings: LogSettings, key_file: Path, content: bytes | None
) -> None:
    """It may be half written, or back in a moment; the key that is held is still good."""

    async def go_on(log: AssessmentLog) -> None:
        key_file.unlink()
        if content is not None:
            key_file.touch(0o600)
            key_file.write_bytes(content)
        await log.append(an_entry())
        assert log.refusal is None

    using(settings, go_on)
