"""What left the log is written down, and whoever erases it hears of it."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from serving.assessment_log.database import connected
from serving.assessment_log.erasure import erase_assessment, erase_older
from serving.assessment_log.exports import exports_of, note_export
from serving.assessment_log.opening import LogHome
from serving.assessment_log.verify import verify
from serving.settings import LogSettings
from tests.serving.assessment_log.conftest import an_entry, using


def test_every_export_of_an_assessment_is_found_and_no_other(home: LogHome) -> None:
    one, other, never = uuid4(), uuid4(), uuid4()
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


@pytest.mark.parametrize("said", [b"", b"[]", b"{}", b'{"exported": 1}', b"\xff"])
def test_an_export_that_was_altered_may_have_held_anybody_and_is_found(
    settings: LogSettings, home: LogHome, said: bytes
) -> None:
    entry = an_entry()
    using(settings, lambda log: log.append(entry))
    note_export(home, [uuid4()])
    with connected(home.database) as connection:
        connection.change("DROP TRIGGER entry_no_update", [{}])
        change = "UPDATE entry SET answer = :said WHERE kind = 'export'"
        assert connection.change(change, [{"said": said}]) == 1
    assert len(erase_assessment(home, entry.id).exported) == 1
    assert {f.kind for f in verify(home.database, home.keys).findings} == {"altered"}
