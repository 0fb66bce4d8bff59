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

    def chained(self, writer: bytes, sequence: int, previous: bytes, written_at: int) -> "EntryRow":
        """Return the row in its place in a writer's chain, with its hash."""
        columns = self.id, writer, sequence, previous, written_at, *self[_CONTENT:-1]
        return EntryRow._make((*columns, digest(columns)))


_CONTENT = EntryRow._fields.index("kind")
"""Where the columns begin that do not depend on the place in the chain."""


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


def digest(values: tuple[object, ...]) -> bytes:
    """Return the sha256 over values, each preceded by its type and length.

    No two different sequences of bytes, text, whole numbers and None give the same bytes. Whatever
    else an altered database may hold counts as something else.
    """
    parts = []
    for value in values:
        if isinstance(value, bytes):
            content = value
            parts.append(b"b%d:" % len(content))
        elif isinstance(value, str):
            content = value.encode("utf-8", "surrogatepass")
            parts.append(b"s%d:" % len(content))
        else:
            content = repr(value).encode()
            parts.append(b"v%d:" % len(content))
        parts.append(content)
    return hashlib.sha256(b"".join(parts)).digest()
