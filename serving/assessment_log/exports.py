"""What left the log as a cohort file: which assessments, and when.

An erasure does not reach such a file. Whoever erases a patient is told which exports held the
patient's data, so that they are deleted there, too.
"""

import json
from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from data_schemas.refusal import Refused
from serving.assessment_log.database import Connection, connected
from serving.assessment_log.entries import Kind, LogEntry, moment
from serving.assessment_log.opening import LogHome

_KEY = "SELECT 1 FROM data_key WHERE entry = :id"
_EXPORTS = "SELECT written_at, answer FROM entry WHERE kind = :kind ORDER BY position"


class ErasedMeanwhile(Refused):
    """What was to be exported holds somebody who has been erased."""


def note_export(home: LogHome, assessments: Iterable[UUID]) -> None:
    """Write down that assessments are about to leave the log; durable on return.

    Raises
    ------
    ErasedMeanwhile
        If one of them was erased since it was read. One that is erased later finds this row.
    """
    ids = sorted(assessments)
    said = {"exported": [str(id) for id in ids]}
    writer = home.writer()
    try:
        entry = LogEntry(kind=Kind.EXPORT, answer=json.dumps(said).encode())
        writer.write([writer.preparation.prepared(entry)])
    finally:
        writer.close()
    with connected(home.database) as connection:
        for id in ids:
            if next(iter(connection.rows(_KEY, id=id.bytes)), None) is None:
                raise ErasedMeanwhile(
                    "an assessment was erased while the export was made, which was given up: "
                    "export again"
                )


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
