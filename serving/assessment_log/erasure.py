"""Erasure of one patient, and of what is older than a site keeps: keys are destroyed, rows stay.

The chain is not broken, and a row says what was erased, when and why. Copies of the database made
before still hold the wrapped keys: they open nothing once the site key they were wrapped with is
gone (``cart-risk log-key``, ``cart-risk log-rewrap``, then delete the former line of the key file).
"""

import contextlib
import json
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from serving.assessment_log.database import Connection, connected
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
_LEFT_BEHIND = (
    "SELECT id FROM entry JOIN data_key ON data_key.entry = entry.id WHERE about IS NOT NULL "
    "AND NOT EXISTS (SELECT 1 FROM data_key assessed WHERE assessed.entry = entry.about)"
)
"""Outcomes of assessments that were erased, some reported while that was done."""


class Erased(NamedTuple):
    """What was done."""

    rows: int
    """So many became unreadable."""
    is_forgotten: bool
    """Whether the destroyed keys have left every file of the database; if others were in the way,
    they go with the next erasure, or when the database tidies up by itself."""
    exported: tuple[datetime, ...] = ()
    """When cohort files were made that hold some of it still."""


def erase_assessment(home: LogHome, assessment: UUID) -> Erased:
    """Erase one assessment and its outcomes."""
    with _writing(home) as (writer, connection):
        found = _related(connection, [assessment.bytes])
        erased = _erase(writer, connection, found, "by request")
    return erased._replace(is_forgotten=home.database.forget_destroyed())


def erase_reference(home: LogHome, reference: str) -> Erased:
    """Erase everything of the patient behind a caller's reference."""
    with _writing(home) as (writer, connection):
        hashed = writer.preparation.sealing.reference_hash(reference)
        found = [bytes(id) for (id,) in connection.rows(_OF_REFERENCE, reference=hashed)]
        erased = _erase(writer, connection, _related(connection, found), "by request")
    return erased._replace(is_forgotten=home.database.forget_destroyed())


def erase_older(home: LogHome, before: datetime) -> Erased:
    """Erase everything written before a time."""
    with _writing(home) as (writer, connection):
        older = connection.rows(_OLDER, before=first_id_at(before).bytes)
        found = {bytes(id) for (id,) in older}
        erased = _erase(writer, connection, found, f"older than {before.isoformat()}")
    return erased._replace(is_forgotten=home.database.forget_destroyed())


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


def _erase(writer: LogWriter, connection: Connection, found: set[bytes], reason: str) -> Erased:
    erased = _destroy(writer, found, reason)
    left_behind = {bytes(id) for (id,) in connection.rows(_LEFT_BEHIND)}
    rows = erased + _destroy(writer, left_behind, reason)
    return Erased(rows, is_forgotten=False, exported=exports_of(connection, found))


def _destroy(writer: LogWriter, found: set[bytes], reason: str) -> int:
    """Destroy the keys of rows and say so in the log, in parts."""
    ids = [UUID(bytes=id) for id in sorted(found)]
    for start in range(0, len(ids), _AT_ONCE):
        part = ids[start : start + _AT_ONCE]
        said = {"erased": [str(id) for id in part], "reason": reason}
        entry = LogEntry(kind=Kind.ERASURE, answer=json.dumps(said).encode())
        writer.write([writer.preparation.prepared(entry)], erase=part)
    return len(ids)
