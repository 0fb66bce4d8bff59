"""The assessment log on the command line: what an operator and an auditor do with it."""

import errno
import json
import os
import sqlite3
from pathlib import Path
from uuid import UUID

import pytest
from typer.testing import CliRunner, Result

from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.refusals import ErasedAssessment
from serving.log_commands import log_app
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using, with_rows

UNREADABLE = {"verify-log": 3}
"""What a monitor must not take for tampering."""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LogSettings:
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith("CART_RISK_LOG"):
            monkeypatch.delenv(name)
    return LogSettings()


def run(*arguments: str, answers: str | None = None) -> Result:
    return CliRunner().invoke(log_app, arguments, input=answers)


@pytest.fixture
def written(settings: LogSettings) -> LogSettings:
    """Four rows under a key that the command made."""
    assert run("log-key").exit_code == 0
    with_rows(settings, 4)
    return settings


def test_an_untouched_log_verifies(written: LogSettings) -> None:
    found = run("verify-log")
    assert (found.exit_code, found.output) == (0, "4 rows of 1 writers: as they were written\n")


def test_an_altered_row_is_named_and_the_command_fails(written: LogSettings) -> None:
    attacker = sqlite3.connect("log/assessments.sqlite")
    attacker.execute("DROP TRIGGER entry_no_update")
    attacker.execute("UPDATE entry SET status = 'better' WHERE position = 3")
    attacker.commit()
    attacker.close()
    found = run("verify-log")
    assert found.exit_code == 1
    assert "altered: writer" in found.output
    assert "row 3" in found.output
    assert "4 rows of 1 writers: 1 finding(s)" in found.output


