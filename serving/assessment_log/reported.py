"""Every assessment of which an outcome was reported, read back with the site key."""

import json
from collections.abc import Iterator
from uuid import UUID

from serving.assessment_log.entries import Kind, StoredAssessment, StoredOutcome
from serving.assessment_log.opening import LogHome
from serving.assessment_log.reading import read_assessment
from serving.assessment_log.refusals import LogDamaged

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
        As :meth:`LogHome.reading` does.
    LogDamaged
        If what is stored is not what was written, or an outcome was moved to another assessment.
    """
    with home.reading() as (connection, sealing):
        found = connection.rows(_WITH_OUTCOMES, kind=Kind.ASSESSMENT.value)
        for id in [UUID(bytes=bytes(id)) for (id,) in found]:
            stored = read_assessment(connection, sealing, id)
            if any(_assessment_of(o) != id for o in stored.outcomes):
                raise LogDamaged
            yield stored


def _assessment_of(outcome: StoredOutcome) -> UUID:
    """Return what was reported on; reports are kept as sent, and an id has many spellings."""
    return UUID(json.loads(outcome.report)["assessment_id"])
