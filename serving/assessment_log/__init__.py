"""Every answer is on disk before it is sent; nobody can change one unnoticed.

The doors need what is named here. Rows are chained by hashes, their content is encrypted under a
key each, and a patient is erased by destroying keys.
"""

from serving.assessment_log.entries import (
    LogEntry,
    Receipt,
    StoredAssessment,
    StoredOutcome,
    new_id,
)
from serving.assessment_log.log import AssessmentLog
from serving.assessment_log.refusals import (
    ErasedAssessment,
    LogDamaged,
    LogRefused,
    LogUnavailable,
    UnknownAssessment,
)

__all__ = [
    "AssessmentLog",
    "ErasedAssessment",
    "LogDamaged",
    "LogEntry",
    "LogRefused",
    "LogUnavailable",
    "Receipt",
    "StoredAssessment",
    "StoredOutcome",
    "UnknownAssessment",
    "new_id",
]
