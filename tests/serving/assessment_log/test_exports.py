"""What left the log is written down, and whoever erases it hears of it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from serving.assessment_log.database import connected
from serving.assessment_log.erasure import erase_assessment, erase_older, erase_reference
from serving.assessment_log.exports import ErasedMeanwhile, exports_of, note_export
from serving.assessment_log.opening import LogHome
from serving.assessment_log.verify import verify
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using


def test_every_export_of_an_assessment_is_found_and_no_other(
    settings: LogSettings, home: LogHome
) -> None:
    entries, never = [an_entry(1), an_entry(2)], uuid4()
    using(settings, lambda log: log.append_all(entries))
    one, other = (entry.id for entry in entries)
    begun = datetime.now(UTC)
    note_export(home, [one, other])
    note_export(home, [one])
    note_export(home, [])
    with connected(home.database) as connection:
        found = {id: exports_of(connection, [id.bytes]) for id in (one, other, never)}
        assert exports_of(connection, []) == ()
        assert exports_of(connection, [never.bytes, other.bytes]) == found[other]
    assert [len(found[id]) for id in (one, other, never)] == [2, 1, 0]
    assert begun <= found[one][0] < found[one][1] <= datetime.now(UTC)
    assert found[other] == found[one][:1]


def test_whatever_erases_names_the_exports(settings: LogSettings, home: LogHome) -> None:
    first, second = an_entry(1), an_entry(2)
    for entry in (first, second):
        using(settings, lambda log, entry=entry: log.append(entry))
    note_export(home, [first.id])
    assert erase_assessment(home, second.id).exported == ()
    assert len(erase_older(home, datetime.now(UTC) + timedelta(days=1)).exported) == 1
    assert verify(home.database, home.keys).findings == ()


def test_an_erasure_that_is_repeated_by_id_names_the_exports_again(
    settings: LogSettings, home: LogHome
) -> None:
    """The first one may have been cut off before anybody read what it said."""
    entry = an_entry()
    using(settings, lambda log: log.append(entry))
    note_export(home, [entry.id])
    first, again = erase_assessment(home, entry.id), erase_assessment(home, entry.id)
    assert (first.rows, again.rows) == (1, 0)
    assert len(again.exported) == 1
    assert again.exported == first.exported


def test_exports_are_told_while_the_keys_are_there(settings: LogSettings, home: LogHome) -> None:
    """Nothing leads from a reference to what was erased: cut off, it could not be asked again."""
    entry = an_entry(reference="anna")
    using(settings, lambda log: log.append(entry))
    note_export(home, [entry.id])
    told: list[datetime] = []

    def cut_off(when: datetime) -> None:
        told.append(when)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        erase_reference(home, "anna", cut_off)
    erased = erase_reference(home, "anna", told.append)
    assert (erased.rows, erased.exported) == (1, tuple(told[:1]))
    assert told[0] == told[1]
    assert erase_reference(home, "anna", told.append).exported == ()
    assert len(told) == 2


def test_an_export_made_during_an_erasure_is_told_once(
    settings: LogSettings, home: LogHome
) -> None:
    entry = an_entry()
    using(settings, lambda log: log.append(entry))
    note_export(home, [entry.id])
    told: list[datetime] = []

    def another_export(when: datetime) -> None:
        if not told:
            note_export(home, [entry.id])
        told.append(when)

    erased = erase_assessment(home, entry.id, another_export)
    assert len(told) == 2
    assert erased.exported == tuple(told)


def test_who_was_erased_since_they_were_read_is_not_exported(
    settings: LogSettings, home: LogHome
) -> None:
    """The erasure looked for exports before this one was written down."""
    first, second = an_entry(1), an_entry(2)
    using(settings, lambda log: log.append_all([first, second]))
    erase_assessment(home, first.id)
    with pytest.raises(ErasedMeanwhile, match="export again"):
        note_export(home, [first.id, second.id])
    note_export(home, [second.id])
    assert verify(home.database, home.keys).findings == ()


@pytest.mark.parametrize("said", [b"", b"[]", b"{}", b'{"exported": 1}', b"\xff"])
def test_an_export_that_was_altered_may_have_held_anybody_and_is_found(
    settings: LogSettings, home: LogHome, said: bytes
) -> None:
    entry = an_entry()
    others = an_entry(2)
    using(settings, lambda log: log.append_all([entry, others]))
    note_export(home, [others.id])
    with connected(home.database) as connection:
        connection.change("DROP TRIGGER entry_no_update", [{}])
        change = "UPDATE entry SET answer = :said WHERE kind = 'export'"
        assert connection.change(change, [{"said": said}]) == 1
    assert len(erase_assessment(home, entry.id).exported) == 1
    assert {f.kind for f in verify(home.database, home.keys).findings} == {"altered"}
