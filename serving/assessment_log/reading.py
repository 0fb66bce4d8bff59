"""One assessment as it was sent, read back."""

import json
from collections.abc import Iterator
from typing import NamedTuple
from uuid import UUID

from serving.assessment_log.compression import NotRestored, restored
from serving.assessment_log.database import Connection
from serving.assessment_log.entries import Kind, StoredAssessment, StoredOutcome, moment
from serving.assessment_log.refusals import ErasedAssessment, LogDamaged, UnknownAssessment
from serving.assessment_log.rows import DataKeyRow
from serving.assessment_log.sealing import Inputs, Sealing

_COLUMNS = (
    "SELECT entry.id, kind, written_at, status, model_hashes, inputs, answer, input, content, "
    "data_key.entry, reference, site_key, wrapped FROM entry "
    "JOIN writer ON writer.id = entry.writer JOIN dictionary ON dictionary.id = writer.dictionary "
    "LEFT JOIN data_key ON data_key.entry = entry.id "
)


class _Found(NamedTuple):
    id: bytes
    kind: str
    written_at: int
    status: str
    model_hashes: str
    inputs: str
    answer: bytes
    input: bytes
    dictionary: bytes
    key: DataKeyRow | None


def read_assessment(connection: Connection, sealing: Sealing, id: UUID) -> StoredAssessment:
    """Return an assessment and the outcomes that were reported of it.

    Raises
    ------
    UnknownAssessment
        If no assessment has this id.
    ErasedAssessment
        If its content was erased.
    LogDamaged
        If what is stored is not what was written.
    """
    assessment = _one(_found(connection, "WHERE entry.id = :id", id))
    assert assessment.key is not None  # what was erased is refused by then
    outcomes = _found(connection, "WHERE about = :id ORDER BY position", id)
    return StoredAssessment(
        id=id,
        when=moment(assessment.written_at),
        status=assessment.status,
        model_hashes=json.loads(assessment.model_hashes),
        answer=_answer(assessment, sealing),
        input=_input(assessment, sealing),
        reference=assessment.key.reference,
        outcomes=tuple(
            StoredOutcome(UUID(bytes=o.id), moment(o.written_at), _answer(o, sealing))
            for o in outcomes
            if o.key is not None
        ),
    )


def was_sent(connection: Connection, sealing: Sealing, id: UUID, content: bytes) -> bool:
    """Tell whether these are the very bytes that were sent for an assessment.

    Raises
    ------
    UnknownAssessment, ErasedAssessment, LogDamaged
        As :func:`read_assessment` does.
    """
    found = _one(_found(connection, "WHERE entry.id = :id", id))
    assert found.key is not None
    if found.inputs == Inputs.HASH:
        return sealing.is_input(found.key, found.input, content)
    return sealing.input(found.key, found.input) == content


def expect_assessment(connection: Connection, id: UUID) -> None:
    """Make sure that an assessment is there; raises UnknownAssessment or ErasedAssessment."""
    _one(_found(connection, "WHERE entry.id = :id", id))


def _one(found: Iterator[_Found]) -> _Found:
    assessment = next(found, None)
    if assessment is None or assessment.kind != Kind.ASSESSMENT:
        raise UnknownAssessment
    if assessment.key is None:
        raise ErasedAssessment
    return assessment


def _found(connection: Connection, where: str, id: UUID) -> Iterator[_Found]:
    for row in connection.rows(_COLUMNS + where, id=id.bytes):
        key = None if row[-1] is None else DataKeyRow(*row[-len(DataKeyRow._fields) :])
        yield _Found._make((*row[: -len(DataKeyRow._fields)], key))


def _answer(found: _Found, sealing: Sealing) -> bytes:
    assert found.key is not None
    try:
        return restored(sealing.answer(found.key, found.answer), found.dictionary)
    except NotRestored:
        raise LogDamaged from None


def _input(found: _Found, sealing: Sealing) -> bytes | None:
    assert found.key is not None
    return sealing.input(found.key, found.input) if found.inputs == Inputs.ENCRYPTED else None
