"""What left the log as a cohort file: which assessments, and when.

An erasure does not reach such a file. Whoever erases a patient is told which exports held the
patient's data, so that they are deleted there, too.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from serving.assessment_log.database import Connection
from serving.assessment_log.entries import Kind, LogEntry, moment
from serving.assessment_log.opening import LogHome

_EXPORTS = "SELECT written_at, answer FROM entry WHERE kind = :kind ORDER BY position"


def note_export(home: LogHome, assessments: Iterable[UUID]) -> None:
    """Write down that assessments are about to leave the log; durable on return."""
    said = {"exported": sorted(map(str, assessments))}
    writer = home.writer()
    try:
        entry = LogEntry(kind=Kind.EXPORT, answer=json.dumps(said).encode())
        writer.write([writer.preparation.prepared(entry)])
    finally:
        writer.close()


def exports_of(connection: Connection, ids: Iterable[bytes]) -> tuple[datetime, ...]:
    """Return when any of these assessments was exported, oldest first."""
    asked = {str(UUID(bytes=id)) for id in ids}
    exports = connection.rows(_EXPORTS, kind=Kind.EXPORT.value)
    return tuple(moment(written_at) for written_at, said in exports if _may_hold(said, asked))


def _may_hold(said: bytes, asked: set[str]) -> bool:
    try:
        return not asked.isdisjoint(json.loads(said)["exported"])
    except (ValueError, KeyError, TypeError):  # it was altered, and may have held anybody
        return bool(asked)
