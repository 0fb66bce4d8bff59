"""What is missing or wrong is refused by the name of its setting; nothing starts half."""

import sys
from pathlib import Path

import pytest

from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.opening import DEVELOPMENT_KEY, key_file
from serving.assessment_log.refusals import LogRefused
from serving.assessment_log.site_key import write_new_key
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using


def test_by_default_log_and_key_lie_under_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_new_key(key_file(LogSettings()))
    using(LogSettings(), lambda log: log.append(an_entry()))
    assert {path.name for path in (tmp_path / "log").iterdir()} >= {
        "assessments.sqlite",
        DEVELOPMENT_KEY.name,
    }


def test_without_a_key_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(LogRefused, match="log-key"):
        AssessmentLog.open(LogSettings())
    assert list(tmp_path.iterdir()) == []


def test_a_log_of_its_own_never_uses_the_development_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_new_key(DEVELOPMENT_KEY)
    with pytest.raises(LogRefused, match="CART_RISK_LOG_KEY_FILE"):
        AssessmentLog.open(LogSettings(f"sqlite:///{tmp_path}/rows.sqlite"))


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("sqlite://", "sqlite:///log/assessments.sqlite"),
        ("sqlite:///", "sqlite:///log/assessments.sqlite"),
        ("sqlite:///:memory:", "sqlite:///log/assessments.sqlite"),
        ("sqlite:///file?mode=ro", "sqlite:///log/assessments.sqlite"),
        ("mysql://user:secret@host/log", "mysql"),
        ("postgresql+psycopg2://user:secret@host/log", "psycopg2"),
        ("secret", "CART_RISK_LOG_URL"),
        ("postgresql://user:secret@host:port/log", "CART_RISK_LOG_URL"),
    ],
)
def test_a_log_lives_in_a_file_or_in_postgresql(
    settings: LogSettings, url: str, named: str
) -> None:
    with pytest.raises(LogRefused) as refused:
        AssessmentLog.open(LogSettings(url, settings.key_file))
    assert named in str(refused.value)
    assert "secret" not in str(refused.value)


def test_inputs_are_encrypted_or_hashed_and_never_in_clear(settings: LogSettings) -> None:
    with pytest.raises(LogRefused, match="CART_RISK_LOG_INPUTS must be one of encrypted, hash"):
        AssessmentLog.open(LogSettings(settings.url, settings.key_file, "clear"))


def test_the_environment_names_address_key_and_inputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CART_RISK_LOG_URL", "sqlite:////var/log/rows.sqlite")
    monkeypatch.setenv("CART_RISK_LOG_KEY_FILE", "/run/secrets/log.key")
    monkeypatch.setenv("CART_RISK_LOG_INPUTS", "hash")
    named = LogSettings("sqlite:////var/log/rows.sqlite", Path("/run/secrets/log.key"), "hash")
    assert LogSettings.from_environment() == named
    for name in ("URL", "KEY_FILE", "INPUTS"):
        monkeypatch.setenv(f"CART_RISK_LOG_{name}", "")
    assert LogSettings.from_environment() == LogSettings(None, None, "encrypted")


def test_a_driver_that_is_missing_is_named(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(LogRefused, match="psycopg") as refused:
        AssessmentLog.open(LogSettings("postgresql://user:secret@host/log", settings.key_file))
    assert "secret" not in str(refused.value)
