"""What is appended is durable, readable, and in clear nowhere."""

import asyncio
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest

from serving.assessment_log import sqlite_database
from serving.assessment_log.entries import Kind, LogEntry
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.opening import LogHome
from serving.assessment_log.reading import was_sent
from serving.assessment_log.refusals import LogDamaged, LogUnavailable, UnknownAssessment
from serving.assessment_log.rows import EntryRow
from serving.assessment_log.sqlite_database import SqliteConnection
from serving.assessment_log.verify import verify
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using

CANARY = "MRN4711Kowalski"


def file_of(settings: LogSettings) -> Path:
    assert settings.url is not None
    return Path(settings.url.removeprefix("sqlite:///"))


def test_an_assessment_comes_back_as_it_was_sent(settings: LogSettings) -> None:
    entry = an_entry(7)

    async def use(log: AssessmentLog) -> None:
        receipt = await log.append(entry)
        stored = await log.read(receipt.id)
        assert (stored.answer, stored.input) == (entry.answer, entry.input)
        assert (stored.status, stored.model_hashes) == ("ok", {"severe_crs": "a" * 64})
        assert stored.id == entry.id
        assert stored.when == receipt.when
        assert abs(receipt.when - datetime.now(UTC)) < timedelta(minutes=1)

    using(settings, use)


def test_when_append_returns_another_process_would_see_the_row(settings: LogSettings) -> None:
    """Another connection, opened afterwards, stands for the other process."""

    async def use(log: AssessmentLog) -> None:
        for number in range(3):
            receipt = await log.append(an_entry(number))
            with sqlite3.connect(file_of(settings)) as other:
                found = [id for (id,) in other.execute("SELECT id FROM entry")]
            other.close()
            assert len(found) == number + 1
            assert receipt.id.bytes in found

    using(settings, use)


