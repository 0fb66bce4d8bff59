"""All who wait share one flush to disk.

What all bring who are being answered is one transaction, gathered for some milliseconds at most.
Where nothing has to be waited for but two milliseconds for another worker, the thread of the event
loop writes it: another thread, beside a busy loop, would wait for the interpreter several times.
The disk is then waited for by a thread of the log's own, which waits for the interpreter but once,
while the loop answers others; or by the loop, if it has nobody else to answer and the disk is
prompt: to wake another thread takes longer than such a flush. A database elsewhere, or a lock that
is held for long, is left to the log's thread altogether.
A caller hears of its row after it is durable, or that it is not.
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
from typing import NamedTuple

from serving.assessment_log.counters import Counters
from serving.assessment_log.disk_pace import DiskPace
from serving.assessment_log.entries import LogEntry, Receipt
from serving.assessment_log.log_writer import LogWriter
from serving.assessment_log.refusals import LogDamaged, LogRefused, LogUnavailable, kind_of
from serving.assessment_log.turns import State, Turn

_journal = logging.getLogger(__name__)

MOST_WAITING_BYTES = 64 * 1024 * 1024
_MOST_ROWS = 1_000
"""A transaction takes no further call beyond these."""

_GATHERING_SECONDS = 0.004
"""How long the first caller of a turn may wait for others who are being answered."""
_ENOUGH_ROWS = 8
"""So many are written, although others are still being answered: these have the processor while
those have the disk. Fewer at a time cost more transactions than they gain."""
_PROMPT_SECONDS = 0.001
"""A flush for which the loop waits itself; longer ones cost more than waking another thread."""
_STALL_SECONDS = 0.05
_ENDED = "the assessment log is closed"
_PAUSES = (0.0, 0.1, 0.2, 0.5, 1.0)
"""Seconds before the log is opened again, by failures since rows were last written; the last stays.

