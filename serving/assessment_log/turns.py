"""What is gathered for one transaction, and how its callers hear of it."""

import asyncio
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum

from serving.assessment_log.entries import Receipt
from serving.assessment_log.preparation import Prepared
from serving.assessment_log.refusals import LogUnavailable

Answers = list[list[Receipt]] | LogUnavailable


@dataclass(slots=True, eq=False)
class Call:
    """One call: its rows, and whom to tell."""

    rows: list[Prepared]
    future: asyncio.Future[list[Receipt]]


class State(Enum):
    """What becomes of a turn."""

    GATHERING = "it may grow"
    HERE = "the thread of its event loop writes it"
    APART = "the log's thread is to write it"
    UNFLUSHED = "it is written, and the log's thread is to flush it"


@dataclass(slots=True, eq=False)
class Turn:
    """The calls that are gathered for one transaction; made in the thread of their event loop."""

    loop: asyncio.AbstractEventLoop
    calls: list[Call] = field(default_factory=list)
    count: int = 0
    """Rows of all calls."""
    size: int = 0
    """Their bytes."""
    since: float = field(default_factory=time.monotonic)
    thread: int = field(default_factory=threading.get_ident)
    state: State = State.GATHERING

    def add(self, rows: list[Prepared]) -> asyncio.Future[list[Receipt]]:
        """Take the rows of one more call; return what tells of them."""
        self.count += len(rows)
        self.size += sum([len(one.row.answer) + len(one.row.input or b"") for one in rows])
        future: asyncio.Future[list[Receipt]] = self.loop.create_future()
        self.calls.append(Call(rows, future))
        return future

    @property
    def rows(self) -> list[Prepared]:
        """The rows of all calls."""
        return [row for call in self.calls for row in call.rows]

    def tell(self, receipts: list[Receipt] | LogUnavailable) -> None:
        """Tell every caller of its own rows, from whichever thread."""
        answers: Answers = (
            receipts if isinstance(receipts, LogUnavailable) else self._parted(receipts)
        )
        if self.thread == threading.get_ident():
            self._settle(answers)
        else:
            with suppress(RuntimeError):  # the loop is closed: nobody waits there any more
                self.loop.call_soon_threadsafe(self._settle, answers)

    def _parted(self, receipts: list[Receipt]) -> list[list[Receipt]]:
        of_each = iter(receipts)
        return [[next(of_each) for _ in call.rows] for call in self.calls]

    def _settle(self, answers: Answers) -> None:
        for place, call in enumerate(self.calls):
            if call.future.done():  # the caller went away
                continue
            if isinstance(answers, LogUnavailable):
                call.future.set_exception(answers)
            else:
                call.future.set_result(answers[place])