def test_a_row_is_flushed_after_it_was_written_and_before_anybody_is_told(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite itself would flush only now and then: a power failure would take the rest."""
    flush, seen = sqlite_database._flush, []

    def watched(descriptor: int) -> None:
        path = file_of(settings)
        with closing(sqlite3.connect(path)) as other:
            (rows,) = other.execute("SELECT count(*) FROM entry").fetchone()
        flush(descriptor)
        seen.append((rows, os.path.sameopenfile(descriptor, opened[0]), len(told)))

    async def use(log: AssessmentLog) -> None:
        opened.append(os.open(f"{file_of(settings)}-wal", os.O_RDONLY))
        monkeypatch.setattr(sqlite_database, "_flush", watched)
        for number in range(3):
            await log.append(an_entry(number))
            told.append(number)
        os.close(opened[0])

    opened: list[int] = []
    told: list[int] = []
    using(settings, use)
    assert seen == [(1, True, 0), (2, True, 1), (3, True, 2)]


def test_the_file_is_in_write_ahead_mode(log: AssessmentLog) -> None:
    writer = log._commits._writer
    assert writer is not None
    assert next(writer._connection.rows("PRAGMA journal_mode")) == ("wal",)


def test_those_who_wait_share_a_transaction(settings: LogSettings) -> None:
    async def use(log: AssessmentLog) -> tuple[int, int]:
        for _ in range(10):
            await asyncio.gather(*(log.append(an_entry(n)) for n in range(16)))
        return log.counters.rows, log.counters.transactions

    rows, transactions = using(settings, use)
    assert (rows, transactions) == (160, 10)


def test_few_statements_are_kept_whatever_the_number_of_rows(
    settings: LogSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`sqlite3` keeps 128 of them, each with the values that it was last given."""
    inserts: dict[str, int] = {}
    execute = SqliteConnection._execute

    def watched(connection: SqliteConnection, statement: str, values: Any = ()) -> Any:
        inserts[statement] = len(values)
        return execute(connection, statement, values)

    monkeypatch.setattr(SqliteConnection, "_execute", watched)

    async def use(log: AssessmentLog) -> None:
        for rows in (*range(1, 80, 3), 870, 999):
            await log.append_all([an_entry(n) for n in range(rows)])
        assert log.counters.rows == sum(range(1, 80, 3)) + 870 + 999

    using(settings, use)
    assert len(inserts) < 128 / 1.5
    assert sum(inserts.values()) < 2 * 32 * 33 / 2 * len(EntryRow._fields)


def test_everyone_hears_of_their_own_row(settings: LogSettings, home: LogHome) -> None:
    entries = [an_entry(number) for number in range(300)]

    async def use(log: AssessmentLog) -> list[UUID]:
        receipts = await asyncio.gather(*map(log.append, entries[:200]))
        receipts += await log.append_all(entries[200:])
        return [receipt.id for receipt in receipts]

    assert using(settings, use) == [entry.id for entry in entries]
    assert verify(home.database, home.keys).rows == 300


def test_an_outcome_belongs_to_its_assessment(settings: LogSettings) -> None:
    async def use(log: AssessmentLog) -> None:
        first, second = await log.append_all([an_entry(1), an_entry(2)])
        reports = [b'{"crs_grade": 1}', b'{"crs_grade": 3}']
        for report in reports:
            await log.record_outcome(first.id, report, request_id="r", api_key_id="k")
        assert [o.report for o in (await log.read(first.id)).outcomes] == reports
        assert (await log.read(second.id)).outcomes == ()

    using(settings, use)


def test_an_outcome_of_nothing_is_refused(settings: LogSettings) -> None:
    async def use(log: AssessmentLog) -> None:
        assessed = await log.append(an_entry())
        outcome = await log.record_outcome(assessed.id, b"{}", request_id="r", api_key_id="k")
        for nothing in (uuid4(), outcome.id):
            with pytest.raises(UnknownAssessment):
                await log.record_outcome(nothing, b"{}", request_id="r", api_key_id="k")
            with pytest.raises(UnknownAssessment):
                await log.read(nothing)
        assert log.counters.rows == 2

    using(settings, use)


def planted() -> LogEntry:
    canary = CANARY.encode()
    return LogEntry(answer=canary, input=canary, status="ok", reference=CANARY)


def every_byte(folder: Path) -> Iterator[bytes]:
    return (path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_nothing_of_a_patient_is_in_clear_in_any_file(
    settings: LogSettings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async def use(log: AssessmentLog) -> None:
        receipt = await log.append(planted())
        report = CANARY.encode()
        await log.record_outcome(receipt.id, report, request_id="r", api_key_id="k")
        assert not any(CANARY.encode() in content for content in every_byte(tmp_path))

    using(settings, use)
    assert not any(CANARY.encode() in content for content in every_byte(tmp_path))
    assert CANARY not in "".join(capfd.readouterr())


def test_the_same_reference_in_two_logs_leaves_no_common_trace(
    settings: LogSettings, tmp_path: Path
) -> None:
    """Not even somebody with both databases can tell that it is one patient."""

    def hashed(url: str) -> bytes:
        elsewhere = LogSettings(url, settings.key_file)
        using(elsewhere, lambda log: log.append(planted()))
        with sqlite3.connect(file_of(elsewhere)) as connection:
            (reference,) = connection.execute("SELECT reference FROM data_key").fetchone()
        connection.close()
        return bytes(reference)

    assert hashed(f"sqlite:///{tmp_path}/one") != hashed(f"sqlite:///{tmp_path}/two")


def test_a_site_may_keep_hashes_of_inputs_only(settings: LogSettings) -> None:
    hashing = LogSettings(settings.url, settings.key_file, "hash")
    entry = an_entry(5)

    async def use(log: AssessmentLog) -> None:
        await log.append(entry)
        stored = await log.read(entry.id)
        assert (stored.answer, stored.input) == (entry.answer, None)

    using(hashing, use)
    with sqlite3.connect(file_of(settings)) as connection:
        (kept,) = connection.execute("SELECT input FROM entry").fetchone()
    connection.close()
    assert len(kept) == 32


@pytest.mark.parametrize("inputs", ["encrypted", "hash"])
def test_it_can_be_shown_what_was_sent_and_what_was_not(settings: LogSettings, inputs: str) -> None:
    kept = LogSettings(settings.url, settings.key_file, inputs)
    one, other = an_entry(5), an_entry(6)
    using(kept, lambda log: log.append_all([one, other]))
    with LogHome(settings).reading() as (connection, sealing):
        assert was_sent(connection, sealing, one.id, one.input)
        assert not was_sent(connection, sealing, one.id, one.input + b" ")
        assert not was_sent(connection, sealing, other.id, one.input)
        with pytest.raises(UnknownAssessment):
            was_sent(connection, sealing, uuid4(), one.input)


def test_an_altered_row_is_never_read_as_an_answer(settings: LogSettings) -> None:
    entry = an_entry()
    using(settings, lambda log: log.append(entry))
    with sqlite3.connect(file_of(settings)) as attacker:
        attacker.execute("DROP TRIGGER entry_no_update")
        (answer,) = attacker.execute("SELECT answer FROM entry").fetchone()
        attacker.execute("UPDATE entry SET answer = ?", (bytes([answer[0] ^ 1]) + answer[1:],))
    attacker.close()

    async def use(log: AssessmentLog) -> None:
        with pytest.raises(LogDamaged):
            await log.read(entry.id)

    using(settings, use)


def test_with_an_altered_example_no_answer_is_restored(settings: LogSettings) -> None:
    entry = an_entry()

    async def keep() -> None:
        log = AssessmentLog.open(settings, example=an_entry(1).answer)
        await log.append(entry)
        assert (await log.read(entry.id)).answer == entry.answer
        log.close()

    asyncio.run(keep())
    with sqlite3.connect(file_of(settings)) as attacker:
        attacker.execute("UPDATE dictionary SET content = x'00'")
    attacker.close()

    async def use(log: AssessmentLog) -> None:
        with pytest.raises(LogDamaged):
            await log.read(entry.id)

    using(settings, use)


@pytest.mark.parametrize("reference", ["", "ü", "\ud800", "\0", "x" * 10_000])
def test_any_text_is_a_reference(settings: LogSettings, reference: str) -> None:
    using(settings, lambda log: log.append(an_entry(reference=reference)))


def test_one_callers_nonsense_is_nobody_elses(settings: LogSettings) -> None:
    broken = LogEntry(answer="text")  # type: ignore[arg-type]

    async def use(log: AssessmentLog) -> None:
        first, second, third = await asyncio.gather(
            log.append(an_entry(1)),
            log.append(broken),
            log.append(an_entry(2)),
            return_exceptions=True,
        )
        assert isinstance(second, TypeError)
        assert not isinstance(first, BaseException)
        assert not isinstance(third, BaseException)
        assert log.refusal is None

    using(settings, use)


def test_a_caller_who_goes_away_hinders_nobody(settings: LogSettings, home: LogHome) -> None:
    async def use(log: AssessmentLog) -> None:
        leaving = asyncio.create_task(log.append(an_entry(1)))
        await asyncio.sleep(0)
        leaving.cancel()
        await log.append(an_entry(2))
        assert leaving.cancelled()

    using(settings, use)
    assert verify(home.database, home.keys).rows == 2


def test_closing_writes_what_waits(settings: LogSettings, home: LogHome) -> None:
    async def use() -> None:
        log = AssessmentLog.open(settings)
        waiting = [asyncio.create_task(log.append(an_entry(n))) for n in range(50)]
        await asyncio.sleep(0)  # every task has brought its row
        await asyncio.sleep(0)  # and the turn was handed over
        await asyncio.to_thread(log.close)
        await asyncio.gather(*waiting)
        with pytest.raises(LogUnavailable):
            await log.append(an_entry())

    asyncio.run(use())
    assert verify(home.database, home.keys).rows == 50


def test_two_event_loops_may_use_one_log(log: AssessmentLog) -> None:
    for number in range(2):
        asyncio.run(log.append(an_entry(number)))
    assert log.counters.rows == 2


def test_nothing_waits_when_nothing_is_asked(log: AssessmentLog) -> None:
    asyncio.run(log.append(an_entry()))
    assert log.lag == 0.0
    assert log.refusal is None


def test_an_erasure_is_no_assessment(home: LogHome) -> None:
    writer = home.writer()
    erasure = LogEntry(kind=Kind.ERASURE, answer=b'{"erased": []}')
    prepared = writer.preparation.prepared(erasure)
    assert prepared.key is None
    writer.close()
