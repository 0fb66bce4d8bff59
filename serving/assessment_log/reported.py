"""Every assessment of which an outcome was reported, read back with the site key."""

import json
from collections.abc import Iterator
from uuid import UUID

from serving.assessment_log.database import Connection, connected
from serving.assessment_log.entries import Kind, StoredAssessment
from serving.assessment_log.log_secret import stored_secret
from serving.assessment_log.opening import LogHome
from serving.assessment_log.reading import read_assessment
from serving.assessment_log.refusals import LogDamaged, LogRefused
from serving.assessment_log.schema import SCHEMA, version
from serving.assessment_log.sealing import Sealing

_WITH_OUTCOMES = (
    "SELECT entry.id FROM entry JOIN data_key ON data_key.entry = entry.id WHERE kind = :kind "
    "AND EXISTS (SELECT 1 FROM entry report JOIN data_key known ON known.entry = report.id "
    "WHERE report.about = entry.id) ORDER BY position"
)
"""What was erased has no data key."""


def reported_assessments(home: LogHome) -> Iterator[StoredAssessment]:
    """Yield them, oldest first, as the log is at one moment; what was erased is not among them.

    Raises
    ------
    LogRefused
        If there is no log of this release, or the site key is not the one it was written with.
    LogDamaged
        If what is stored is not what was written, or an outcome was moved to another assessment.
    """
    if version(home.database) != SCHEMA:
        raise LogRefused("there is no assessment log of this release")
    with connected(home.database) as connection:
        connection.begin_reading()
        sealing = _sealing(connection, home)
        found = connection.rows(_WITH_OUTCOMES, kind=Kind.ASSESSMENT.value)
        for id in [UUID(bytes=bytes(id)) for (id,) in found]:
            stored = read_assessment(connection, sealing, id)
            if any(json.loads(o.report)["assessment_id"] != str(id) for o in stored.outcomes):
                raise LogDamaged
            yield stored


def _sealing(connection: Connection, home: LogHome) -> Sealing:
    secret = stored_secret(connection, home.keys)
    if secret is None:
        raise LogRefused("the secret of the assessment log was deleted: restore a copy")
    return Sealing(home.keys, secret, home.inputs)
