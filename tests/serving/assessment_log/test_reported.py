"""What the log holds of assessed patients with outcomes is read back, and nothing of the erased."""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import pytest

from serving.assessment_log.entries import LogEntry, StoredAssessment
from serving.assessment_log.erasure import erase_assessment, erase_reference
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.opening import LogHome
from serving.assessment_log.refusals import LogDamaged, LogRefused
from serving.assessment_log.reported import reported_assessments
from serving.assessment_log.site_key import write_new_key
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using


def report(about: UUID, grade: int = 1) -> bytes:
    return json.dumps({"assessment_id": str(about), "crs_grade": grade}).encode()


def kept(settings: LogSettings, entries: Iterable[LogEntry], *grades: int) -> list[UUID]:
    """Write assessments, each with outcomes of these grades; return their ids."""
    listed = list(entries)

    async def use(log: AssessmentLog) -> None:
        for entry in listed:
            await log.append(entry)
            for grade in grades:
                told = report(entry.id, grade)
                await log.record_outcome(entry.id, told, request_id="r", api_key_id="k")

    using(settings, use)
    return [entry.id for entry in listed]


def found(home: LogHome) -> list[StoredAssessment]:
    return list(reported_assessments(home))


def test_an_assessment_comes_with_what_was_sent_and_every_report_in_order(
    settings: LogSettings, home: LogHome
) -> None:
    (id,) = kept(settings, [an_entry(7)], 2, 3)
    kept(settings, [an_entry(8)])
    (assessment,) = found(home)
    assert (assessment.id, assessment.input) == (id, b'{"age": 7}')
    assert [json.loads(o.report)["crs_grade"] for o in assessment.outcomes] == [2, 3]


def test_one_reference_has_one_pseudonym_which_is_not_the_reference(
    settings: LogSettings, home: LogHome
) -> None:
    kept(settings, (an_entry(n, who) for n, who in enumerate(["anna", "berta", "anna", None])), 1)
    anna, berta, again, nobody = (assessment.reference for assessment in found(home))
    assert anna == again != berta
    assert nobody is None
    assert anna is not None
    assert b"anna" not in anna


def test_the_erased_are_not_among_them(settings: LogSettings, home: LogHome) -> None:
    patients = ["anna", "berta", None]
    ids = kept(settings, (an_entry(n, who) for n, who in enumerate(patients)), 1)
    erase_reference(home, "anna")
    erase_assessment(home, ids[2])
    assert [assessment.id for assessment in found(home)] == [ids[1]]


def test_of_a_request_kept_as_a_hash_there_is_nothing_to_read(settings: LogSettings) -> None:
    hashed = replace(settings, inputs="hash")
    kept(hashed, [an_entry(1)], 1)
    (assessment,) = found(LogHome(hashed))
    assert assessment.input is None


def test_another_site_key_opens_nothing(
    settings: LogSettings, home: LogHome, tmp_path: Path
) -> None:
    kept(settings, [an_entry(1)], 1)
    write_new_key(tmp_path / "other.key")
    other = LogHome(replace(settings, key_file=tmp_path / "other.key"))
    with pytest.raises(LogRefused, match="another site key"):
        found(other)


def test_an_outcome_that_was_moved_to_another_patient_is_seen(
    settings: LogSettings, home: LogHome, tmp_path: Path
) -> None:
    first, second = kept(settings, [an_entry(1), an_entry(2)], 1)
    attacker = sqlite3.connect(tmp_path / "log" / "rows.sqlite")
    attacker.execute("DROP TRIGGER entry_no_update")
    attacker.execute("UPDATE entry SET about = ? WHERE about = ?", (second.bytes, first.bytes))
    attacker.commit()
    attacker.close()
    with pytest.raises(LogDamaged):
        found(home)


def test_reading_leaves_the_log_as_it_is(settings: LogSettings, home: LogHome) -> None:
    kept(settings, [an_entry(1)], 1)
    with sqlite3.connect(home.database.path) as reader:  # type: ignore[attr-defined]  # SQLite's
        before = reader.execute("SELECT count(*) FROM writer").fetchone()
    found(home)
    with sqlite3.connect(home.database.path) as reader:  # type: ignore[attr-defined]
        assert reader.execute("SELECT count(*) FROM writer").fetchone() == before
    reader.close()


def test_where_there_is_no_log_it_says_so(home: LogHome, tmp_path: Path) -> None:
    (tmp_path / "log").mkdir()
    sqlite3.connect(tmp_path / "log" / "rows.sqlite").close()
    (tmp_path / "log" / "rows.sqlite").touch()
    with pytest.raises(LogRefused, match="no assessment log"):
        found(home)