A disk may have room for a new beginning and not for a row: such a log is not to try all the time.
"""


class _Signal(Enum):
    """What the thread is told beside turns."""

    FAILED = "the log must be opened again"
    CLOSE = "no more will come"


class _Unflushed(NamedTuple):
    """A turn that was written and waits for the disk."""

    turn: Turn
    receipts: list[Receipt]
    writer: LogWriter


_Item = Turn | _Unflushed | _Signal


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
        """Held by the thread that writes; flushing needs none."""
        self._broken: LogWriter | None = None
        """To be closed by the log's thread, which may be flushing it."""
        self._pace = DiskPace(_STALL_SECONDS, 10)
        self._flushes = DiskPace(_PROMPT_SECONDS, 30)
        self._here = threading.local()
        self._queue: queue.SimpleQueue[_Item] = queue.SimpleQueue()
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
            if (
                turn is None
                or turn.loop is not loop
                or turn.state is not State.GATHERING
                or turn.count >= _MOST_ROWS
            ):
                turn = self._here.turn = Turn(loop)
                self._unfinished.append(turn)
                loop.call_soon(self._hand_over, turn, 0)
            before = turn.size
            future = turn.add(rows)
            self._bytes += turn.size - before
        return future

    def _hand_over(self, turn: Turn, calls: int) -> None:
        """Hand a turn over once it no longer grows, or is large enough."""
        grows = len(turn.calls) > calls
        enough = turn.count >= _ENOUGH_ROWS and not self._flushes.is_prompt
        waits = not enough and time.monotonic() - turn.since < _GATHERING_SECONDS
        if grows and waits:
            turn.loop.call_soon(self._hand_over, turn, len(turn.calls))
            return
        with self._counting:
            if turn.state is not State.GATHERING:  # at the end the log's thread takes what is there
                return
            turn.state = State.HERE
        if self._is_written_here(turn):
            return
        turn.state = State.APART
        with self._counting:
            has_ended = self._has_ended
            if not has_ended:
                self._queue.put(turn)
        if has_ended:
            self._turn_away([turn], LogUnavailable(_ENDED))

    def _is_written_here(self, turn: Turn) -> bool:
        """Write a turn here and now; False where somebody else is in the way."""
        with self._counting:
            if any(one.state is State.APART for one in self._unfinished):
                return False
        if not self._writing.acquire(blocking=False):
            return False
        try:
            writer = self._writer
            if writer is None or not writer.waits_for_disk_only or not self._pace.is_prompt:
                return False
            try:
                with self._pace.timed():
                    receipts = writer.write_unflushed(turn.rows)
                if receipts is None:
                    return False
                if self._is_flushed_later(_Unflushed(turn, receipts, writer)):
                    return True
                with self._flushes.timed():
                    writer.flush()
            except Exception as error:  # whatever it is, nobody is told that a row is there
                self._fail(writer, error, [turn])
            else:
                self._tell([turn], receipts)
            return True
        finally:
            self._writing.release()

    def _is_flushed_later(self, written: _Unflushed) -> bool:
        """Leave the disk to the log's thread where the event loop has better to do."""
        with self._counting:
            busy = any(turn.state is State.UNFLUSHED for turn in self._unfinished)
            if self._has_ended or (self._flushes.is_prompt and not busy):
                return False
            written.turn.state = State.UNFLUSHED
            self._queue.put(written)
        return True

    def close(self) -> None:
        """Write what waits, and end the thread."""
        self._closing.set()
        self._queue.put(_Signal.CLOSE)
        self._thread.join()

    def _run(self) -> None:
        try:
            while self._is_open() and (items := self._take()) is not None:
                self._settle(items)
        finally:
            self._end()

    def _settle(self, items: list[Turn | _Unflushed]) -> None:
        """Flush what was written, and write what was not."""
        if unflushed := [item for item in items if isinstance(item, _Unflushed)]:
            self._flush(unflushed)
        if turns := [item for item in items if isinstance(item, Turn)]:
            with self._writing:
                self._write(turns)

    def _flush(self, unflushed: list[_Unflushed]) -> None:
        """Flush turns and tell their callers; a writer that failed meanwhile speaks for none."""
        writer = self._writer
        lost = [item.turn for item in unflushed if item.writer is not writer]
        if lost:
            self._turn_away(lost, LogUnavailable(self.refusal))
        kept = [item for item in unflushed if item.writer is writer]
        if writer is None or not kept:
            return
        begun = time.monotonic()
        try:
            writer.flush()
        except Exception as error:  # whatever it is, nobody is told that a row is there
            with self._writing:
                self._fail(writer, error, [item.turn for item in kept])
            return
        finally:
            seconds = time.monotonic() - begun
            if seconds > _STALL_SECONDS:  # less may have been waiting for the interpreter
                self._flushes.took(seconds)
        for item in kept:
            self._tell([item.turn], item.receipts)

    def _write(self, turns: list[Turn]) -> None:
        """Write and flush turns and tell their callers how it went."""
        writer = self._writer
        if writer is None:  # another thread found out meanwhile
            self._turn_away(turns, LogUnavailable(self.refusal))
            return
        try:
            receipts = writer.write([row for turn in turns for row in turn.rows])
        except Exception as error:  # whatever it is, nobody is told that a row is there
            self._fail(writer, error, turns)
        else:
            self._tell(turns, receipts)
        finally:  # what else takes long here is waiting for the interpreter or for a lock
            self._pace.took(writer.flush_seconds)

    def _end(self) -> None:
        """Write and flush what was still being gathered or has just been queued, and close."""
        with self._counting:
            self._has_ended = True
            left = [turn for turn in self._unfinished if turn.state is State.GATHERING]
            for turn in left:
                turn.state = State.APART
        self.refusal = self.refusal or _ENDED
        self._settle([*self._queued(), *left])
        with self._writing:
            for writer in (self._broken, self._writer):
                if writer is not None:
                    writer.close()
            self._broken = self._writer = None

    def _queued(self) -> list[Turn | _Unflushed]:
        """Take everything out of the queue, now that nothing is put into it any more."""
        taken = []
        with suppress(queue.Empty):
            while True:
                taken.append(self._queue.get_nowait())
        return [item for item in taken if not isinstance(item, _Signal)]

    def _is_open(self) -> bool:
        """Open the log until it is open; False once it shall be closed."""
        while self._writer is None:
            if self._broken is not None:
                self._broken.close()
                self._broken = None
            waiting = [i.turn if isinstance(i, _Unflushed) else i for i in self._waiting()]
            self._turn_away(waiting, LogUnavailable(self.refusal))
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

    def _take(self) -> list[Turn | _Unflushed] | None:
        """Wait for something to do and take all of it; None once the log is closed and empty."""
        first = self._queue.get()
        if first is _Signal.CLOSE:
            return None
        if isinstance(first, _Signal):
            return self._waiting()
        return [first, *self._waiting(first.count if isinstance(first, Turn) else 0)]

    def _waiting(self, rows: int = 0) -> list[Turn | _Unflushed]:
        """Take what waits, as long as the rows to be written make one transaction."""
        items: list[Turn | _Unflushed] = []
        while rows < _MOST_ROWS:
            try:
                item = self._queue.get_nowait()
            except queue.Empty:
                break
            if item is _Signal.CLOSE:
                self._queue.put(item)
                break
            if not isinstance(item, _Signal):
                items.append(item)
                rows += item.count if isinstance(item, Turn) else 0
        return items

    def _fail(self, writer: LogWriter, error: Exception, turns: list[Turn]) -> None:
        """Use a writer no more, and turn away who waited for it."""
        self._refuse(error)
        self._broken, self._writer = writer, None
        self._turn_away(turns, LogUnavailable(self.refusal))
        self._queue.put(_Signal.FAILED)

    def _tell(self, turns: list[Turn], receipts: list[Receipt]) -> None:
        """Tell callers that their rows are durable."""
        self._failures = 0
        self.counters.rows += len(receipts)
        self.counters.transactions += 1
        self._done(turns)
        for turn in turns:
            told, receipts = receipts[: turn.count], receipts[turn.count :]
            turn.tell(told)

    def _turn_away(self, turns: list[Turn], why: LogUnavailable) -> None:
        self._done(turns)
        for turn in turns:
            turn.tell(why)

    def _done(self, turns: list[Turn]) -> None:
        for turn in turns:
            with self._counting:
                self._unfinished.remove(turn)
                self._bytes -= turn.size
