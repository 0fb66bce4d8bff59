"""The tables' rows, and the bytes of a row that its hash is taken over."""

import hashlib
from typing import NamedTuple

ENTRY = "entry"
DATA_KEY = "data_key"
WRITER = "writer"


class EntryRow(NamedTuple):
    """One row of the log, never changed once it is written.

    Text, or bytes where they are encrypted or hashed; times in microseconds since 1970, UTC.
    """

    id: bytes
    writer: bytes
    sequence: int
    """1 for the first row of a writer, then one more for each."""
    previous: bytes
    """The hash of the writer's row before; for its first row the hash of its beginning."""
    written_at: int
    kind: str
    request_id: str
    api_key_id: str
    model_hashes: str
    status: str
    about: bytes | None
    inputs: str
    answer: bytes
    input: bytes | None
    hash: bytes = b""

    def digest(self) -> bytes:
        """Return the sha256 over every column but the hash itself, each with its length."""
        return digest(self[:-1])


class DataKeyRow(NamedTuple):
    """What opens a row; destroyed when the row is erased."""

    entry: bytes
    reference: bytes | None
    """The keyed hash of the caller's word for the patient."""
    site_key: bytes
    wrapped: bytes


class WriterRow(NamedTuple):
    """One process that wrote, where it began and how far it came."""

    id: bytes
    started_at: int
    dictionary: bytes
    follows: str
    """JSON: the last rows of the writers before it, as [writer, sequence, hash]."""
    genesis: bytes
    sequence: int
    head: bytes
    seal: bytes

    def beginning(self) -> bytes:
        """Return what ``genesis`` must be."""
        return digest((self.id, self.started_at, self.dictionary, self.follows))


def digest(values: tuple[bytes | str | int | None, ...]) -> bytes:
    """Return the sha256 over values, each preceded by its type and length.

    No two different sequences of values give the same bytes.
    """
    parts = []
    for value in values:
        if value is None:
            parts.append(b"-")
            continue
        if isinstance(value, bytes):
            kind, content = b"b", value
        elif isinstance(value, str):
            kind, content = b"s", value.encode()
        else:
            kind, content = b"i", b"%d" % value
        parts += (kind, len(content).to_bytes(8), content)
    return hashlib.sha256(b"".join(parts)).digest()
