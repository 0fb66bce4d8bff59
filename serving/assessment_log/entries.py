"""What goes into the log and what comes back."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

_VERSION_AND_VARIANT = (0x7 << 76) | (0x2 << 62)
_RANDOM_BITS = ((1 << 76) - 1) & ~(0x3 << 62)


class Kind(StrEnum):
    """What a row is about."""

    ASSESSMENT = "assessment"
    OUTCOME = "outcome"
    ERASURE = "erasure"
    EXPORT = "export"

    @property
    def is_of_the_site(self) -> bool:
        """Whether it says what the site did, in ids alone: readable when all keys are gone."""
        return self in (Kind.ERASURE, Kind.EXPORT)


def new_id() -> UUID:
    """Return a UUID of version 7 (RFC 9562): the time in milliseconds, then 74 random bits.

    Ids of one day lie side by side in every index, and tell the age of a row to whoever deletes by
    age; they cannot be guessed.
    """
    milliseconds = time.time_ns() // 1_000_000
    drawn = int.from_bytes(os.urandom(10)) & _RANDOM_BITS
    return UUID(int=milliseconds << 80 | _VERSION_AND_VARIANT | drawn)


def first_id_at(when: datetime) -> UUID:
    """Return the smallest id that :func:`new_id` could have given at a time."""
    milliseconds = max(0, int(when.timestamp() * 1000))  # ids begin in 1970
    return UUID(int=milliseconds << 80 | _VERSION_AND_VARIANT)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """One row to be written.

    ``status``, ``request_id``, ``api_key_id`` and ``model_hashes`` are stored in clear: none of
    them may come from a caller. ``answer`` and ``input`` are encrypted.
    """

    kind: Kind = Kind.ASSESSMENT
    answer: bytes
    """The very bytes that are sent: JSON in UTF-8."""
    input: bytes = b""
    """The request's body, stored encrypted or as a keyed hash only, as the site decides."""
    status: str = ""
    model_hashes: Mapping[str, str] = field(default_factory=dict)
    """Outcome to the sha256 of the model that answered."""
    request_id: str = ""
    """Made by the service."""
    api_key_id: str = ""
    """The name of the key that was used, not the key."""
    reference: str | None = None
    """The caller's opaque word for the patient: kept as a keyed hash, to find rows for erasure."""
    about: UUID | None = None
    """The assessment that an outcome belongs to."""
    id: UUID = field(default_factory=new_id)


@dataclass(frozen=True, slots=True)
class Receipt:
    """The row is durable."""

    id: UUID
    when: datetime


@dataclass(frozen=True, slots=True)
class StoredOutcome:
    """An outcome as it was reported."""

    id: UUID
    when: datetime
    report: bytes


@dataclass(frozen=True, slots=True)
class StoredAssessment:
    """An assessment as it was sent, with the outcomes reported since, oldest first."""

    id: UUID
    when: datetime
    status: str
    model_hashes: Mapping[str, str]
    answer: bytes
    input: bytes | None
    """None where the site stores hashes of inputs only."""
    reference: bytes | None
    """The keyed hash of the caller's word for the patient; None where none was sent."""
    outcomes: tuple[StoredOutcome, ...]


def moment(microseconds: int) -> datetime:
    """Return a time in UTC from microseconds since 1970."""
    seconds, rest = divmod(microseconds, 1_000_000)
    return datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
