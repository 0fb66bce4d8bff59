"""All who wait share one flush to disk.

One thread writes. What a turn of the event loop brings is handed to it together, and what arrives
while it flushes is written together next. A caller hears of its row after it is durable, or that it
is not.
"""

import asyncio
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from serving.assessment_log.entries import LogEntry, Receipt
from serving.assessment_log.log_writer import LogWriter
from serving.assessment_log.preparation import Prepared
from serving.assessment_log.refusals import LogDamaged, LogRefused, LogUnavailable, kind_of

_journal = logging.getLogger(__name__)

MOST_WAITING_BYTES = 64 * 1024 * 1024
_MOST_ROWS = 1_000
_PAUSES = (0.0, 0.1, 0.2, 0.5, 1.0)
"""Seconds before the log is opened again, by failures since rows were last written; the last stays.

A disk may have room for a new beginning and not for a row: such a log is not to try all the time.
"""


@dataclass(slots=True)
class Counters:
    """What an operator's metrics are made of; all only grow."""

    rows: int = 0
    transactions: int = 0
    transaction_seconds: float = 0.0
    unavailable: int = 0
    """Calls that heard that their rows are not on disk."""
    opened: int = 0
    """How often a chain was begun: once, and again after each failure."""


@dataclass(slots=True)
class _Call:
    """One call: its rows, and whom to tell."""

    rows: list[Prepared]
    future: asyncio.Future[list[Receipt]]


@dataclass(slots=True)
class _Turn:
    """The calls of one turn of an event loop."""

    loop: asyncio.AbstractEventLoop
    calls: list[_Call] = field(default_factory=list)
    size: int = 0
    since: float = field(default_factory=time.monotonic)

    def tell(self, answers: list[list[Receipt]] | LogUnavailable) -> None:
        """Wake all callers with one call into their event loop."""
        if not self.loop.is_closed():  # nobody waits there any more
            self.loop.call_soon_threadsafe(self._settle, answers)

    def _settle(self, answers: list[list[Receipt]] | LogUnavailable) -> None:
        for place, call in enumerate(self.calls):
            if call.future.done():  # the caller went away
                continue
            if isinstance(answers, LogUnavailable):
                call.future.set_exception(answers)
            else:
                call.future.set_result(answers[place])


class GroupCommit:
    """The queue and its thread."""

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
        self._here = threading.local()
        self._queue: queue.SimpleQueue[_Turn | None] = queue.SimpleQueue()
        self._unfinished: deque[_Turn] = deque()
        self._closing = threading.Event()
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
            self.counters.unavailable += 1
            raise LogUnavailable(self.refusal or "too many answers wait for the disk")
        loop = asyncio.get_running_loop()
        rows = [writer.preparation.prepared(entry) for entry in entries]
        turn: _Turn | None = getattr(self._here, "turn", None)
        if turn is None or turn.loop is not loop:
            turn = self._here.turn = _Turn(loop)
            loop.call_soon(self._hand_over, turn)
        size = sum(len(row.answer) + len(row.input or b"") for row, _ in rows)
        turn.size += size
        with self._counting:
            self._bytes += size
        future: asyncio.Future[list[Receipt]] = loop.create_future()
        turn.calls.append(_Call(rows, future))
        return future

    def _hand_over(self, turn: _Turn) -> None:
        self._here.turn = None
        self._unfinished.append(turn)
        self._queue.put(turn)

    def close(self) -> None:
        """Write what waits, and end the thread."""
        self._closing.set()
        self._queue.put(None)
        self._thread.join()

    def _run(self) -> None:
        while True:
            writer = self._writer
            if writer is not None:
                turns = self._take()
                if not turns:
                    writer.close()
                    return
                self._write(writer, turns)
                continue
            self._turn_away(self._waiting(), LogUnavailable(self.refusal))
            if self._closing.wait(_PAUSES[min(self._failures, len(_PAUSES)) - 1]):
                return
            self._open((Exception,))

    def _open(self, forgiven: tuple[type[Exception], ...]) -> None:
        try:
            self._writer = self._open_writer()
        except forgiven as error:
            self._refuse(error)
        else:
            self.refusal = None
            self.counters.opened += 1

    def _refuse(self, error: Exception) -> None:
        """Say what is wrong in words that hold no value, path or address."""
        self._failures += 1
        reason = f"the assessment log cannot be written ({kind_of(error)})"
        if isinstance(error, LogRefused | LogDamaged):
            reason = str(error)
        if reason != self.refusal:
            _journal.error("%s", reason)
        self.refusal = reason

    def _take(self) -> list[_Turn]:
        """Wait for rows and take those that are there; nothing once the log is closed and empty."""
        first = self._queue.get()
        return [] if first is None else [first, *self._waiting(sum(map(_rows, [first])))]

    def _waiting(self, rows: int = 0) -> list[_Turn]:
        """Take the turns that wait, as long as their rows make one transaction."""
        turns: list[_Turn] = []
        while rows < _MOST_ROWS:
            try:
                turn = self._queue.get_nowait()
            except queue.Empty:
                break
            if turn is None:
                self._queue.put(None)
                break
            turns.append(turn)
            rows += _rows(turn)
        return turns

    def _write(self, writer: LogWriter, turns: list[_Turn]) -> None:
        begun = time.monotonic()
        rows = [row for turn in turns for call in turn.calls for row in call.rows]
        try:
            receipts = iter(writer.write(rows))
        except Exception as error:  # whatever it is, nobody is told that a row is there
            writer.close()
            self._writer = None
            self._refuse(error)
            self._turn_away(turns, LogUnavailable(self.refusal))
            return
        self._failures = 0
        self.counters.rows += len(rows)
        self.counters.transactions += 1
        self.counters.transaction_seconds += time.monotonic() - begun
        self._done(turns)
        for turn in turns:
            turn.tell([[next(receipts) for _ in call.rows] for call in turn.calls])

    def _turn_away(self, turns: list[_Turn], why: LogUnavailable) -> None:
        self._done(turns)
        for turn in turns:
            self.counters.unavailable += len(turn.calls)
            turn.tell(why)

    def _done(self, turns: list[_Turn]) -> None:
        for turn in turns:
            self._unfinished.popleft()
            with self._counting:
                self._bytes -= turn.size


def _rows(turn: _Turn) -> int:
    return sum(len(call.rows) for call in turn.calls)
