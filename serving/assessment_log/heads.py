"""How far every chain came, as one small file to be kept where nobody who writes the log can reach.

Ends that a later chain names need not be listed: they are behind the one that names them.
"""

import json
from datetime import UTC, datetime
from typing import Any, NamedTuple

from serving.assessment_log.database import Connection
from serving.assessment_log.log_writer import ends
from serving.assessment_log.refusals import LogRefused

NO_MARKS = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""What reading as JSON, and as marks, may raise of something else."""


class Mark(NamedTuple):
    """A row that must be there: who says so, its place and its hash."""

    said_by: str
    writer: bytes
    sequence: int
    hash: bytes


def exported_heads(connection: Connection) -> bytes:
    """Return the ends of all chains as JSON, to be exported."""
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    listed = {"made_at": made_at, "ends": ends(connection)}
    return (json.dumps(listed, indent=1) + "\n").encode()


def read_heads(exported: bytes) -> list[Mark]:
    """Read what :func:`exported_heads` returned.

    Raises
    ------
    LogRefused
        If it is something else.
    """
    try:
        return marks("the exported heads", json.loads(exported)["ends"])
    except NO_MARKS:
        raise LogRefused("the file with exported heads is not one") from None


def marks(said_by: str, listed: list[Any]) -> list[Mark]:
    """Read a list of (writer, sequence, hash)."""
    return [
        Mark(said_by, bytes.fromhex(writer), int(sequence), bytes.fromhex(hash))
        for writer, sequence, hash in listed
    ]
