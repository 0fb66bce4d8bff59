"""All who wait share one flush to disk.

One thread writes. While a transaction is being flushed, others queue up; the next transaction takes
all of them. A caller hears of its row after it is durable, or that it is not.
"""

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from serving.assessment_log.entries import LogEntry, Receipt
from serving.assessment_log.log_writer import LogWriter, Prepared
from serving.assessment_log.refusals import LogDamaged, LogRefused, LogUnavailable

_journal = logging.getLogger(__name__)
MOST_WAITING_BYTES = 64 * 1024 * 1024
_MOST_ROWS = 2_000
_PAUSES = (0.0, 0.1, 0.2, 0.5, 1.0)
"""Seconds between attempts to open the log again; the last one stays."""


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
class _Waiting:
    """One call: its entries, and whom to tell."""

    entries: Sequence[LogEntry]
    future: asyncio.Future[list[Receipt]]
    since: float
    size: int


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
        self._queue: deque[_Waiting] = deque()
        self._arrived = threading.Condition()
        self._bytes = 0
        self._oldest: float | None = None
        self._closing = False
        self.counters = Counters()
        self.refusal: str | None = None
        self._open(errors)
        self._thread = threading.Thread(target=self._run, name="assessment-log", daemon=True)
        self._thread.start()

    @property
    def lag(self) -> float:
        """Seconds for which the oldest row has been waiting to be durable; 0 if none waits."""
        oldest = self._oldest
        return 0.0 if oldest is None else time.monotonic() - oldest

    def submit(self, entries: Sequence[LogEntry]) -> "asyncio.Future[list[Receipt]]":
        """Queue rows that belong into one transaction; called within a running event loop.

        Raises
        ------
        LogUnavailable
            At once, if the log cannot be written to or too much waits already.
        """
        future: asyncio.Future[list[Receipt]] = asyncio.get_running_loop().create_future()
        size = sum(len(e.answer) + len(e.input) for e in entries)
        with self._arrived:
            if self.refusal is not None or self._closing or self._bytes > MOST_WAITING_BYTES:
                self.counters.unavailable += 1
                raise LogUnavailable(self.refusal or "too many answers wait for the disk")
            since = time.monotonic()
            self._queue.append(_Waiting(entries, future, since, size))
            self._bytes += size
            if self._oldest is None:
                self._oldest = since
            self._arrived.notify()
        return future

    def close(self) -> None:
        """Write what waits, and end the thread."""
        with self._arrived:
            self._closing = True
            self._arrived.notify()
        self._thread.join()

    def _run(self) -> None:
        failures = 0
        while True:
            if self._writer is None:
                if self._pause(_PAUSES[min(failures, len(_PAUSES) - 1)]):
                    return
                self._open((Exception,))
                failures = 0 if self._writer else failures + 1
            elif batch := self._take():
                self._write(batch)
            else:
                self._writer.close()
                return

    def _pause(self, seconds: float) -> bool:
        with self._arrived:
            return self._arrived.wait_for(lambda: self._closing, seconds)

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
        reason = f"the assessment log cannot be written ({type(error).__name__})"
        if isinstance(error, LogRefused | LogDamaged):
            reason = str(error)
        if reason != self.refusal:
            _journal.error("%s", reason)
        self.refusal = reason

    def _take(self) -> list[_Waiting]:
        """Wait for rows and take all that are there; nothing once the log is closed and empty."""
        with self._arrived:
            self._arrived.wait_for(lambda: self._queue or self._closing)
            batch: list[_Waiting] = []
            rows = 0
            while self._queue and (not batch or rows + len(self._queue[0].entries) <= _MOST_ROWS):
                batch.append(self._queue.popleft())
                rows += len(batch[-1].entries)
            return batch

    def _write(self, batch: list[_Waiting]) -> None:
        writer, begun = self._writer, time.monotonic()
        assert writer is not None
        answers: list[tuple[_Waiting, list[Receipt] | Exception]] = []
        prepared: list[Prepared] = []
        sound: list[_Waiting] = []
        for call in batch:
            try:
                rows = [writer.prepare(entry) for entry in call.entries]
            except Exception as error:  # this caller's mistake, and nobody else's
                answers.append((call, error))
            else:
                prepared += rows
                sound.append(call)
        try:
            receipts = iter(writer.write(prepared) if prepared else ())
        except Exception as error:  # whatever it is, nobody is told that a row is there
            writer.close()
            self._fail(batch, error)
            return
        answers += [(call, [next(receipts) for _ in call.entries]) for call in sound]
        self.counters.rows += len(prepared)
        self.counters.transactions += 1
        self.counters.transaction_seconds += time.monotonic() - begun
        self._done(batch)
        _tell(answers)

    def _fail(self, batch: list[_Waiting], error: Exception) -> None:
        """Tell all who wait that nothing of theirs was written; the log is opened anew."""
        with self._arrived:
            self._writer = None
            self._refuse(error)
            batch += self._queue
            self._queue.clear()
            self.counters.unavailable += len(batch)
        self._done(batch)
        _tell([(call, LogUnavailable(self.refusal)) for call in batch])

    def _done(self, batch: list[_Waiting]) -> None:
        with self._arrived:
            self._bytes -= sum(call.size for call in batch)
            self._oldest = self._queue[0].since if self._queue else None


def _tell(answers: list[tuple[_Waiting, list[Receipt] | Exception]]) -> None:
    """Wake the callers: one call into each event loop, whatever the number of its callers."""
    loops: dict[asyncio.AbstractEventLoop, list[tuple[_Waiting, list[Receipt] | Exception]]] = {}
    for answer in answers:
        loops.setdefault(answer[0].future.get_loop(), []).append(answer)
    for loop, own in loops.items():
        if not loop.is_closed():  # nobody waits there any more
            loop.call_soon_threadsafe(_settle, own)


def _settle(answers: list[tuple[_Waiting, list[Receipt] | Exception]]) -> None:
    for call, answer in answers:
        if call.future.done():  # the caller went away
            continue
        if isinstance(answer, Exception):
            call.future.set_exception(answer)
        else:
            call.future.set_result(answer)
