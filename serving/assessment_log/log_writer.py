"""One chain of rows: each names the hash of the one before, and the writer's head the last.

A chain belongs to one connection of one process. Whatever fails ends it, because nobody can know
whether a failed commit reached the disk; the next row begins a new chain, which names the ends of
those before it.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterable, Sequence
from uuid import UUID

from serving.assessment_log.compression import Compression
from serving.assessment_log.database import Database
from serving.assessment_log.entries import Receipt, moment
from serving.assessment_log.heads import ends
from serving.assessment_log.log_secret import log_secret
from serving.assessment_log.preparation import Preparation, Prepared
from serving.assessment_log.refusals import LogDamaged
from serving.assessment_log.rows import (
    DATA_KEY,
    ENTRY,
    WRITER,
    DataKeyRow,
    EntryRow,
    WriterRow,
    digest,
)
from serving.assessment_log.sealing import Inputs, Sealing
from serving.assessment_log.site_key import SiteKeys

_WRITER_ID_BYTES = 16
_ADVANCE = (
    "UPDATE writer SET sequence = :sequence, head = :head, seal = :seal "
    "WHERE id = :id AND sequence = :before"
)


class LogWriter:
    """Writes to one log in one chain, durably, for one thread at a time."""

    flush_seconds = 0.0
    """How long the last commit of :meth:`write` took: the disk, and hardly anything else."""

    def __init__(
        self, database: Database, keys: SiteKeys, inputs: Inputs, example: bytes = b""
    ) -> None:
        """Begin a chain; that this could be written shows that the log can be written to.

        Parameters
        ----------
        example
            The answer to an invented patient: see :mod:`serving.assessment_log.compression`.
        """
        self._errors = database.errors
        self._connection = database.connect()
        try:
            self._connection.begin()
            sealing = Sealing(keys, log_secret(self._connection, keys), inputs)
            self.preparation = Preparation(Compression(example), sealing)
            self._row = self._beginning()
            self._connection.insert(WRITER, WriterRow._fields, [self._row])
            self._connection.commit()
        except BaseException:
            self.close()
            raise

    def _beginning(self) -> WriterRow:
        connection, content = self._connection, self.preparation.compression.dictionary
        dictionary = digest((content,))
        known = connection.rows("SELECT 1 FROM dictionary WHERE id = :id", id=dictionary)
        if next(known, None) is None:
            connection.insert("dictionary", ("id", "content"), [(dictionary, content)])
        row = WriterRow(
            id=os.urandom(_WRITER_ID_BYTES),
            started_at=_now(),
            dictionary=dictionary,
            follows=json.dumps(ends(connection), separators=(",", ":")),
            genesis=b"",
            sequence=0,
            head=b"",
            seal=b"",
        )
        return self._at(row._replace(genesis=row.beginning()), 0, row.beginning())

    def _at(self, row: WriterRow, sequence: int, head: bytes) -> WriterRow:
        seal = self.preparation.sealing.head_seal(row.id, sequence, head)
        return row._replace(sequence=sequence, head=head, seal=seal)

    @property
    def waits_for_disk_only(self) -> bool:
        """Tell whether the database lies on this machine."""
        return self._connection.waits_for_disk_only

    def write(self, prepared: Sequence[Prepared], erase: Iterable[UUID] = ()) -> list[Receipt]:
        """Write rows and destroy the keys of others, all of it or nothing; durable on return.

        After any error the writer is to be closed, and nothing of this call counts as written.
        """
        self.flush_seconds = 0.0
        rows = self._chained(prepared, _now())
        self._connection.begin()
        head = self._inserted(rows, prepared, erase)
        begun = time.monotonic()
        try:
            self._connection.commit()
        finally:
            self.flush_seconds = time.monotonic() - begun
        return self._receipts(head, rows, prepared)

    def write_unflushed(self, prepared: Sequence[Prepared]) -> list[Receipt] | None:
        """Write rows that are durable after :meth:`flush`; None where somebody is in the way."""
        rows = self._chained(prepared, _now())
        if not self._connection.begin_at_once():
            return None
        head = self._inserted(rows, prepared, ())
        self._connection.commit_unflushed()
        return self._receipts(head, rows, prepared)

    def flush(self) -> None:
        """Return when all that was written is durable; another thread may write meanwhile.

        After any error the writer is to be closed, and nothing that waited counts as written.
        """
        self._connection.flush()

    def _inserted(
        self, rows: list[EntryRow], prepared: Sequence[Prepared], erase: Iterable[UUID]
    ) -> WriterRow:
        """Insert rows and destroy keys; return the chain's head once this is committed."""
        head = self._at(self._row, rows[-1].sequence, rows[-1].hash)
        connection = self._connection
        connection.insert(ENTRY, EntryRow._fields, rows)
        if keys := [p.key for p in prepared if p.key is not None]:
            connection.insert(DATA_KEY, DataKeyRow._fields, keys)
        if destroyed := [{"entry": row.bytes} for row in erase]:
            connection.change("DELETE FROM data_key WHERE entry = :entry", destroyed)
        place = {"id": head.id, "sequence": head.sequence, "head": head.head, "seal": head.seal}
        if connection.change(_ADVANCE, [place | {"before": self._row.sequence}]) != 1:
            raise LogDamaged
        return head

    def _receipts(
        self, head: WriterRow, rows: list[EntryRow], prepared: Sequence[Prepared]
    ) -> list[Receipt]:
        self._row = head
        when = moment(rows[0].written_at)
        return [Receipt(one.id, when) for one in prepared]

    def _chained(self, prepared: Sequence[Prepared], written_at: int) -> list[EntryRow]:
        writer, sequence, previous = self._row.id, self._row.sequence, self._row.head
        rows = []
        for place, one in enumerate(prepared, start=sequence + 1):
            row = one.row.chained(writer, place, previous, written_at)
            previous = row.hash
            rows.append(row)
        return rows

    def close(self) -> None:
        """Close the connection; what was not committed is undone."""
        with contextlib.suppress(*self._errors):  # a broken connection cannot say goodbye
            self._connection.close()


def _now() -> int:
    return time.time_ns() // 1_000
