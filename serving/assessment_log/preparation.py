"""An entry made ready to be chained: shortened and encrypted, by whoever brings it.

The thread that writes holds up everybody who waits, so it gets rows that are finished but for their
place in the chain.
"""

from typing import NamedTuple
from uuid import UUID

import orjson

from serving.assessment_log.compression import Compression
from serving.assessment_log.entries import LogEntry
from serving.assessment_log.rows import DataKeyRow, EntryRow
from serving.assessment_log.sealing import Sealing


class Prepared(NamedTuple):
    """A row without its place in the chain, and the key that opens it."""

    id: UUID
    row: EntryRow
    key: DataKeyRow | None


class Preparation:
    """Makes entries ready for one log."""

    def __init__(self, compression: Compression, sealing: Sealing) -> None:
        """Shorten and seal by these."""
        self.compression = compression
        self.sealing = sealing

    def prepared(self, entry: LogEntry) -> Prepared:
        """Return the rows of an entry."""
        id = entry.id.bytes
        if entry.kind.is_of_the_site:
            answer, input, key = entry.answer, None, None
        else:
            shorter = self.compression.compressed(entry.answer)
            answer, input, key = self.sealing.seal(id, shorter, entry.input, entry.reference)
        row = EntryRow(
            id=id,
            writer=b"",
            sequence=0,
            previous=b"",
            written_at=0,
            kind=entry.kind.value,
            request_id=entry.request_id,
            api_key_id=entry.api_key_id,
            model_hashes=orjson.dumps(
                dict(entry.model_hashes), option=orjson.OPT_SORT_KEYS
            ).decode(),
            status=entry.status,
            about=None if entry.about is None else entry.about.bytes,
            inputs=self.sealing.inputs.value,
            answer=answer,
            input=input,
        )
        return Prepared(entry.id, row, key)
