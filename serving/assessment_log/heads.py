"""How far every chain came, as one small file to be kept where nobody who writes the log can reach.

Ends that a later chain names need not be listed: they are behind the one that names them.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from serving.assessment_log.database import Connection
from serving.assessment_log.refusals import LogRefused
from serving.assessment_log.rows import WriterRow

_WRITERS = f"SELECT {', '.join(WriterRow._fields)} FROM writer ORDER BY started_at, id"  # noqa: S608  # names of this package

NO_MARKS = (ValueError, KeyError, TypeError, OverflowError, RecursionError)
"""What reading as JSON, and as marks, may raise of something else."""


class Mark(NamedTuple):
    """A row that must be there: who says so, its place and its hash."""

    said_by: str
    writer: bytes
    sequence: int
    hash: bytes


def exported_heads(connection: Connection) -> bytes:
    """Return the ends of all chains as JSON, to be exported.

    Raises
    ------
    LogRefused
        If there is none: such an export would be true to whatever is put in the log's place.
    """
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    listed = {"made_at": made_at, "ends": ends(connection)}
    if not listed["ends"]:
        raise LogRefused(
            "the log has no heads to export: nobody has written to it yet, or `cart-risk "
            "verify-log` says what was removed"
        )
    return (json.dumps(listed, indent=1) + "\n").encode()


def read_heads(exported: bytes) -> list[Mark]:
    """Read what :func:`exported_heads` returned.

    Raises
    ------
    LogRefused
        If it is something else, or names none, against which every log would be whole.
    """
    try:
        heads = marks("the exported heads", json.loads(exported)["ends"])
    except NO_MARKS:
        raise LogRefused("the file with exported heads is not one") from None
    if not heads:
        raise LogRefused("the file with exported heads names none: take an earlier export")
    return heads


def marks(said_by: str, listed: list[Any]) -> list[Mark]:
    """Read a list of (writer, sequence, hash)."""
    return [
        Mark(said_by, bytes.fromhex(writer), int(sequence), bytes.fromhex(hash))
        for writer, sequence, hash in listed
    ]


def ends(connection: Connection) -> list[tuple[str, int, str]]:
    """Return the heads that no later chain names yet, as (writer, sequence, hash).

    A record that was altered beyond reading names nothing: it stops nobody from writing on, and
    ``cart-risk verify-log`` finds it.
    """
    sound = [writer for writer in writers(connection) if is_sound(writer)]
    named = {(m.writer, m.sequence) for w in sound for m in marks("", json.loads(w.follows))}
    last = [writer for writer in sound if (writer.id, writer.sequence) not in named]
    return [(writer.id.hex(), writer.sequence, writer.head.hex()) for writer in last]


def writers(connection: Connection) -> Iterator[WriterRow]:
    """Return the record of every writer, in the order of their beginnings."""
    return map(WriterRow._make, connection.rows(_WRITERS))


def is_sound(writer: WriterRow) -> bool:
    """Tell whether a record can be read at all; whether it is true is looked at later."""
    types = (bytes, int, bytes, str, bytes, int, bytes, bytes)
    if not all(isinstance(value, kind) for value, kind in zip(writer, types, strict=True)):
        return False
    try:
        marks("", json.loads(writer.follows))
    except NO_MARKS:
        return False
    return writer.sequence >= 0
