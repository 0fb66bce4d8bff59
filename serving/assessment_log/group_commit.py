"""All who wait share one flush to disk.

What all bring who are being answered is one transaction, gathered for some milliseconds at most.
Where nothing has to be waited for but a prompt disk, and two milliseconds for another worker, the
thread of the event loop writes it at once: to wake another thread takes longer than the write, and
nothing could be sent meanwhile. Whatever else there is to wait for, a database elsewhere, a lock
that is held for long, a slow disk, is left to a thread of its own, and what arrives meanwhile is
written together next. A caller hears of its row after it is durable, or that it is not.
"""

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from enum import Enum

from serving.assessment_log.counters import Counters
from serving.assessment_log.disk_pace import DiskPace
from serving.assessment_log.entries import LogEntry, Receipt
from serving.assessment_log.log_writer import LogWriter
from serving.assessment_log.preparation import Prepared
from serving.assessment_log.refusals import LogDamaged, LogRefused, LogUnavailable, kind_of
from serving.assessment_log.turns import Turn

Write = Callable[[LogWriter, Sequence[Prepared]], list[Receipt] | None]

_journal = logging.getLogger(__name__)

MOST_WAITING_BYTES = 64 * 1024 * 1024
_MOST_ROWS = 1_000
"""A transaction takes no further call beyond these."""

_GATHERING_SECONDS = 0.004
"""How long the first caller of a turn may wait for others who are being answered."""
_ENDED = "the assessment log is closed"
_PAUSES = (0.0, 0.1, 0.2, 0.5, 1.0)
"""Seconds before the log is opened again, by failures since rows were last written; the last stays.

A disk may have room for a new beginning and not for a row: such a log is not to try all the time.
"""


class _Signal(Enum):
    """What the thread is told beside turns."""

    FAILED = "the log must be opened again"
    CLOSE = "no more will come"


