"""Erasure of one patient, and of what is older than a site keeps: keys are destroyed, rows stay.

The chain is not broken, and a row says what was erased, when and why. Copies of the database made
before still hold the wrapped keys: they open nothing once the site key they were wrapped with is
gone (``cart-risk log-key``, ``cart-risk log-rewrap``, then delete the former line of the key file).
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from serving.assessment_log.database import Connection, connected, tidied
from serving.assessment_log.entries import Kind, LogEntry, first_id_at
from serving.assessment_log.exports import exports_of
from serving.assessment_log.log_writer import LogWriter
from serving.assessment_log.opening import LogHome

_AT_ONCE = 1_000
"""Rows of one transaction, so that workers who answer are not held up."""
_OF_ASSESSMENT = (
    "SELECT data_key.entry FROM data_key WHERE data_key.entry = :id UNION ALL "
    "SELECT data_key.entry FROM entry JOIN data_key ON data_key.entry = id WHERE about = :id"
)
_OF_REFERENCE = "SELECT entry FROM data_key WHERE reference = :reference"
_OLDER = "SELECT entry FROM data_key WHERE entry < :before"
_OUTCOMES_OF_OLDER = (
    "SELECT data_key.entry FROM entry JOIN data_key ON data_key.entry = id WHERE about < :before"
)
_LEFT_BEHIND = (
    "SELECT id FROM entry JOIN data_key ON data_key.entry = entry.id WHERE about IS NOT NULL "
    "AND NOT EXISTS (SELECT 1 FROM data_key assessed WHERE assessed.entry = entry.about)"
)
"""Outcomes of assessments that were erased, some reported while that was done."""


_Find = Callable[[LogWriter, Connection], set[bytes]]
"""Returns the ids of the rows that are to be erased."""


class Erased(NamedTuple):
    """What was done."""

    rows: int
    """So many of what was asked for became unreadable."""
    left_behind: int
    """So many outcomes of others, reported while their assessment was erased, went with them."""
    still_to_do: str
    """What keeps destroyed keys in the files of the database, in words; empty if nothing does."""
    exported: tuple[datetime, ...]
    """When cohort files were made that hold some of it still."""


Tell = Callable[[datetime], None]
"""Hears when a cohort file was made that holds some of what is erased, before it is erased.

An erasure may be cut off once keys are gone, and nothing leads from a reference to its rows then.
"""


def _tell_nobody(_: datetime) -> None:
    """Leave it to what is returned."""


def erase_assessment(home: LogHome, assessment: UUID, tell: Tell = _tell_nobody) -> Erased:
    """Erase one assessment and its outcomes; its exports are named though it was erased before."""
    asked = [assessment.bytes]
    return _erase(home, lambda _, log: _related(log, asked), "by request", tell, asked)


def erase_reference(home: LogHome, reference: str, tell: Tell = _tell_nobody) -> Erased:
    """Erase everything of the patient behind a caller's reference that was not erased before."""

    def found(writer: LogWriter, connection: Connection) -> set[bytes]:
        hashed = writer.preparation.sealing.reference_hash(reference)
        ids = [bytes(id) for (id,) in connection.rows(_OF_REFERENCE, reference=hashed)]
        return _related(connection, ids)

    return _erase(home, found, "by request", tell)


def erase_older(home: LogHome, before: datetime, tell: Tell = _tell_nobody) -> Erased:
    """Erase everything written before a time, and what was reported of it since."""

    def found(_: LogWriter, connection: Connection) -> set[bytes]:
        end = first_id_at(before).bytes
        return {
            bytes(id)
            for question in (_OLDER, _OUTCOMES_OF_OLDER)
            for (id,) in connection.rows(question, before=end)
        }

    return _erase(home, found, f"older than {before.isoformat()}", tell)


@contextlib.contextmanager
def _writing(home: LogHome) -> Iterator[tuple[LogWriter, Connection]]:
    writer = home.writer()
    try:
        with connected(home.database) as connection:
            yield writer, connection
    finally:
        writer.close()


def _related(connection: Connection, assessments: list[bytes]) -> set[bytes]:
    return {
        bytes(id)
        for assessment in assessments
        for (id,) in connection.rows(_OF_ASSESSMENT, id=assessment)
    }


def _erase(
    home: LogHome, find: _Find, reason: str, tell: Tell, asked: Iterable[bytes] = ()
) -> Erased:
    with _writing(home) as (writer, connection):
        found = find(writer, connection)
        concerned = found.union(asked)
        before = exports_of(connection, concerned)
        for when in before:
            tell(when)
        rows = _destroy(writer, found, reason)
        outcomes = {bytes(id) for (id,) in connection.rows(_LEFT_BEHIND)}
        left_behind = _destroy(writer, outcomes, reason)
        exported = exports_of(connection, concerned)
        for when in exported:
            if when not in before:  # made meanwhile
                tell(when)
    return Erased(rows, left_behind, tidied(home.database), exported)


def _destroy(writer: LogWriter, found: set[bytes], reason: str) -> int:
    """Destroy the keys of rows and say so in the log, in parts."""
    ids = [UUID(bytes=id) for id in sorted(found)]
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        said = {"erased": [str(id) for id in part], "reason": reason}
        entry = LogEntry(kind=Kind.ERASURE, answer=json.dumps(said).encode())
        writer.write([writer.preparation.prepared(entry)], erase=part)
    return len(ids)
