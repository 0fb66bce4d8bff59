"""A patient is erased and the chain stays whole; what was not asked for stays readable."""

import sqlite3
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from serving.assessment_log import erasure, sqlite_database
from serving.assessment_log.database import connected
from serving.assessment_log.entries import LogEntry, StoredAssessment, new_id
from serving.assessment_log.erasure import Erased, erase_assessment, erase_older, erase_reference
from serving.assessment_log.exports import note_export
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.opening import LogHome
from serving.assessment_log.refusals import ErasedAssessment
from serving.assessment_log.verify import verify
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using


def kept(settings: LogSettings, entries: Iterable[LogEntry]) -> list[UUID]:
    """Write assessments with one outcome each; return their ids."""
    listed = list(entries)

    async def use(log: AssessmentLog) -> None:
        for entry in listed:
            await log.append(entry)
            await log.record_outcome(entry.id, b"{}", request_id="r", api_key_id="k")

    using(settings, use)
    return [entry.id for entry in listed]


def readable(settings: LogSettings, ids: Iterable[UUID]) -> list[UUID]:
    async def read(log: AssessmentLog, id: UUID) -> StoredAssessment | None:
        try:
            return await log.read(id)
        except ErasedAssessment:
            return None

    async def use(log: AssessmentLog) -> list[UUID]:
        return [found.id for id in ids if (found := await read(log, id))]

    return using(settings, use)


def test_a_patient_is_erased_by_reference(settings: LogSettings, home: LogHome) -> None:
    patients = ["anna", "berta", "anna", None]
    ids = kept(settings, (an_entry(n, reference) for n, reference in enumerate(patients)))
    assert erase_reference(home, "anna").rows == 4  # two assessments, each with its outcome
    assert readable(settings, ids) == [ids[1], ids[3]]
    assert erase_reference(home, "anna").rows == 0
    assert erase_reference(home, "nobody").rows == 0
    assert verify(home.database, home.keys).findings == ()


def test_a_patient_is_erased_by_assessment(settings: LogSettings, home: LogHome) -> None:
    ids = kept(settings, map(an_entry, range(3)))
    assert erase_assessment(home, ids[1]).rows == 2
    assert erase_assessment(home, uuid4()).rows == 0
    assert readable(settings, ids) == [ids[0], ids[2]]
    assert verify(home.database, home.keys).findings == ()


def test_an_erased_assessment_takes_no_outcome(settings: LogSettings, home: LogHome) -> None:
    (id,) = kept(settings, [an_entry()])
    erase_assessment(home, id)

    async def use(log: AssessmentLog) -> None:
        with pytest.raises(ErasedAssessment):
            await log.record_outcome(id, b"{}", request_id="r", api_key_id="k")

    using(settings, use)


def test_nothing_of_the_destroyed_keys_is_left_in_any_file(
    settings: LogSettings, home: LogHome, tmp_path: Path
) -> None:
    """Crypto-shredding that leaves the key in a free page or in the write-ahead file is none."""
    (id,) = kept(settings, [an_entry(reference="anna")])
    folder = tmp_path / "log"
    connection = sqlite3.connect(folder / "rows.sqlite")
    keys = connection.execute("SELECT wrapped, reference FROM data_key").fetchall()
    connection.close()
    secrets = [secret for row in keys for secret in row if secret is not None]
    assert len(secrets) == 3

    def left() -> int:
        contents = [path.read_bytes() for path in folder.iterdir()]
        return sum(secret in content for secret in secrets for content in contents)

    assert left() >= 3
    erase_assessment(home, id)
    assert left() == 0