def test_a_database_that_goes_away_meanwhile_is_not_taken_for_tampering(
    written: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr("serving.assessment_log.key_check.KeyCheck.end", gone)
    found = run("verify-log")
    assert "unreadable: database" in found.output
    assert found.exit_code == UNREADABLE["verify-log"]


def test_many_findings_are_counted(settings: LogSettings) -> None:
    run("log-key")
    with_rows(settings, 60)
    attacker = sqlite3.connect("log/assessments.sqlite")
    attacker.execute("DROP TRIGGER entry_no_update")
    attacker.execute("UPDATE entry SET status = 'better'")
    attacker.commit()
    attacker.close()
    lines = run("verify-log").output.splitlines()
    assert len(lines) == 52
    assert lines[-2] == "and 10 more"


def test_an_auditor_needs_no_key(written: LogSettings) -> None:
    Path("log/site.key").unlink()
    assert run("verify-log").exit_code == 3
    found = run("verify-log", "--without-key")
    assert found.exit_code == 0
    assert "no site key" in found.output


def test_exported_heads_find_a_log_that_was_begun_anew(written: LogSettings) -> None:
    assert run("log-heads", "--out", "heads.json").exit_code == 0
    assert json.loads(Path("heads.json").read_text("utf-8"))["ends"][0][1] == 4
    assert run("verify-log", "--heads", "heads.json").exit_code == 0
    for file in Path("log").glob("assessments*"):
        file.unlink()
    with_rows(written, 4)
    assert run("verify-log").exit_code == 0
    assert run("verify-log", "--heads", "heads.json").exit_code == 1


def test_a_log_that_nobody_wrote_to_has_no_heads_to_export(written: LogSettings) -> None:
    """An export without heads would be true to whatever is put in the log's place."""
    attacker = sqlite3.connect("log/assessments.sqlite")
    attacker.execute("DELETE FROM writer")
    attacker.commit()
    attacker.close()
    exported = run("log-heads", "--out", "heads.json")
    assert (exported.exit_code, Path("heads.json").exists()) == (1, False)
    assert "nobody has written" in exported.output
    Path("heads.json").write_text('{"ends": []}', "utf-8")
    assert run("verify-log", "--heads", "heads.json").exit_code == 3


def test_heads_that_cannot_be_read_or_written_are_not_blamed_on_the_log(
    written: LogSettings,
) -> None:
    nowhere = run("verify-log", "--heads", "nowhere")
    assert nowhere.exit_code == 2
    assert "--heads" in nowhere.output
    unwritten = run("log-heads", "--out", "no/folder")
    assert unwritten.exit_code == 1
    assert "--out could not be written (FileNotFoundError, ENOENT)" in unwritten.output
    assert "database" not in unwritten.output


def test_an_export_that_fails_leaves_the_one_before(
    written: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the only witness against a log that is replaced whole afterwards."""
    assert run("log-heads", "--out", "heads.json").exit_code == 0
    before = Path("heads.json").read_bytes()
    with_rows(written, 2)

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    failed = run("log-heads", "--out", "heads.json")
    assert failed.exit_code == 1
    assert "--out could not be written (OSError, ENOSPC)" in failed.output
    assert Path("heads.json").read_bytes() == before
    assert not list(Path().glob("*.draft*"))


def test_a_retention_of_more_than_a_century_is_refused_in_words(written: LogSettings) -> None:
    found = run("log-retention", "--older-than-days", "99999999")
    assert found.exit_code == 2
    assert "36500" in found.output


def test_a_key_is_made_once_where_one_is_needed_only(settings: LogSettings) -> None:
    assert run("log-key", "--if-missing").exit_code == 0
    first = Path("log/site.key").read_text("ascii")
    assert run("log-key", "--if-missing").output == ""
    assert Path("log/site.key").read_text("ascii") == first
    assert run("log-key").exit_code == 0
    assert Path("log/site.key").read_text("ascii").splitlines()[1:] == first.splitlines()


def test_a_key_is_never_shown(settings: LogSettings) -> None:
    shown = run("log-key").output
    assert Path("log/site.key").read_text("ascii").strip() not in shown


def test_a_key_file_that_cannot_be_written_is_said_in_words(
    written: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("serving.assessment_log.site_key.replace_content", refuse)
    found = run("log-key")
    assert found.exit_code == 1
    assert "cannot be written (PermissionError), and nothing has changed" in found.output


def test_a_request_is_shown_to_be_what_was_sent(settings: LogSettings, tmp_path: Path) -> None:
    run("log-key")
    entry = an_entry()
    using(settings, lambda log: log.append(entry))
    body = tmp_path / "request.json"
    for content, status in ((entry.input, 0), (entry.input + b"\n", 1)):
        body.write_bytes(content)
        assert run("log-input", str(entry.id), str(body)).exit_code == status
    unknown = run("log-input", str(UUID(int=1)), str(body))
    assert (unknown.exit_code, "Traceback" in unknown.output) == (1, False)
    assert "UnknownAssessment" in unknown.output


def test_rewrapping_says_how_many(written: LogSettings) -> None:
    run("log-key")
    assert run("log-rewrap").output.startswith("4 keys")
    assert run("verify-log").exit_code == 0


def test_a_patient_is_erased_by_a_reference_that_no_shell_keeps(settings: LogSettings) -> None:
    run("log-key")
    entry = an_entry(reference="anna")
    using(settings, lambda log: log.append(entry))
    erased = run("log-erase", answers="anna\n")
    assert "1 rows can no longer be read" in erased.output
    assert erased.exit_code == 0
    again = run("log-erase", "--assessment", str(entry.id))
    assert "0 rows" in again.output
    assert again.exit_code == 1

    async def use(log: AssessmentLog) -> None:
        with pytest.raises(ErasedAssessment):
            await log.read(entry.id)

    using(settings, use)


def test_what_is_younger_than_the_retention_stays(written: LogSettings) -> None:
    assert "0 rows" in run("log-retention", "--older-than-days", "1").output
    assert run("log-retention", "--older-than-days", "0").exit_code == 2


@pytest.mark.parametrize(
    "command",
    [
        ("verify-log",),
        ("log-heads", "--out", "heads.json"),
        ("log-rewrap",),
        ("log-retention", "--older-than-days", "1"),
    ],
)
def test_without_a_key_every_command_says_how_to_make_one(
    settings: LogSettings, command: tuple[str, ...]
) -> None:
    refused = run(*command)
    assert refused.exit_code == UNREADABLE.get(command[0], 1)
    assert "cart-risk log-key" in refused.output


@pytest.mark.parametrize(
    "command", [["log-retention", "--older-than-days", "365"], ["log-rewrap"], ["log-erase"]]
)
def test_no_command_makes_a_log_where_there_is_none(
    written: LogSettings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: list[str]
) -> None:
    """A nightly job with a mistyped address would erase nothing, and say that all is well."""
    monkeypatch.setenv("CART_RISK_LOG_URL", f"sqlite:///{tmp_path}/typo/log.sqlite")
    monkeypatch.setenv("CART_RISK_LOG_KEY_FILE", str(tmp_path / "log/site.key"))
    found = run(*command, answers="anna\n")
    assert found.exit_code == 1
    assert not (tmp_path / "typo").exists()


def test_a_key_is_written_into_no_other_file(written: LogSettings) -> None:
    Path("log/site.key").write_text("something else\n", "utf-8")
    found = run("log-key")
    assert found.exit_code == 1
    assert Path("log/site.key").read_text("utf-8") == "something else\n"


def test_a_retention_of_a_century_is_older_than_every_id(written: LogSettings) -> None:
    found = run("log-retention", "--older-than-days", "36500")
    assert (found.exit_code, "0 rows" in found.output) == (0, True)


def test_a_database_that_is_not_there_is_said_in_words(settings: LogSettings) -> None:
    run("log-key")
    for command in (("verify-log",), ("log-heads", "--out", "heads.json")):
        refused = run(*command)
        assert refused.exit_code == UNREADABLE.get(command[0], 1)
        assert "not available" in refused.output


def test_an_address_without_a_key_file_is_refused(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CART_RISK_LOG_URL", "sqlite:///rows.sqlite")
    refused = run("log-key")
    assert refused.exit_code == 1
    assert "CART_RISK_LOG_KEY_FILE" in refused.output
