"""One chain, row by row, in the order in which the rows lie in the log."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from serving.assessment_log.heads import Mark
from serving.assessment_log.rows import EntryRow, WriterRow


class Finding(NamedTuple):
    """Something that is not as it was written."""

    kind: str
    """altered, missing, reordered, duplicated, truncated, forged, unknown_writer or unreadable."""
    where: str
    message: str


@dataclass(slots=True)
class ChainCheck:
    """Follows one writer's rows; :meth:`end` says what is missing."""

    writer: str
    head: WriterRow | None
    marks: dict[int, list[Mark]]
    """Rows that others say must be there, by sequence."""
    findings: list[Finding] = field(default_factory=list)
    _expected: int = 1
    _previous: bytes | None = None
    _gaps: list[tuple[int, int]] = field(default_factory=list)
    _late: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Start from the writer's own record, if there is one."""
        if self.head is None:
            self._find("unknown_writer", None, "there is no sound record of this writer")
            return
        self._previous = self.head.genesis
        if self.head.beginning() != self.head.genesis:
            self._find("altered", None, "the record of how the writer began was changed")
        self._compare(0, self.head.genesis)

    def _find(self, kind: str, sequence: int | None, message: str) -> None:
        row = "" if sequence is None else f", row {sequence}"
        self.findings.append(Finding(kind, f"writer {self.writer}{row}", message))

    def follow(self, row: EntryRow) -> bool:
        """Check the next row that lies in the log; tell whether it has the hash it was given."""
        is_sound = row.digest() == row.hash
        if not is_sound:
            # Its place is taken for granted: the sequence that it claims may be what was altered.
            self._find("altered", self._expected, "the row does not have the hash it was given")
            self._advance(self._expected, row.hash)
        elif row.sequence < self._expected:
            self._is_late(row.sequence)
        else:
            if row.sequence > self._expected:
                self._gaps.append((self._expected, row.sequence - 1))
            elif self._previous not in (None, row.previous):
                message = "the row does not continue the one before: one of the two was replaced"
                self._find("altered", row.sequence, message)
            self._advance(row.sequence, row.hash)
        return is_sound

    def _is_late(self, sequence: int) -> None:
        if sequence not in self._late and any(a <= sequence <= b for a, b in self._gaps):
            self._late.add(sequence)
            self._find("reordered", sequence, "the row lies behind rows that were written later")
        else:
            self._find("duplicated", sequence, "a row of this number was there before")

    def _advance(self, sequence: int, hash: bytes) -> None:
        self._expected, self._previous = sequence + 1, hash
        self._compare(sequence, hash)

    def _compare(self, sequence: int, hash: bytes) -> None:
        for mark in self.marks.pop(sequence, ()):
            if mark.hash != hash:
                message = f"{mark.said_by} says that its hash was another one"
                self._find("altered", sequence, message)

    def end(self) -> list[Finding]:
        """Return everything that was found, once all rows have been followed."""
        for start, stop in self._gaps:
            missing = stop - start + 1 - sum(start <= late <= stop for late in self._late)
            if missing:
                message = f"{missing} row(s) from here to {stop} are not there"
                self._find("missing", start, message)
        last = self._expected - 1
        if self.head is not None:
            self._end_at(self.head, last)
        for sequence in sorted(self.marks):
            if sequence > last:
                message = f"{self.marks[sequence][0].said_by} says that there was such a row"
                self._find("truncated", sequence, message)
        return self.findings

    def _end_at(self, head: WriterRow, last: int) -> None:
        if head.sequence > last:
            message = f"{head.sequence - last} row(s) from here to the writer's head were cut off"
            self._find("truncated", last + 1, message)
        elif head.sequence < last:
            message = f"the writer's head is at {head.sequence}, and rows follow it"
            self._find("forged", head.sequence, message)
        elif head.head != self._previous:
            self._find("forged", last, "the writer's head is not the hash of its last row")


def gone(marks: Iterable[Mark]) -> list[Finding]:
    """Say which marks name a writer of whom neither a record nor a row is left."""
    message = "says that there was such a writer; its record and its rows are gone"
    return [
        Finding("missing", f"writer {mark.writer.hex()}", f"{mark.said_by} {message}")
        for mark in marks
    ]