def test_what_is_too_old_is_erased(settings: LogSettings, home: LogHome) -> None:
    now = datetime.now(UTC)

    def aged(number: int, days: int) -> LogEntry:
        milliseconds = int((now - timedelta(days=days)).timestamp() * 1000)
        low = new_id().int & ((1 << 80) - 1)
        given = an_entry(number)
        return LogEntry(answer=given.answer, id=UUID(int=milliseconds << 80 | low))

    ids = kept(settings, [aged(1, 400), aged(2, 364), aged(3, 0)])
    # The outcome of the first was reported today, and goes with its assessment.
    assert erase_older(home, now - timedelta(days=365)).rows == 2
    assert readable(settings, ids) == ids[1:]
    assert verify(home.database, home.keys).findings == ()


def test_a_large_erasure_is_done_in_parts(
    settings: LogSettings, home: LogHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "_AT_ONCE", 3)
    kept(settings, map(an_entry, range(4)))
    assert erase_older(home, datetime.now(UTC) + timedelta(days=1)).rows == 8
    found = verify(home.database, home.keys)
    assert (found.rows, found.findings) == (8 + 3, ())


def test_the_log_says_what_was_erased_and_when(settings: LogSettings, home: LogHome) -> None:
    (id,) = kept(settings, [an_entry()])
    erase_assessment(home, id)
    connection = sqlite3.connect(str(settings.url).removeprefix("sqlite:///"))
    (said,) = connection.execute("SELECT answer FROM entry WHERE kind = 'erasure'").fetchone()
    connection.close()
    assert str(id) in said.decode()
    assert "by request" in said.decode()


def test_an_erased_row_is_ciphertext_that_even_the_site_key_does_not_open(
    settings: LogSettings, home: LogHome
) -> None:
    """The row still lies there with its hash; its data key existed nowhere else."""
    (id,) = kept(settings, [an_entry()])
    path = str(settings.url).removeprefix("sqlite:///")

    def row() -> tuple[bytes, bytes]:
        connection = sqlite3.connect(path)
        found = connection.execute("SELECT answer, hash FROM entry WHERE id = ?", (id.bytes,))
        answer, hash = found.fetchone()
        connection.close()
        return answer, hash

    before = row()
    erase_assessment(home, id)
    assert row() == before
    assert readable(settings, [id]) == []


def test_keys_that_cannot_leave_the_files_yet_are_not_passed_over(
    settings: LogSettings, home: LogHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reader holds on to the write-ahead file; the next erasure cleans up behind both."""
    monkeypatch.setattr(sqlite_database, "_PATIENCE_SECONDS", 0.05)
    first, second = kept(settings, [an_entry(1), an_entry(2)])
    writing = home.writer()  # with the last connection, the write-ahead file would go, too
    reader = sqlite3.connect(str(settings.url).removeprefix("sqlite:///"), isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM data_key").fetchone()
    left = erase_assessment(home, first)
    assert left == Erased(2, left_behind=0, still_to_do=left.still_to_do, exported=())
    assert "run the command again" in left.still_to_do
    reader.close()
    assert erase_assessment(home, second) == Erased(2, left_behind=0, still_to_do="", exported=())
    writing.close()


def test_a_database_that_cannot_tidy_up_hides_nothing_of_what_was_done(
    settings: LogSettings, home: LogHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys are gone by then: a second run finds nothing to destroy."""
    entry = an_entry()
    using(settings, lambda log: log.append(entry))
    note_export(home, [entry.id])

    def full(_: object) -> str:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(type(home.database), "forget_destroyed", full)
    erased = erase_assessment(home, entry.id)
    assert (erased.rows, len(erased.exported)) == (1, 1)
    assert "could not tidy up" in erased.still_to_do


def test_outcomes_left_behind_by_others_are_not_counted_as_what_was_asked_for(
    settings: LogSettings, home: LogHome
) -> None:
    """Whoever mistypes a reference must not be told that somebody was erased."""
    (id,) = kept(settings, [an_entry()])
    with connected(home.database) as connection:
        connection.change("DELETE FROM data_key WHERE entry = :id", [{"id": id.bytes}])
    erased = erase_reference(home, "mistyped")
    assert (erased.rows, erased.left_behind) == (0, 1)
