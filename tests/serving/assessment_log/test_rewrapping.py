"""A site key is replaced while the log stays readable, and the former one is then worthless."""

from pathlib import Path

import pytest

from serving.assessment_log import rewrapping
from serving.assessment_log.erasure import erase_reference
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.opening import LogHome
from serving.assessment_log.refusals import LogDamaged, LogRefused
from serving.assessment_log.rewrapping import rewrap
from serving.assessment_log.site_key import write_new_key
from serving.assessment_log.verify import verify
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using, with_rows


def key_file(settings: LogSettings) -> Path:
    assert settings.key_file is not None
    return settings.key_file


def keep_line(settings: LogSettings, line: int) -> None:
    lines = key_file(settings).read_text("ascii").splitlines()
    key_file(settings).write_text(lines[line] + "\n", "ascii")


def test_after_rewrapping_the_former_key_may_be_forgotten(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rewrapping, "_AT_ONCE", 2)
    entry = an_entry(reference="anna")
    using(settings, lambda log: log.append(entry))
    with_rows(settings, 4)
    write_new_key(key_file(settings))
    with_rows(settings, 1)
    assert rewrap(LogHome(settings)) == (5, "")
    assert rewrap(LogHome(settings)) == (0, "")
    keep_line(settings, 0)

    async def use(log: AssessmentLog) -> bytes:
        return (await log.read(entry.id)).answer

    assert using(settings, use) == entry.answer
    home = LogHome(settings)
    assert verify(home.database, home.keys).findings == ()
    assert erase_reference(home, "anna").rows == 1  # references are found as before


def test_before_rewrapping_both_keys_are_needed(settings: LogSettings) -> None:
    with_rows(settings, 1)
    write_new_key(key_file(settings))
    keep_line(settings, 0)
    with pytest.raises(LogRefused, match="another site key"):
        AssessmentLog.open(settings)


def test_the_former_key_opens_nothing_any_more(settings: LogSettings) -> None:
    with_rows(settings, 1)
    write_new_key(key_file(settings))
    rewrap(LogHome(settings))
    keep_line(settings, 1)
    with pytest.raises(LogRefused, match="another site key"):
        AssessmentLog.open(settings)


def test_an_altered_key_stops_the_rewrapping(settings: LogSettings, home: LogHome) -> None:
    with_rows(settings, 1)
    write_new_key(key_file(settings))
    connection = home.database.connect()
    connection.change("UPDATE data_key SET wrapped = :wrapped", [{"wrapped": b"x" * 48}])
    connection.close()
    with pytest.raises(LogDamaged):
        rewrap(LogHome(settings))