class GroupCommit:
    """Writes what is submitted, at once or in a thread of its own."""

    def __init__(
        self, open_writer: Callable[[], LogWriter], errors: tuple[type[Exception], ...]
    ) -> None:
        """Open the log and start the thread; a database that is away is tried again by itself.

        Parameters
        ----------
        open_writer
            Opens the log for writing; called again after every failure.
        errors
            What it raises when the database cannot do what it is asked.

        Raises
        ------
        LogRefused
            If the log is not set up as it must be.
        """
        self._open_writer = open_writer
        self._writer: LogWriter | None = None
        self._writing = threading.Lock()
        """Held by the thread that uses the writer."""
        self._pace = DiskPace()
        self._here = threading.local()
        self._queue: queue.SimpleQueue[Turn | _Signal] = queue.SimpleQueue()
        self._unfinished: deque[Turn] = deque()
        self._closing = threading.Event()
        self._has_ended = False
        self._counting = threading.Lock()
        self._bytes = 0
        self.counters = Counters()
        self.refusal: str | None = None
        self._failures = 0
        self._open(errors)
        self._thread = threading.Thread(target=self._run, name="assessment-log", daemon=True)
        self._thread.start()

    @property
    def lag(self) -> float:
        """Seconds for which the oldest row has been waiting to be durable; 0 if none waits."""
        try:
            return time.monotonic() - self._unfinished[0].since
        except IndexError:
            return 0.0

    def submit(self, entries: Sequence[LogEntry]) -> "asyncio.Future[list[Receipt]]":
        """Queue rows that belong into one transaction; called within a running event loop.

        Raises
        ------
        LogUnavailable
            At once, if the log cannot be written to or too much waits already.
        """
        writer = self._writer
        if writer is None or self._closing.is_set() or self._bytes > MOST_WAITING_BYTES:
            raise LogUnavailable(self.refusal or "too many answers wait for the disk")
        loop = asyncio.get_running_loop()
        rows = [writer.preparation.prepared(entry) for entry in entries]
        with self._counting:
            if self._has_ended:
                raise LogUnavailable(_ENDED)
            turn: Turn | None = getattr(self._here, "turn", None)
            if turn is None or turn.loop is not loop or turn.is_taken or turn.count >= _MOST_ROWS:
                turn = self._here.turn = Turn(loop)
                self._unfinished.append(turn)
                loop.call_soon(self._hand_over, turn, 0)
            before = turn.size
            future = turn.add(rows)
            self._bytes += turn.size - before
        return future

    def _hand_over(self, turn: Turn, calls: int) -> None:
        """Hand a turn over once it no longer grows: one flush for all who are being answered."""
        if len(turn.calls) > calls and time.monotonic() - turn.since < _GATHERING_SECONDS:
            turn.loop.call_soon(self._hand_over, turn, len(turn.calls))
            return
        with self._counting:
            if turn.is_taken:  # at the end the log's thread takes whatever is there
                return
            turn.is_taken = True
        if self._is_settled_at_once(turn):
            return
        with self._counting:
            has_ended = self._has_ended
            if not has_ended:
                self._queue.put(turn)
        if has_ended:
            self._turn_away([turn], LogUnavailable(_ENDED))

    def _is_settled_at_once(self, turn: Turn) -> bool:
        """Write a turn here and now; False if more than a prompt disk must be waited for."""
        if len(self._unfinished) > 1 or not self._writing.acquire(blocking=False):
            return False
        try:
            writer = self._writer
            if writer is None or not writer.waits_for_disk_only or not self._pace.is_prompt:
                return False
            return self._is_settled([turn], writer, self._write_at_once)
        finally:
            self._writing.release()

    def _write_at_once(self, writer: LogWriter, rows: Sequence[Prepared]) -> list[Receipt] | None:
        begun = time.monotonic()
        try:
            return writer.write_at_once(rows)
        finally:
            self._pace.took(time.monotonic() - begun)

    def _write(self, writer: LogWriter, rows: Sequence[Prepared]) -> list[Receipt]:
        try:
            return writer.write(rows)
        finally:  # what else takes long here is waiting for the interpreter or for a lock
            self._pace.took(writer.flush_seconds)

    def close(self) -> None:
        """Write what waits, and end the thread."""
        self._closing.set()
        self._queue.put(_Signal.CLOSE)
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._is_open() and (turns := self._take()) is not None:
                with self._writing:
                    writer = self._writer
                    if writer is None:  # another thread found out meanwhile
                        self._turn_away(turns, LogUnavailable(self.refusal))
                    elif turns:
                        self._is_settled(turns, writer, self._write)
        finally:
            self._end()

    def _end(self) -> None:
        """Write what was still being gathered or has just been queued, and close."""
        with self._counting:
            self._has_ended = True
            left = [turn for turn in self._unfinished if not turn.is_taken]
            for turn in left:
                turn.is_taken = True
        self.refusal = self.refusal or _ENDED
        with self._writing:
            for turn in [*self._queued(), *left]:
                if self._writer is None:
                    self._turn_away([turn], LogUnavailable(self.refusal))
                else:
                    self._is_settled([turn], self._writer, self._write)
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def _queued(self) -> list[Turn]:
        """Take everything out of the queue, now that nothing is put into it any more."""
        taken = []
        with suppress(queue.Empty):
            while True:
                taken.append(self._queue.get_nowait())
        return [turn for turn in taken if isinstance(turn, Turn)]

    def _is_open(self) -> bool:
        """Open the log until it is open; False once it shall be closed."""
        while self._writer is None:
            self._turn_away(self._waiting(), LogUnavailable(self.refusal))
            if self._closing.wait(_PAUSES[min(self._failures, len(_PAUSES)) - 1]):
                return False
            self._open((Exception,))
        return True

    def _open(self, forgiven: tuple[type[Exception], ...]) -> None:
        try:
            writer = self._open_writer()
        except forgiven as error:
            self._refuse(error)
        else:
            self.refusal = None
            self.counters.opened += 1
            # Last: from here on the thread of the event loop may use it, and find it failing.
            self._writer = writer

    def _refuse(self, error: Exception) -> None:
        """Say what is wrong in words that hold no value, path or address."""
        self._failures += 1
        reason = f"the assessment log cannot be written ({kind_of(error)})"
        if isinstance(error, LogRefused | LogDamaged):
            reason = str(error)
        if reason != self.refusal:
            _journal.error("%s", reason)
        self.refusal = reason

    def _take(self) -> list[Turn] | None:
        """Wait for turns and take those that are there; None once the log is closed and empty."""
        first = self._queue.get()
        if first is _Signal.CLOSE:
            return None
        taken = [first] if isinstance(first, Turn) else []
        return taken + self._waiting(sum(turn.count for turn in taken))

    def _waiting(self, rows: int = 0) -> list[Turn]:
        """Take the turns that wait, as long as their rows make one transaction."""
        turns: list[Turn] = []
        while rows < _MOST_ROWS:
            try:
                turn = self._queue.get_nowait()
            except queue.Empty:
                break
            if turn is _Signal.CLOSE:
                self._queue.put(turn)
                break
            if isinstance(turn, Turn):
                turns.append(turn)
                rows += turn.count
        return turns

    def _is_settled(self, turns: list[Turn], writer: LogWriter, write: Write) -> bool:
        """Write turns and tell their callers how it went; False if nothing was tried."""
        rows = [row for turn in turns for row in turn.rows]
        try:
            receipts = write(writer, rows)
        except Exception as error:  # whatever it is, nobody is told that a row is there
            writer.close()
            self._refuse(error)
            self._writer = None
            self._turn_away(turns, LogUnavailable(self.refusal))
            self._queue.put(_Signal.FAILED)
            return True
        if receipts is None:
            return False
        self._failures = 0
        self.counters.rows += len(rows)
        self.counters.transactions += 1
        self._done(turns)
        for turn in turns:
            told, receipts = receipts[: turn.count], receipts[turn.count :]
            turn.tell(told)
        return True

    def _turn_away(self, turns: list[Turn], why: LogUnavailable) -> None:
        self._done(turns)
        for turn in turns:
            turn.tell(why)

    def _done(self, turns: list[Turn]) -> None:
        for turn in turns:
            with self._counting:
                self._unfinished.remove(turn)
                self._bytes -= turn.size
